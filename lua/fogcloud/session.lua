-- SPDX-License-Identifier: MIT

--- One MQTT session as its user sees it. Its keeper (keeper.lua) holds the connection, its handlers (handlers.lua)
--- run the user's functions.
local Device = require "fogcloud.device"
local Handlers = require "fogcloud.handlers"
local Keeper = require "fogcloud.keeper"
local diagnosis = require "fogcloud.diagnosis"
local errors = require "fogcloud.errors"
local options = require "fogcloud.session_options"
local runtime = require "fogcloud.runtime"
local topic_rules = require "fogcloud.topic"

---@class fogcloud.Session
local Session = {}
Session.__index = Session
Session.__name = "fogcloud.Session"
Session.__tostring = function(self)
  return ("fogcloud.Session (%s, %s)"):format(self.credentials.clientid, self.keeper.state)
end

local NOTICES = { connect = true, disconnect = true, error = true, drop = true }

local function closed_error() return errors.new("closed", "the session is closed") end

--- Connects with the credentials of a client and waits until the broker has taken it in. Yields in a task, blocks
--- elsewhere.
---@param credentials table  what create_client returned
---@param opts fogcloud.SessionOptions?
---@param level integer?     whom to blame for wrong arguments
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: auth, mqtt, network, timeout, tls, cancelled
function Session.connect(credentials, opts, level)
  level = (level or 1) + 1
  opts = options.check(opts, level)
  options.check_credentials(credentials, opts, level)
  local host, pump = runtime.host(), runtime.pump()
  local self = setmetatable({
    host = host, pump = pump, opts = opts, credentials = credentials,
    filters = {}, acks = {}, last_token = 0, flushers = {}, devices = {},
    ready = host.waiter(), flushed_losses = 0,
  }, Session)
  local handle, id = pump:add_session(self, options.limits(opts))
  if handle == nil then return nil, id end
  self.handle, self.id = handle, id
  self.handlers = Handlers.new(host, handle, opts.max_handlers)
  self.keeper = Keeper.new(self)
  host.spawn(self.keeper.run, self.keeper)
  return self:wait_ready()
end

-- Waits for the first attempt to end.
function Session:wait_ready()
  local woken = self.ready:wait(self.host.now() + self.opts.timeout)
  if self.ended then return nil, self.ended end
  if woken and self.was_up then return self end
  local err = self.first_error
  if woken == nil then err = errors.new("cancelled", "the task was cancelled") end
  self:close()
  return nil, err or errors.new("timeout", "no answer from the broker in time", { retryable = true })
end

-- What the keeper tells -------------------------------------------------------------------------------------------

function Session:note_up(session_present)
  self.was_up, self.up = true, true
  self.ready:signal()
  if not session_present then self:restore() end
  self.handle:resume() -- after the subscriptions, so that an answer to a queued message finds its handler
  self.handlers:notify("connect", { session_present = session_present })
end

function Session:note_lost(err)
  self.up = false
  self:fail_acks(err)
  self.handlers:notify("disconnect", err)
end

--- A failed attempt that will be repeated. The first one ends `connect`, for its caller waits and can judge better.
function Session:note_error(err)
  if not self.was_up then
    self.first_error = self.first_error or err
    self.keeper:close()
    self.ready:signal()
    return
  end
  self.handlers:notify("error", err)
end

function Session:note_ending(err)
  local stats = self.handle:stats() -- the last that can be had; what is queued now will be dropped
  stats.dropped, stats.queued, stats.queued_bytes, stats.in_flight = stats.dropped + stats.queued, 0, 0, 0
  self.final_stats = stats
  local was_up = self.up
  self.up = false
  self.ended = err or self.first_error or closed_error()
  self:fail_acks(self.ended)
  if was_up then self.handlers:notify("disconnect", err or closed_error()) end
  if err and self.was_up then self.handlers:notify("error", err) end
end

function Session:note_closed()
  self.pump:remove_session(self.id)
  self.handlers:close()
  self.ready:signal()
  self:wake_flushers()
end

-- What the core tells ---------------------------------------------------------------------------------------------

local EVENTS = {
  messages = function(self) self.handlers:wake() end,
  drained = function(self) self:wake_flushers() end,
  subscribed = function(self, token, code, text)
    local ack = self.acks[token]
    if ack == nil then return end
    self.acks[token] = nil
    ack.code, ack.text = code, text
    ack.waiter:signal()
  end,
  published = function(self, id, code, topic, payload, dropped)
    local err = code ~= 0 and diagnosis.unpublished(code, topic, dropped) or nil
    if err then self.handlers:notify("drop", { topic = topic, payload = payload, id = id, err = err }) end
  end,
}

