-- SPDX-License-Identifier: MIT

--- A simulated device: an account of its own at the sandbox's broker, on a session of the SDK.
local cjson = require "cjson"
local fogcloud = require "fogcloud"

local Device = {}
Device.__index = Device

--- Connects as the device. Yields in a task, blocks elsewhere.
---@param sandbox table  a handle of init.lua
---@param id string
---@param password string
---@return table? device
---@return fogcloud.Error? err
function Device.connect(sandbox, id, password)
  local session, err = fogcloud.connect({
    clientid = "device-" .. id, loginname = id, password = password, mqtthost = "localhost",
    mqttport = sandbox.mqtt_port, sslport = sandbox.tls_port,
  }, { ca_pem = sandbox.ca })
  if session == nil then return nil, err end
  return setmetatable({ id = id, session = session }, Device)
end

--- Calls fn(value, channel, payload) for each command; value is nil where the payload is not JSON. Waits for the
--- subscription.
---@return boolean? ok
---@return fogcloud.Error? err
function Device:on_command(fn)
  local granted, err = self.session:subscribe(("c2d/%s/#"):format(self.id), 1, function(topic, payload)
    local ok, value = pcall(cjson.decode, payload)
    fn(ok and value or nil, topic:match("^c2d/[^/]*/(.*)$"), payload)
  end)
  if granted == nil then return nil, err end
  return true
end

--- Reports a value as JSON on a channel and waits until the broker has it.
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
