-- SPDX-License-Identifier: MIT

--- `cloud:open`: a client with its permissions, connected, in one call.
local check = require "fogcloud.check"
local errors = require "fogcloud.errors"

local open = {}

---@class (exact) fogcloud.OpenOptions
---@field app_id string?       default the cloud's app_id
---@field devices string[]?    ids of the devices that the client may talk to
---@field credentials fogcloud.Credentials?  of a client that is there; without it one is created
---@field keep boolean|string?  keep the created client in the cloud's store and use it again the next time; a text is
---                             the name it is kept under, where an application has several clients
---@field session fogcloud.SessionOptions?

local SPEC = {
  app_id = "string", devices = "table", credentials = "table", session = "table", keep = "boolean or string",
}

local function kept_name(options) return type(options.keep) == "string" and options.keep or nil end

-- The client's credentials: those given, those kept, or a new client's.
local function obtain(cloud, options)
  if options.credentials then return options.credentials end
  if options.keep then return cloud:client(options.app_id, { name = kept_name(options) }) end
  return cloud:create_client(options.app_id)
end

-- Gives credentials after the broker refused ours: a client that is gone cannot be had back, so it is another one,
-- with the same permissions.
local function refresher(cloud, options, refused)
  return function()
    if options.keep then cloud:forget_client(options.app_id, refused, kept_name(options)) end
    local fresh, err = obtain(cloud, options)
    if fresh == nil then return nil, err end
    refused = fresh
    local granted
    granted, err = cloud:grant_all(fresh.clientid, options.devices or {})
    if granted == nil then return nil, err end
    return fresh
  end
end

local function connect(cloud, options, credentials, level)
  local how = cloud:session_options(options.session)
  if options.credentials == nil and how.credentials == nil then
    how.credentials = refresher(cloud, options, credentials)
  end
  local session, err = cloud:connect_at(credentials, how, level + 1)
  return session, err -- no tail call, which would take the frame that the level counts
end

-- Why a session cannot be made with what the cloud gave; nil when it can. A wrong port is nothing that the caller did.
local function wrong_port(cloud, options, credentials)
  if options.credentials then return nil end
  local name = cloud:session_options(options.session).tls == false and "mqttport" or "sslport"
  if check.value({ "whole", 1, 65535 }, credentials[name]) == nil then return nil end
  local text = "the cloud gave the client no usable '%s': put it into the credentials, and connect with these"
  return errors.new("protocol", text:format(name), { retryable = false })
end

--- See Cloud:open. Connects before it grants: a kept client that is gone is found out by the broker's refusal, which
--- says so, and not by a refused grant, which may have another reason.
function open.open(cloud, options, level)
  local wrong = check.options(SPEC, options, "open")
  if wrong then error(wrong, level + 1) end
  local chosen = {}
  for name, value in pairs(options) do chosen[name] = value end
  chosen.app_id = chosen.app_id or cloud.options.app_id
  if chosen.app_id == nil and chosen.credentials == nil then
    error("app_id: give it as an option, or set FOGCLOUD_APP_ID", level + 1)
  end
  local credentials, err = obtain(cloud, chosen)
  if credentials == nil then return nil, err end
  err = wrong_port(cloud, chosen, credentials)
  if err then return nil, err, credentials end
  local opened, why = connect(cloud, chosen, credentials, level + 1)
  if opened == nil then return nil, why, credentials end
  credentials = opened.credentials -- another client's, when the first one was refused
  local granted
  granted, err = cloud:grant_all(credentials.clientid, chosen.devices or {})
  if granted == nil then
    opened:close()
    return nil, err, credentials
  end
  return opened, nil, credentials
end

return open
