-- SPDX-License-Identifier: MIT

--- `fogcloud login`: asks for an account, tries it, and stores it as a profile.
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local profiles = require "fogcloud.cli.profiles"

local command = { summary = "Store an account as a profile, 0600, after it was tried." }

function command.options(parser)
  parser:option("--access-key", "Access Key ID; asked for when it is not given"):argname("ID")
  parser:option("--secret-file", "read the Access Key Secret from a file, - for standard input"):argname("FILE")
  parser:option("--app", "the application that client commands use"):argname("ID")
  parser:flag("--no-check", "store it untried")
  parser:epilog("The secret is asked for without echo, or taken from --secret-file or FOGCLOUD_CLIENT_SECRET; never "
    .. "from an argument.")
end

-- A line that the person types; what is shown in brackets is taken for an empty one.
local function ask(question, default)
  io.stderr:write(question, default and (" [%s]"):format(default) or "", ": ")
  local line = io.read("*l")
  if line == nil then return default end
  line = line:gsub("^%s+", ""):gsub("%s+$", "")
  return line ~= "" and line or default
end

local function secret_of(args, context)
  if args.secret_file then
    local file, why = io.stdin, nil
    if args.secret_file ~= "-" then file, why = io.open(args.secret_file) end
    if not file then context:usage("--secret-file: " .. why) end
    local line = file:read("*l")
    if file ~= io.stdin then file:close() end
    return line and line:gsub("%s+$", "")
  end
  return os.getenv("FOGCLOUD_CLIENT_SECRET") or core.terminal.read_secret("Access Key Secret: ")
end

local function gather(args, context)
  local can_ask = core.terminal.is_terminal(0)
  local options = {
    base_url = args.base_url or os.getenv("FOGCLOUD_BASE_URL") or can_ask and ask("API URL") or nil,
    client_id = args.access_key or os.getenv("FOGCLOUD_CLIENT_ID") or can_ask and ask("Access Key ID") or nil,
    ca_file = args.ca_file or os.getenv("FOGCLOUD_CA_FILE"), app_id = args.app or os.getenv("FOGCLOUD_APP_ID"),
    allow_insecure_http = args.allow_insecure_http or nil,
  }
  options.client_secret = secret_of(args, context)
  for name, flag in pairs { base_url = "--base-url", client_id = "--access-key", client_secret = "--secret-file" } do
    if options[name] == nil or options[name] == "" then context:usage(("%s is missing: %s, or an answer on a terminal")
      :format(name, flag)) end
  end
  return options
end

-- Whether the cloud gives a token for it; nothing is kept of this but the answer.
local function try(options, context)
  local given = { store = "memory", timeout = context.timeout }
  for name, value in pairs(options) do given[name] = value end
  local cloud = context:try(fogcloud.new, given)
  local token, err = cloud:token()
  cloud:close()
  return token ~= nil, err
end

function command.run(args, context)
  local options = gather(args, context)
  if not args.no_check then
    local ok, err = try(options, context)
    if not ok then return context:failed(err) end
  end
  local name = args.profile or os.getenv("FOGCLOUD_PROFILE") or "default"
  local ok, why = profiles.save(name, options)
  if not ok then return context:failed(why) end
  if profiles.current() ~= name and args.profile == nil then
    ok, why = profiles.use(name)
    if not ok then return context:failed(why) end
  end
  context.out:note(("Stored as profile '%s' in %s."):format(name, profiles.path()))
  return exit.ok
end

return command
