-- SPDX-License-Identifier: MIT

--- What one session publishes: into the core's bounded queue, from where it goes to the journal, where there is one,
--- and to the broker.
local deadlines = require "fogcloud.task.deadline"
local diagnosis = require "fogcloud.mqtt.diagnosis"
local drivers = require "fogcloud.mqtt.drivers"
local durable = require "fogcloud.mqtt.durable"
local errors = require "fogcloud.errors"
local options = require "fogcloud.mqtt.options"
local topic_rules = require "fogcloud.mqtt.topic"

local Publications = {}
Publications.__index = Publications

---@class (exact) fogcloud.PublicationsParts
---@field host table
---@field handle userdata
---@field state fogcloud.SessionState
---@field opts table
---@field notify fun(name: string, value: table)

---@param parts fogcloud.PublicationsParts
function Publications.new(parts)
  return setmetatable({
    host = parts.host, handle = parts.handle, state = parts.state, opts = parts.opts, notify = parts.notify,
    send = parts.handle:publisher(), waiters = {}, reported_losses = 0,
  }, Publications)
end

local function size_of(topic, payload, properties) return #topic + #payload + #(properties or "") end

local OPTIONS = { qos = "number", retained = "boolean", wait = "boolean", timeout = "number", properties = "table" }
local NO_OPTIONS = {}

-- Which values each option may have. Look-ups and no calls, for this is on the way of every message.
local BOOLEAN = { [true] = true, [false] = true }
local VALID = {
  qos = { [0] = true, [1] = true, [2] = true }, retained = BOOLEAN, wait = BOOLEAN,
  timeout = setmetatable({}, { __index = function(_, value) return type(value) == "number" and value >= 0 end }),
  properties = setmetatable({}, { __index = function(_, value) return type(value) == "table" end }),
}

-- Raises at the caller of Session:publish.
local function refuse(name, value)
  options.check_type(OPTIONS, name, value, "publish", 6)
  if name == "qos" then error("qos: 0, 1 or 2 expected", 5) end
  error("timeout: a number of seconds, not negative, expected", 5)
end

-- The encoded properties, if any. `last_topic` is one that was found right, for topics repeat.
local function check(self, topic, payload, opts, version)
  if topic ~= self.last_topic then
    local ok, why = topic_rules.valid_topic(topic)
    if not ok then error(("topic: %s"):format(why), 4) end
    self.last_topic = topic
  end
  if type(payload) ~= "string" then error("payload: string expected, got " .. type(payload), 4) end
  for name, value in next, opts do
    local valid = VALID[name]
    if valid == nil or not valid[value] then refuse(name, value) end
  end
  local wrong = opts.qos == 2 and drivers.wrong_qos(self.opts, 2)
  if wrong then error(wrong, 4) end
  if opts.properties == nil then return nil end
  if version ~= "5.0" then error("publish option 'properties' needs version = '5.0'", 4) end
  return options.properties(opts.properties, "publish", 4)
end

-- Waits until the core says that what was asked of it (drained, room) has come, or came for a moment. nil, err when it
-- does not by then (`text`), or never will.
local function await(self, deadline, text)
  local waiter = self.host.waiter()
  self.waiters[waiter] = true
  local woken = waiter:wait(deadline)
  self.waiters[waiter] = nil
  if self.state.ended then return nil, self.state.ended end
  if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  if not woken then return nil, errors.new("timeout", text:format(self.handle:stats().queued)) end
  return true
end

-- The bytes of a PUBLISH (MQTT 5, 3.3) beside its topic, payload and properties, at most.
local OVERHEAD = 5 + 2 + 2 + 4

-- What the broker of the link in force has said that it does not take (MQTT 5, 3.2.2.3). What was queued before is
-- dropped by the core when its turn comes.
local function beyond_limits(self, topic, payload, qos, retained, properties)
  local limits = self.state.limits
  if limits.maximum_qos and qos > limits.maximum_qos then
    return errors.new("mqtt", ("the broker takes QoS %d at most (maximum_qos)"):format(limits.maximum_qos),
      { code = 0x9B })
  end
  if retained and limits.retain_available == 0 then
    return errors.new("mqtt", "the broker keeps no retained messages (retain_available)", { code = 0x9A })
  end
  local most = limits.maximum_packet_size
  if most and size_of(topic, payload, properties) + OVERHEAD > most then -- near the bound the core knows better
    if size_of(topic, payload, properties) + 4 > most then
      return errors.new("mqtt", ("the broker takes packets of %.0f bytes at most (maximum_packet_size)"):format(most),
        { code = 0x95 })
    end
  end
  return nil
end

local OVERFLOWS = {
  full = "the outbound queue is full: publish with wait = true, or raise its bounds",
  ["too large"] = "the message is larger than the outbound queue takes at all: raise out_bytes",
}

local function refusal(why, text, code)
  if why == "journal" then return durable.error(text, code) end
  return errors.new("overflow", OVERFLOWS[why] or why)
end

--- See Session:publish, its only caller.
function Publications:publish(topic, payload, opts)
  opts = opts or NO_OPTIONS
  local properties = check(self, topic, payload, opts, self.opts.version)
  local qos, retained, state = opts.qos or 0, opts.retained, self.state
  local by, late
  while true do
    if state.ended then return nil, state.ended end
    local refused = next(state.limits) ~= nil and beyond_limits(self, topic, payload, qos, retained, properties)
    if refused then return nil, refused end
    local id, why, text, code = self.send(topic, payload, qos, retained, false, properties)
    if id ~= nil then return id end
    if why ~= "full" or not opts.wait then return nil, refusal(why, text, code) end
    if late then return nil, late end
    by = by or deadlines.after(self.host.now(), opts.timeout, self.opts.timeout)
    if not self.handle:room(size_of(topic, payload, properties), true) then
      local ok, err = await(self, by, "the queue is still full, with %d messages")
      if not ok and err.kind ~= "timeout" then return nil, err end
      late = err -- once more, for there may be a little room
    end
  end
end

--- The end of a message that was lost; called with the core's event, does not yield.
---@param event table  id, code, topic, payload, dropped, properties
function Publications:note_end(event)
  if event.code == 0 and not event.dropped then return end
  local err = diagnosis.unpublished(event)
  self.notify("drop", { topic = event.topic, payload = event.payload, id = event.id, err = err })
end

--- Lets those who wait for an empty queue, or for room, look again.
function Publications:wake()
  for waiter in pairs(self.waiters) do waiter:signal() end
end

-- What was lost since the last flush that said so.
local function losses(self)
  local stats = self.handle:stats()
  local total = stats.failed + stats.dropped
  local new = total - self.reported_losses
  self.reported_losses = total
  return new
end

--- See Session:flush. `deadline` is on the host's scale.
function Publications:flush(deadline)
  if self.state.ended then return nil, self.state.ended end
  while not self.handle:drained() do
    local ok, err = await(self, deadline, "%d messages are not acknowledged yet")
    if not ok then return nil, err end
  end
  local lost = losses(self)
  if lost > 0 then return nil, errors.new("mqtt", ("%d messages were lost; on(\"drop\") names them"):format(lost)) end
  return true
end

function Publications:close() self:wake() end

return Publications
