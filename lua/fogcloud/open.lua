-- SPDX-License-Identifier: MIT

--- `cloud:open`: a client with its permissions, connected, in one call.
local session = require "fogcloud.session"
local errors = require "fogcloud.errors"

local open = {}

---@class (exact) fogcloud.OpenOptions
---@field app_id string?       default the cloud's app_id
---@field devices string[]?    ids of the devices that the client may talk to
---@field credentials table?   of a client that is there; without it one is created
---@field keep boolean?        keep the created client in the cloud's store and use it again the next time
---@field session fogcloud.SessionOptions?

local SPEC = { app_id = "string", devices = "table", credentials = "table", keep = "boolean", session = "table" }

local function check(options, level)
  if type(options) ~= "table" then error("options: table expected, got " .. type(options), level + 1) end
  for name, value in pairs(options) do
    local expected = SPEC[name]
    if expected == nil then error(("unknown open option '%s'"):format(tostring(name)), level + 1) end
    if type(value) ~= expected then
      error(("open option '%s': %s expected, got %s"):format(name, expected, type(value)), level + 1)
    end
  end
end

-- A client that may talk to the devices: credentials, or nil, err, and the client that lacks a permission.
local function prepare(cloud, options)
  local credentials, err = options.credentials, nil
  if credentials == nil and options.keep then credentials, err = cloud:client(options.app_id) end
  if credentials == nil and not options.keep then credentials, err = cloud:create_client(options.app_id) end
  if credentials == nil then return nil, err end
  local granted
  granted, err = cloud:grant_all(credentials.clientid, options.devices or {})
  if granted == nil then return nil, err, credentials end
  return credentials
end

-- Gives credentials after the broker refused ours: a client that is gone cannot be had back, so it is another one.
local function refresher(cloud, options, current)
  return function()
    if options.keep then cloud:forget_client(options.app_id, current) end
    local fresh, err = prepare(cloud, options)
    current = fresh or current
    return fresh, err
  end
end

--- See Cloud:open.
function open.open(cloud, options, level)
  check(options, level)
  local chosen = {}
  for name, value in pairs(options) do chosen[name] = value end
  chosen.app_id = chosen.app_id or cloud.options.app_id
  if chosen.app_id == nil and chosen.credentials == nil then
    error("app_id: give it as an option, or set FOGCLOUD_APP_ID", level + 1)
  end
  local credentials, err, created = prepare(cloud, chosen)
  if credentials == nil then return nil, err, created end
  local options_of_session = cloud:session_options(chosen.session)
  if chosen.credentials == nil and options_of_session.credentials == nil then
    options_of_session.credentials = refresher(cloud, chosen, credentials)
  end
  local opened, why = session.connect(credentials, options_of_session, level + 1)
  if opened == nil then return nil, errors.is(why) and why or errors.new("mqtt", tostring(why)), credentials end
  return opened, nil, credentials
end

return open
