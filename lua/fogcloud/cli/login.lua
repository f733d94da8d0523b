-- SPDX-License-Identifier: MIT

--- `fogcloud login`: asks for an account, tries it, and stores it as a profile.
local claim = require "fogcloud.cli.claim"
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local input = require "fogcloud.cli.input"
local profiles = require "fogcloud.cli.profiles"
local words = require "fogcloud.cli.words"

local PATIENCE = 5 -- seconds for the goodbye

local command = { summary = "Store an account as a profile, 0600, after it was tried." }

function command.options(parser)
  parser:option("--access-key", "Access Key ID; asked for when it is not given"):argname("ID")
  parser:option("--secret-file", "read the Access Key Secret from a file, - for standard input"):argname("FILE")
  parser:option("--app", "the application that client commands use"):argname("ID")
  parser:flag("--no-check", "store it untried")
  parser:epilog("It gets a token, and connects to the broker over TLS where an application is given. Exit code 5 when "
    .. "only the broker did not work.\n\nThe secret is asked for without echo, or taken from --secret-file or "
    .. "FOGCLOUD_CLIENT_SECRET; never from an argument.")
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
  local secret, why = core.terminal.read_secret(words.say("Access Key Secret, not shown") .. ": ")
  if why then context:usage("client_secret: " .. why) end
  return secret
end

local FLAGS = { base_url = "--base-url", client_id = "--access-key", client_secret = "--secret-file" }

-- The account: as given, as in the environment, else as answered. An interrupt ends it. The secret follows its id, as
-- people have the two before them: typed one question later it would be shown.
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
    ca_file = args.ca_file or from_environment("FOGCLOUD_CA_FILE"),
    allow_insecure_http = args.allow_insecure_http or nil,
  }
  local secret = secret_of(args, context)
  context:go_on()
  options.client_secret = secret and secret:match("^(.-)%s*$")
  options.app_id = answer(args.app, "FOGCLOUD_APP_ID", "Application ID, Enter for none")
  for name, flag in pairs(FLAGS) do
    if options[name] == nil or options[name] == "" then
      context:usage(("%s is missing: %s, or an answer on a terminal"):format(name, flag))
    end
  end
  return options
end

-- Whether the cloud gives a token for it; nothing is kept of this but the answer.
local function try_cloud(options, context)
  local given = { store = "memory", timeout = context.timeout }
  for name, value in pairs(options) do given[name] = value end
  local cloud = context:try(fogcloud.new, given)
  local token, err = cloud:token()
  return token ~= nil and cloud, err
end

-- The client that is tried: one that is kept for the account, else one made for it and kept as a spare, which the next
-- `client create` of the application takes.
local function client_for(cloud, app_id)
  local list, why = clients.list(cloud.options.base_url, cloud.options.client_id)
  if list == nil then return nil, why end
  if list[1] then return list[1] end
  local client, err = cloud:create_client(app_id)
  if client == nil then return nil, err end
  client.spare = true
  local kept, unkept = clients.keep(client, nil, app_id, cloud)
  if not kept then return nil, unkept end
  return client
end

-- Whether the broker takes a client in over TLS: true where there is nothing to try it with.
local function try_broker(options, cloud, context)
  if options.app_id == nil then
    context.out:note("MQTT is not tried: no application is given.")
    return true
  end
  local client, err = client_for(cloud, options.app_id)
  if client == nil then return false, err end
  if not claim.free(client) then return true end -- a command of another terminal shows that it works
  local session
  session, err = context:try(cloud.connect, cloud, client, { timeout = context.timeout })
  if session == nil then return false, err end
  session:finish(context.timeout or PATIENCE)
  return true
end

-- Whether a server's certificate is signed by somebody whom this machine does not know.
local function is_unknown_chain(err)
  if not errors.is(err) or err.kind ~= "tls" then return false end
  local text = errors.text(err)
  return (text:find("issuer certificate") or text:find("self.signed") or text:find("trusted authority")) ~= nil
end

-- Tries both, and once more with authorities that the person names when their chain is unknown. Whether the cloud, and
-- whether all went well, and what did not.
local function try(options, context)
  local can_ask, asked = core.terminal.is_terminal(0), false
  while true do
    local cloud, err = try_cloud(options, context)
    local ok = cloud ~= false
    if ok then
      ok, err = try_broker(options, cloud, context)
      cloud:close()
    end
    if ok or asked or not can_ask or not is_unknown_chain(err) then return cloud ~= false, ok, err end
    asked = true
    context.out:note("The certificate is signed by an authority that this machine does not know.")
    options.ca_file = input.ask("CA file (PEM), Enter for none")
    context:go_on()
    if options.ca_file == nil then return cloud ~= false, ok, err end
  end
end

function command.run(args, context)
  local options = gather(args, context)
  local usable, all_well, problem = true, true, nil
  if not args.no_check then usable, all_well, problem = try(options, context) end
  if not usable then return context:failed(problem) end
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
  if all_well then return exit.ok end
  context.out:fail(("the account works, its broker does not: %s; fogcloud doctor looks closer"):format(
    errors.text(problem)))
  return exit.partial
end

return command
