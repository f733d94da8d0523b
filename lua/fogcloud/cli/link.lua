-- SPDX-License-Identifier: MIT

--- The MQTT session of a command: by a client kept here, or by credentials in a file.
local cjson = require "cjson"
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"

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

local function from_file(path, context)
  local text, why, detail = core.file.read(path)
  if text == nil then context:usage(("--credentials: %s: %s"):format(path, detail or why)) end
  local ok, credentials = pcall(cjson.decode, text)
  if not ok or type(credentials) ~= "table" then context:usage("--credentials: " .. path .. " holds no JSON object") end
  return credentials
end

--- The credentials that are meant. What is wrong ends the command.
function link.credentials(args, context)
  if args.credentials then return from_file(args.credentials, context) end
  local client, why = clients.find(args.client, args.base_url or os.getenv("FOGCLOUD_BASE_URL"))
  if client == nil then context:usage(why) end
  return client
end

-- What the session is told of itself reaches the person.
local function announce(session, context)
  session:on("disconnect", function(err) context.out:note("link lost: " .. tostring(err)) end)
  session:on("connect", function() context.out:note("connected again") end)
  session:on("error", function(err) context.out:fail(err) end)
end

--- The authorities to trust: those of the flag, the variable, or of the time when the client was made.
function link.ca_file(args, credentials) return args.ca_file or os.getenv("FOGCLOUD_CA_FILE") or credentials.ca_file end

--- The options of the session.
function link.session_options(args, context, credentials)
  return {
    tls = not args.plain, version = args.mqtt5 and "5.0" or "3.1.1", connect_timeout = context.timeout,
    ca_file = link.ca_file(args, credentials),
  }
end

--- Connects.
---@return fogcloud.Session? session
---@return fogcloud.Error? err
function link.open(args, context)
  local credentials = link.credentials(args, context)
  local options = link.session_options(args, context, credentials)
  local session, err = context:try(fogcloud.connect, credentials, options)
  if session == nil then return nil, err end
  announce(session, context)
  return session
end

return link
