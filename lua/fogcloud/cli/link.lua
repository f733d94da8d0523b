-- SPDX-License-Identifier: MIT

--- The MQTT session of a command: by a client kept here, or by credentials in a file.
local cjson = require "cjson"
local claim = require "fogcloud.cli.claim"
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local session_options = require "fogcloud.mqtt.options"

local link = {}

--- The options that choose and shape it.
function link.options(parser)
  parser:option("--client", "name or client id, default the only one kept here"):argname("CLIENT")
  parser:option("--credentials", "a JSON file of what create_client gave, instead"):argname("FILE")
  parser:flag("--plain", "without TLS, at the broker's plain port")
  parser:flag("--mqtt5", "MQTT 5.0 instead of 3.1.1")
end

--- The options of a topic.
function link.topic_options(parser)
  parser:option("-q --qos", "0, 1 or 2", "0"):choices { "0", "1", "2" }:argname("QOS")
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
function link.find(args, context)
  if args.credentials then return from_file(args.credentials) end
  local settings = context:settings()
  return clients.find(named(args), settings.base_url, settings.client_id)
end

-- What the session is told of itself reaches the person. Its end by our own `close` is no news.
local function announce(session, context)
  session:on("disconnect", function(err)
    if err.kind ~= "closed" then context.out:event("disconnect", "link lost: " .. tostring(err), err) end
  end)
  session:on("connect", function() context.out:event("connect", "connected again") end)
  session:on("error", function(err) context.out:fail(err) end)
end

--- The options of the session. Without other authorities, those of the time when the client was made are trusted.
function link.session_options(args, context, credentials)
  local settings = context:settings()
  return {
    tls = not args.plain, version = args.mqtt5 and "5.0" or "3.1.1", ca_file = settings.ca_file or credentials.ca_file,
    connect_timeout = settings.timeout, timeout = settings.timeout,
  }
end

--- Connects, by a client that no other process uses. What is wrong with the credentials ends the command.
---@param devices string[]?  those that the session is for; nil when they cannot be told
---@return fogcloud.Session? session
---@return fogcloud.Error|string|nil err
function link.open(args, context, devices)
  local credentials, why = link.find(args, context)
  if credentials == nil then context:usage(why) end
  if not args.credentials then
    credentials, why = claim.client(credentials, named(args) ~= nil, devices, context)
    if credentials == nil then return nil, why end
  end
  local options = link.session_options(args, context, credentials)
  local session, err = context:try(fogcloud.connect, credentials, options)
  if session == nil then return nil, err end
  announce(session, context)
  return session
end

return link
