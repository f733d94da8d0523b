-- SPDX-License-Identifier: MIT

--- `fogcloud login`: asks for an account, tries it, and stores it as a profile.
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local input = require "fogcloud.cli.input"
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

local function from_environment(variable)
  local value = os.getenv(variable)
  return value ~= "" and value or nil
end

local function secret_of(args, context)
  if args.secret_file == "-" then return input.lines()() end
  if args.secret_file then
    local lines, why = input.lines_of_file(args.secret_file)
    if lines == nil then context:usage("--secret-file: " .. why) end
    return lines[1]
  end
  local given = from_environment("FOGCLOUD_CLIENT_SECRET")
  if given then return given end
  local secret, why = core.terminal.read_secret("Access Key Secret: ")
  if why then context:usage("client_secret: " .. why) end
  return secret
end

local FLAGS = { base_url = "--base-url", client_id = "--access-key", client_secret = "--secret-file" }

-- The account: as given, as in the environment, else as answered. An interrupt ends it.
local function gather(args, context)
  local can_ask = core.terminal.is_terminal(0)
  local function answer(given, variable, question)
    local value = given or from_environment(variable) or can_ask and input.ask(question) or nil
    context:go_on()
    return value
  end
  local options = {
    base_url = answer(args.base_url, "FOGCLOUD_BASE_URL", "API URL"),
    client_id = answer(args.access_key, "FOGCLOUD_CLIENT_ID", "Access Key ID"),
    app_id = answer(args.app, "FOGCLOUD_APP_ID", "Application ID, Enter for none"),
    ca_file = args.ca_file or from_environment("FOGCLOUD_CA_FILE"),
    allow_insecure_http = args.allow_insecure_http or nil,
  }
  local secret = secret_of(args, context)
  context:go_on()
  options.client_secret = secret and secret:match("^(.-)%s*$")
  for name, flag in pairs(FLAGS) do
    if options[name] == nil or options[name] == "" then
      context:usage(("%s is missing: %s, or an answer on a terminal"):format(name, flag))
    end
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
  local name = args.profile or from_environment("FOGCLOUD_PROFILE") or "default"
  local ok, why = profiles.save(name, options)
  if not ok then return context:failed(why) end
  if profiles.current() ~= name and args.profile == nil then
    ok, why = profiles.use(name)
    if not ok then return context:failed(why) end
  end
  context.out:note(("Stored as profile '%s' in %s."):format(name, profiles.path()))
  if profiles.current() ~= name then
    context.out:note(("It is used with --profile %s, or from now on by: fogcloud profile use %s"):format(name, name))
  end
  return exit.ok
end

return command
