-- SPDX-License-Identifier: MIT

--- One device seen through a session: its channels, with JSON values.
--
-- The API page says nothing of topics. Public FogCloud code uses `d2c/<device>/<channel>` from the device and
-- `c2d/<device>/<channel>` towards it; these are the defaults, replaceable by the session option `topics`.
local errors = require "fogcloud.errors"
local json = require "fogcloud.json"
local options = require "fogcloud.mqtt.options"

---@class fogcloud.Device
local Device = {}
Device.__index = Device
Device.__name = "fogcloud.Device"

local DEFAULTS = { from_device = "d2c/{device}/{channel}", to_device = "c2d/{device}/{channel}" }

local function fill(template, device, channel)
  return (template:gsub("{(%w+)}", { device = device, channel = channel }))
end

---@package
--- The topic of a channel by the default template of a direction, "from_device" or "to_device".
function Device.default_topic(direction, device, channel) return fill(DEFAULTS[direction], device, channel) end

---@package
function Device.new(session, id, topics)
  topics = topics or {}
  return setmetatable({
    session = session,
    id = id,
    from_device = topics.from_device or DEFAULTS.from_device,
    to_device = topics.to_device or DEFAULTS.to_device,
  }, Device)
end

local function check_channel(channel)
  if type(channel) ~= "string" or channel == "" then error("channel: a non-empty string expected", 3) end
  if channel:find("[+#%z]") then error("channel: may hold no '+', '#' or NUL", 3) end
end

local BIG = { float = true, text = true }
local ON = {
  qos = "number", timeout = "number",
  big_integers = function(value) return not BIG[value] and "'float' or 'text' expected" or nil end,
}
local SEND = { qos = "number", retained = "boolean", wait = "boolean", timeout = "number" }

---@class (exact) fogcloud.DeviceOnOptions
---@field qos 0|1|2|nil    default 1
---@field timeout number?  seconds, default the session's
---@field big_integers "float"|"text"|nil  what becomes of an integer beyond 2^53, default "float"

--- Calls `fn(value, topic, message)` for each JSON value that the device sends on the channel; a payload that is not
--- JSON goes to the session's on("error"). Whole numbers are integers on Lua 5.3 and later. Waits for the subscription
--- to be acknowledged.
---@param channel string  "status"
---@param fn fun(value: any, topic: string, message: fogcloud.Message)
---@param opts fogcloud.DeviceOnOptions?
---@return integer? granted
---@return fogcloud.Error? err  kinds: those of session:subscribe
function Device:on(channel, fn, opts)
  check_channel(channel)
  if type(fn) ~= "function" then error("fn: function expected, got " .. type(fn), 2) end
  options.check_all(ON, opts, "device", 3)
  opts = opts or {}
  local topic = fill(self.from_device, self.id, channel)
  return self.session:subscribe(topic, opts.qos or 1, function(from, payload, message)
    local ok, value = pcall(json.decode, payload, opts.big_integers)
    if not ok then
      error(errors.new("protocol", ("the message on '%s' is not JSON: %s"):format(from, value), { endpoint = from }), 0)
    end
    fn(value, from, message)
  end, { timeout = opts.timeout })
end

---@class (exact) fogcloud.SendOptions
---@field qos 0|1|2|nil      default 1
---@field retained boolean?  the broker keeps it for those who subscribe later
---@field wait boolean?      wait for room instead of failing
---@field timeout number?    how long, seconds, default the session's

--- Queues a value for the device, as JSON. Does not wait unless told to.
---@param channel string  "commands"
---@param value any       what JSON has; else it raises. Numbers keep all their digits, empty tables are objects
---@param opts fogcloud.SendOptions?
---@return number? id
---@return fogcloud.Error? err  kinds: overflow, closed
function Device:send(channel, value, opts)
  check_channel(channel)
  options.check_all(SEND, opts, "device", 3)
  opts = opts or {}
  local ok, payload = pcall(json.encode, value)
  if not ok then error(("value: %s"):format(payload), 2) end
  return self.session:publish(fill(self.to_device, self.id, channel), payload,
    { qos = opts.qos or 1, retained = opts.retained, wait = opts.wait, timeout = opts.timeout })
end

return Device