--- Called by the pump; does not yield.
function Session:on_event(name, ...)
  local handler = EVENTS[name]
  if handler then return handler(self, ...) end
  return self.keeper:post(name, ...)
end

-- Subscriptions ---------------------------------------------------------------------------------------------------

function Session:fail_acks(err)
  local acks = self.acks
  self.acks = {}
  for _, ack in pairs(acks) do
    ack.err = err
    ack.waiter:signal()
  end
end

-- Sends SUBSCRIBE or UNSUBSCRIBE; the acknowledgement to wait for, or nil, err.
local function ask(self, method, filter, qos)
  self.last_token = self.last_token + 1
  local token = self.last_token
  local ack = { waiter = self.host.waiter() }
  self.acks[token] = ack
  local ok, why = self.handle[method](self.handle, token, filter, qos)
  if ok then return ack end
  self.acks[token] = nil
  return nil, errors.new("mqtt", why)
end

local function await(self, ack, filter, timeout)
  local woken = ack.waiter:wait(self.host.now() + (timeout or self.opts.timeout))
  if ack.err then return nil, ack.err end
  if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  if not woken then
    return nil, errors.new("timeout", ("the broker did not acknowledge '%s' in time"):format(filter))
  end
  if ack.code < 0 or ack.code >= 0x80 then return nil, diagnosis.subscription(filter, ack.code, ack.text) end
  return ack.code
end

--- Subscribes again after the broker has forgotten us; refusals are reported as errors.
function Session:restore()
  for filter, entry in pairs(self.filters) do
    local ack, err = ask(self, "subscribe", filter, entry.qos)
    if ack == nil then return self.handlers:notify("error", err) end
    self.host.spawn(function()
      local granted, why = await(self, ack, filter)
      if granted == nil and why.kind == "mqtt" then self.handlers:notify("error", why) end
    end)
  end
end

local function check_filter(filter)
  local ok, why = topic_rules.valid_filter(filter)
  if not ok then error(("filter: %s"):format(why), 3) end
end

local function check_qos(qos, level)
  if qos ~= 0 and qos ~= 1 and qos ~= 2 then error("qos: 0, 1 or 2 expected", level + 1) end
end

