-- SPDX-License-Identifier: MIT

--- The MQTT session of a command: by a client kept here, by credentials in a file, or at a broker that is named.
local cjson = require "cjson"
local broker = require "fogcloud.cli.broker"
local claim = require "fogcloud.cli.claim"
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local fogcloud = require "fogcloud"
local session_options = require "fogcloud.mqtt.options"

local sessions = {}

local VERSIONS = {
  ["5"] = "5.0", ["5.0"] = "5.0", mqttv5 = "5.0", ["311"] = "3.1.1", ["3.1.1"] = "3.1.1", mqttv311 = "3.1.1",
}

local function version(text)
  if VERSIONS[text] then return VERSIONS[text] end
  return nil, ("--protocol-version: 5 or 311 expected, got '%s'"):format(text)
end

--- The options that choose and shape it.
function sessions.options(parser)
  local options = {
    parser:option("--client", "name or client id, default the one of `client use`, or the only one"):argname("CLIENT"),
    parser:option("--credentials", "a JSON file of what create_client gave, instead"):argname("FILE"),
    parser:flag("--plain", "without TLS, at the broker's plain port"),
    parser:option("-V --protocol-version", "5 or 311, default 5 where the broker has it"):argname("VERSION")
      :convert(version),
  }
  parser:group("Options for a client that is kept here", (table.unpack or unpack)(options))
end

--- The option of a topic.
function sessions.qos_option(parser)
  return parser:option("-q --qos", "0, 1 or 2", "0"):choices { "0", "1", "2" }:argname("QOS")
end

local function from_file(path)
  local text, why, detail = core.file.read(path)
  if text == nil then return nil, ("--credentials: %s: %s"):format(path, detail or why) end
  local ok, credentials = pcall(cjson.decode, text)
  if not ok or type(credentials) ~= "table" then return nil, "--credentials: " .. path .. " holds no JSON object" end
  local any = { tls = credentials.sslport ~= nil }
  local right, complaint = pcall(session_options.check_credentials, credentials, any, -1)
  if not right then return nil, ("--credentials: %s: %s"):format(path, complaint) end
  return credentials
end

-- The client that the person names, by an option or a variable; nil for none.
local function named(args)
  local variable = os.getenv("FOGCLOUD_CLIENT")
  return args.client or variable ~= "" and variable or nil
end

--- The credentials that are meant: those of a file, or of a client kept here for the account in force.
---@return table? credentials
---@return string? why
function sessions.find(args, context)
  if args.credentials then return from_file(args.credentials) end
  local settings = context:settings()
  return clients.find(named(args), settings.base_url, settings.client_id)
end

-- What the session is told of itself reaches the person. Its end by our own `close` is no news.
local function announce(session, context)
  session:on("disconnect", function(err)
    if err.kind ~= "closed" then context.out:event("disconnect", "link lost: " .. errors.text(err), err) end
  end)
  local before = false -- the first connection is no news
  session:on("connect", function()
    if before then context.out:event("connect", "connected again") end
    before = true
  end)
  session:on("error", function(err) context.out:fail(err) end)
end

--- The options of a session with a kept client. Without other authorities, those of the time when it was made are
--- trusted.
function sessions.session_options(args, context, credentials)
  local settings = context:settings()
  return {
    tls = not args.plain, ca_file = settings.ca_file or credentials.ca_file,
    connect_timeout = settings.timeout, timeout = settings.timeout,
  }
end

-- Whether a broker may have refused MQTT 5 as such: by its code, or by hanging up.
local function is_older(err)
  return errors.is(err) and (err.code == 1 or err.code == 132 or err.kind == "network")
end

--- Connects with MQTT 5 where the broker has it, else with 3.1.1; with the version that was asked for, where one was.
---@return fogcloud.Session? session
---@return fogcloud.Error? err
function sessions.connect(args, context, credentials, options)
  local wanted = args.protocol_version or options.version
  if wanted == "3.1.1" and options.version == "5.0" then
    context:usage("--property and --session-expiry are of MQTT 5: without --protocol-version 311")
  end
  options.version = wanted or "5.0"
  local session, err = context:try(fogcloud.connect, credentials, options)
  if session or wanted or not is_older(err) then return session, err end
  options.version = "3.1.1"
  session, err = context:try(fogcloud.connect, credentials, options)
  return session, err
end

-- A broker that the person names, or the one of mosquitto's habit where there is no account.
local function is_named(args, context)
  if broker.named(args) then
    if args.client or args.credentials then context:usage("--client and --credentials are for no other broker") end
    return true
  end
  if named(args) or args.credentials or args.host_options == nil then return false end
  local settings = context:settings()
  return settings.base_url == nil and settings.client_id == nil and #(clients.list() or {}) == 0
end

--- What a command talks to: credentials and options of a session, and how a failure to connect is told.
---@param devices string[]?  those that the session is for; nil when they cannot be told
---@return table? target  { credentials, options, broker: boolean, topic: string? }
---@return fogcloud.Error|string|nil err
function sessions.target(args, context, devices)
  if is_named(args, context) then
    local credentials, options, topic = broker.target(args, context)
    options.connect_timeout, options.timeout = args.timeout, args.timeout
    return { credentials = credentials, options = options, broker = true, topic = topic }
  end
  local credentials, why = sessions.find(args, context)
  if credentials == nil then context:usage(why) end
  if not args.credentials then
    credentials, why = claim.client(credentials, named(args) ~= nil, devices, context)
    if credentials == nil then return nil, why end
  end
  return { credentials = credentials, options = sessions.session_options(args, context, credentials) }
end

--- Connects, by a client that no other process uses. What is wrong with the credentials ends the command.
---@param devices string[]?
---@return fogcloud.Session? session
---@return fogcloud.Error|string|nil err
---@return table? target  as sessions.target gives it, with what -D said
function sessions.open(args, context, devices)
  local target, why = sessions.target(args, context, devices)
  if target == nil then return nil, why end
  if args.host_options then target.said = broker.shape(args, target.options, context) end
  local session, err = sessions.connect(args, context, target.credentials, target.options)
  if session == nil then return nil, err, target end
  announce(session, context)
  context.session = session
  return session, nil, target
end

-- What -D said of DISCONNECT, nil for nothing.
local function goodbye_of(said)
  if said.disconnect == nil and said.goodbye_expiry == nil then return nil end
  return { session_expiry = said.goodbye_expiry, properties = said.disconnect }
end

--- Lets everything out and says goodbye, with the properties that -D gave it.
---@param target table  as sessions.open gives it
---@param timeout number?  seconds
---@return boolean? ok
---@return fogcloud.Error? err  what was not acknowledged
function sessions.finish(session, target, timeout)
  local goodbye = goodbye_of(target.said)
  if goodbye == nil then return session:finish(timeout) end
  local ok, err = session:flush(timeout)
  sessions.close(session, target)
  return ok, err
end

--- Says goodbye, with those properties; the program waits for that when the command is done.
function sessions.close(session, target) session:close(goodbye_of(target.said)) end

--- Says why there is no session and gives the exit code: at a broker that is named the reason of its CONNACK, as
--- mosquitto_pub and mosquitto_sub have it.
function sessions.failed(context, err, target)
  local code = context:failed(err)
  if target and target.broker and errors.is(err) and (err.code or 0) > 0 and err.code < 256 then return err.code end
  return code
end

return sessions
