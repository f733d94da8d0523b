-- SPDX-License-Identifier: MIT

--- A simulated device: an account of its own at the sandbox's broker, on a session of the SDK.
local cjson = require("cjson").new() -- what a program sets in its own changes nothing here
local core = require "fogcloud.sandbox.core"
local fogcloud = require "fogcloud"

local Device = {}
Device.__index = Device

-- So that two handles of one device do not throw each other out.
local function client_id(id)
  local a, b, c, d = core.random(4):byte(1, 4)
  return ("device-%s-%02x%02x%02x%02x"):format(id, a, b, c, d)
end

--- Connects as the device, to the plain port: what the certificate of the other one is for, and whether it wants one,
--- is a matter of the client under test. Yields in a task, blocks elsewhere.
---@param sandbox table  a handle of init.lua
---@param id string
---@param password string
---@return table? device
---@return fogcloud.Error? err
function Device.connect(sandbox, id, password)
  local clientid = client_id(id)
  local session, err = fogcloud.connect({
    clientid = clientid, loginname = id, password = password, mqtthost = sandbox.mqtt_host,
    mqttport = sandbox.mqtt_port,
  }, { tls = false })
  if session == nil then return nil, err end
  return setmetatable({ id = id, clientid = clientid, session = session }, Device)
end

--- Calls fn(value, channel, payload) for each command; value is nil where the payload is not JSON. Waits for the
--- subscription.
---@return boolean? ok
---@return fogcloud.Error? err
function Device:on_command(fn)
  local granted, err = self.session:subscribe(("c2d/%s/#"):format(self.id), 1, function(topic, payload)
    local ok, value = pcall(cjson.decode, payload)
    if not ok then value = nil end
    fn(value, topic:match("^c2d/[^/]*/(.*)$"), payload)
  end)
  if granted == nil then return nil, err end
  return true
end

--- Reports a value on a channel and waits until all that was reported is acknowledged.
---@param value any    a string goes as it is, anything else as JSON
---@param opts table?  qos (1), retained
---@return boolean? ok
---@return fogcloud.Error? err
function Device:report(channel, value, opts)
  opts = opts or {}
  local payload = type(value) == "string" and value or cjson.encode(value)
  local id, err = self.session:publish(("d2c/%s/%s"):format(self.id, channel), payload,
    { qos = opts.qos or 1, retained = opts.retained })
  if id == nil then return nil, err end
  return self.session:flush()
end

function Device:close() self.session:close() end

return Device