--- Calls `handler(topic, payload, message)` for each message whose topic matches. Waits for the broker's word; yields
--- in a task, blocks elsewhere. Several handlers for one filter are called in the order of subscribing. Restored by
--- itself after a reconnect.
---@param filter string   MQTT topic filter (3.1.1, 4.7); `$share/group/filter` for a shared subscription
---@param qos integer     0, 1 or 2: the most that the broker may use
---@param handler function
---@param opts table?     timeout: seconds
---@return integer? granted  the QoS that the broker granted
---@return fogcloud.Error? err  kinds: mqtt (refused), network, timeout, closed, cancelled
function Session:subscribe(filter, qos, handler, opts)
  check_filter(filter)
  check_qos(qos, 2)
  if type(handler) ~= "function" then error("handler: function expected, got " .. type(handler), 2) end
  if self.ended then return nil, self.ended end
  local entry = self.filters[filter] or { qos = qos, tokens = {} }
  local token = self.handlers.router:add(filter, handler) -- first: retained messages may overtake the answer
  entry.qos = math.max(entry.qos, qos)
  local ack, err = ask(self, "subscribe", filter, entry.qos)
  local granted
  if ack then granted, err = await(self, ack, filter, opts and opts.timeout) end
  if granted == nil then
    self.handlers.router:remove(token)
    return nil, err
  end
  entry.tokens[#entry.tokens + 1] = token
  self.filters[filter] = entry
  return granted
end

--- Ends a subscription with all its handlers. Waits as subscribe does.
---@return boolean? ok
---@return fogcloud.Error? err  kinds: mqtt, network, timeout, closed, cancelled
function Session:unsubscribe(filter, opts)
  check_filter(filter)
  local entry = self.filters[filter]
  if self.ended then return nil, self.ended end
  if entry == nil then return true end
  self.filters[filter] = nil
  for _, token in ipairs(entry.tokens) do self.handlers.router:remove(token) end
  local ack, err = ask(self, "unsubscribe", filter)
  if ack == nil then return nil, err end
  local done, why = await(self, ack, filter, opts and opts.timeout)
  if done == nil then return nil, why end
  return true
end

-- Publishing ------------------------------------------------------------------------------------------------------

local PUBLISH_OPTIONS = { qos = true, retained = true, wait = true, timeout = true }

local function check_publish(topic, payload, opts)
  local ok, why = topic_rules.valid_topic(topic)
  if not ok then error(("topic: %s"):format(why), 3) end
  if type(payload) ~= "string" then error("payload: string expected, got " .. type(payload), 3) end
  for name in pairs(opts) do
    if not PUBLISH_OPTIONS[name] then error(("unknown publish option '%s'"):format(tostring(name)), 3) end
  end
  check_qos(opts.qos or 0, 3)
end

local NO_OPTIONS = {}

-- Waits until the outbox is empty or was for a moment; nil, err when it is not by then (`text`), or never will be.
local function wait_drained(self, deadline, text)
  if self.handle:drained() then return true end
  local waiter = self.host.waiter()
  self.flushers[#self.flushers + 1] = waiter
  local woken = waiter:wait(deadline)
  if self.ended then return nil, self.ended end
  if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  if not woken then return nil, errors.new("timeout", text:format(self:stats().queued)) end
  return true
end

--- Queues a message, also while the link is down; never blocks unless told to. Order is kept.
---@param topic string
---@param payload string   at most 268,435,455 bytes
---@param opts table?      qos 0 (default), 1 or 2; retained; wait: for room instead of failing; timeout: how long
---@return number? id      the message's number; on("drop") names it should the message be lost
---@return fogcloud.Error? err  kinds: overflow, closed; with wait also timeout, cancelled
function Session:publish(topic, payload, opts)
  opts = opts or NO_OPTIONS
  check_publish(topic, payload, opts)
  if self.ended then return nil, self.ended end
  local id, why = self.handle:publish(topic, payload, opts.qos or 0, opts.retained)
  if id ~= nil then return id end
  if why ~= "full" then return nil, errors.new("overflow", why) end
  if not opts.wait then
    return nil, errors.new("overflow", "the outbound queue is full: publish with wait = true, or raise its bounds")
  end
  local deadline = self.host.now() + (opts.timeout or self.opts.timeout)
  local ok, err = wait_drained(self, deadline, "the queue is still full, with %d messages")
  if not ok then return nil, err end
  return self:publish(topic, payload, opts)
end

function Session:wake_flushers()
  local flushers = self.flushers
  self.flushers = {}
  for _, waiter in ipairs(flushers) do waiter:signal() end
end

-- What was lost since the last flush that said so.
local function losses(self)
  local stats = self:stats()
  local total = stats.failed + stats.dropped
  local new = total - self.flushed_losses
  self.flushed_losses = total
  return new
end

--- Waits until every message that was published is acknowledged. Yields in a task, blocks elsewhere.
---@param timeout number?  seconds, default the session's
---@return boolean? ok
---@return fogcloud.Error? err  kinds: timeout (some are still queued), mqtt (some were lost), closed, cancelled
function Session:flush(timeout)
  if self.ended then return nil, self.ended end
  local deadline = self.host.now() + (timeout or self.opts.timeout)
  while not self.handle:drained() do
    local ok, err = wait_drained(self, deadline, "%d messages are not acknowledged yet")
    if not ok then return nil, err end
  end
  local lost = losses(self)
  if lost > 0 then return nil, errors.new("mqtt", ("%d messages were lost; on(\"drop\") names them"):format(lost)) end
  return true
end

-- The rest --------------------------------------------------------------------------------------------------------

--- Calls fn at "connect" (with { session_present = }), "disconnect" (with the error), "error" (with the error of a
--- handler or of an attempt), "drop" (with { topic =, payload =, id =, err = } of a message that is lost).
---@return fogcloud.Session self
function Session:on(name, fn)
  if not NOTICES[name] then error(("unknown event '%s'"):format(tostring(name)), 2) end
  if type(fn) ~= "function" then error("fn: function expected, got " .. type(fn), 2) end
  self.handlers:listen(name, fn)
  return self
end

--- The device's topics under the session's templates; see device.lua.
---@param id string  1 to 128 bytes, without `/`, `+`, `#`
function Session:device(id)
  local ok, why = topic_rules.valid_device_id(id)
  if not ok then error(("device id: %s"):format(why), 2) end
  if self.devices[id] == nil then self.devices[id] = Device.new(self, id, self.opts.topics) end
  return self.devices[id]
end

--- Counters: accepted = acknowledged + failed + dropped + queued, at every moment; and received, received_dropped,
--- inbox.
function Session:stats()
  if self.final_stats then return self.final_stats end
  return self.handle:stats()
end

--- Ends the session: says goodbye to the broker, drops what is queued (flush first). Returns at once, may be called
--- twice.
function Session:close()
  if self.closing then return end
  self.closing = true
  self.ended = self.ended or closed_error()
  self.handlers:close()
  self.keeper:close()
end

Session.__gc = Session.close
Session.__close = Session.close

return Session
