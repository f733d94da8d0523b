-- SPDX-License-Identifier: MIT

--- One MQTT session as its user sees it. Its keeper (keeper.lua) holds the connection, its handlers (handlers.lua)
--- run the user's functions.
local Device = require "fogcloud.mqtt.device"
local Handlers = require "fogcloud.mqtt.handlers"
local Keeper = require "fogcloud.mqtt.keeper"
local Publications = require "fogcloud.mqtt.publications"
local Subscriptions = require "fogcloud.mqtt.subscriptions"
local deadlines = require "fogcloud.task.deadline"
local errors = require "fogcloud.errors"
local log = require "fogcloud.log"
local options = require "fogcloud.mqtt.options"
local runtime = require "fogcloud.runtime"
local topic_rules = require "fogcloud.mqtt.topic"

---@class fogcloud.Session
local Session = {}
Session.__index = Session
Session.__name = "fogcloud.Session"
Session.__tostring = function(self)
  return ("fogcloud.Session (%s, %s)"):format(self.credentials.clientid, self.keeper.state)
end

local NOTICES = { connect = true, disconnect = true, error = true, drop = true }

local function closed_error() return errors.new("closed", "the session is closed") end

local ONE_WEBSOCKET = "one WebSocket session at a time: close the other first, or use transport = \"tcp\""

local function open_core(self)
  local handle, id = self.pump:add_session(self, options.limits(self.opts))
  if handle == nil then return nil, id end
  self.handle, self.id = handle, id
  if self.opts.transport == "tcp" or handle:claim_websockets() then return true end
  handle:close()
  self.pump:remove_session(id)
  return nil, errors.new("mqtt", ONE_WEBSOCKET)
end

--- Connects with the credentials of a client and waits until the broker has taken it in. Yields in a task, blocks
--- elsewhere.
---@package
---@param credentials fogcloud.Credentials  what create_client returned
---@param opts fogcloud.SessionOptions?
---@param level integer?     whom to blame for wrong arguments
---@param sink function?      of the log; default the common one
---@param hold function?      holds the client for this session: gives a function that lets go, or nil, err
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: auth, mqtt, network, timeout, tls, overflow (the journal), cancelled
function Session.connect(credentials, opts, level, sink, hold)
  level = (level or 1) + 1
  opts = options.check(opts, level)
  options.check_credentials(credentials, opts, level)
  local readable, unreadable = options.check_files(opts)
  if not readable then return nil, unreadable end
  local let_go, held = nil, nil
  if hold then let_go, held = hold() end
  if hold and let_go == nil then return nil, held end
  local host, pump = runtime.host(), runtime.pump()
  local self = setmetatable({
    host = host, pump = pump, opts = opts, redactor = errors.redactor(), let_go = let_go or function() end,
    connects = 0, devices = {}, ready = host.waiter(), finishers = {},
  }, Session)
  self:adopt(credentials)
  local publications, err = Publications.new(self)
  if publications == nil then
    self.let_go()
    return nil, err
  end
  self.publications, self.subscriptions = publications, Subscriptions.new(self)
  local opened
  opened, err = open_core(self)
  if not opened then
    self.let_go()
    publications:close()
    return nil, err
  end
  local logger = log.new(sink, function(text) return self.redactor:clean(text) end)
  self.handlers = Handlers.new(host, self.handle, opts.max_handlers, logger)
  self.handlers.paused = opts.paused
  self.keeper = Keeper.new(self)
  host.spawn(self.keeper.run, self.keeper)
  local replayed
  replayed, err = publications:replay()
  if replayed then return self:wait_ready() end
  self:close()
  return nil, err
end

---@package
--- Waits for the first attempt to end.
function Session:wait_ready()
  local woken, why = self.ready:wait(self.host.now() + self.opts.timeout)
  if self.ended then
    self.let_go()
    return nil, self.ended
  end
  if woken and self.was_up then return self end
  local err = self.first_error
  if woken == nil then err = errors.new("cancelled", "the task was cancelled") end
  self:close()
  return nil, err or errors.new("timeout", why or "no answer from the broker in time", { retryable = true })
end

---@package
--- Takes credentials into use. What the broker says is searched for their password from now on.
function Session:adopt(credentials)
  self.credentials = credentials
  self.redactor:hide(credentials.password, "password")
end

-- What the keeper tells -------------------------------------------------------------------------------------------

---@package
function Session:note_up(session_present, properties)
  local ready = self.ready
  if not self.was_up and ready.is_abandoned and ready:is_abandoned() then return self:close() end -- nobody has it
  self.was_up, self.up, self.connects = true, true, self.connects + 1
  self.connack = properties
  ready:signal()
  self.subscriptions:restore()
  self.handle:resume(self.keeper.link) -- after the subscriptions, so that answers to what is queued find a handler
  self.handlers:notify("connect", { session_present = session_present, properties = properties })
end

---@package
function Session:note_lost(err)
  self.up = false
  self.subscriptions:lost()
  self.handlers:notify("disconnect", err)
end

---@package
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

---@package
function Session:note_ending(err)
  local was_up = self.up
  self.up = false
  self.ended = err or self.ended or self.first_error or closed_error()
  self.subscriptions:fail(self.ended)
  if was_up then self.handlers:notify("disconnect", err or closed_error()) end
  if err and self.was_up then self.handlers:notify("error", err) end
end

local function wake(waiters)
  for _, waiter in ipairs(waiters) do waiter:signal() end
end

---@package
--- The core has let go: nothing comes any more, but what had come may not be handled yet.
function Session:note_left()
  self.left = true
  self.let_go()
  self.publications:close()
  wake(self.finishers)
end

---@package
function Session:note_closed()
  self.gone = true
  self.let_go()
  self.pump:remove_session(self.id)
  self.handlers:close()
  self.ready:signal()
  wake(self.finishers)
end

-- What the core tells ---------------------------------------------------------------------------------------------

local EVENTS = {
  messages = function(self) self.handlers:wake() end,
  drained = function(self) self.publications:wake() end,
  subscribed = function(self, token, code, text, _, properties)
    self.subscriptions:answer(token, code, text, self.redactor:clean_copy(properties))
  end,
  published = function(self, id, code, topic, payload, dropped, properties)
    self.publications:ended(id, code, topic, payload, dropped, self.redactor:clean_copy(properties))
  end,
}

---@package
--- Called by the pump; does not yield.
function Session:on_event(name, ...)
  local handler = EVENTS[name]
  if handler then return handler(self, ...) end
  local link, code, third, fourth, properties = ...
  return self.keeper:post(name, link, code, third, fourth, self.redactor:clean_copy(properties))
end

-- Subscriptions ---------------------------------------------------------------------------------------------------

---@class (exact) fogcloud.SubscribeOptions
---@field timeout number?               seconds, default the session's
---@field no_local boolean?             MQTT 5: not what this session publishes itself
---@field retain_as_published boolean?  MQTT 5: keep the retained flag as the publisher set it
---@field retain_handling integer?      MQTT 5: retained messages come 0 always, 1 if the subscription is new, 2 never
---@field properties fogcloud.Properties?  MQTT 5: subscription_identifier, user_properties

--- Calls `handler(topic, payload, message)` for each message whose topic matches; message has qos, retained, dup, and
--- with MQTT 5 properties, where there are any. Waits for the broker's word; yields in a task, blocks elsewhere.
--- Several handlers for one filter are called in the order of subscribing. Restored by itself after a reconnect; while
--- the link is down it waits for the next one.
---@param filter string   MQTT topic filter (3.1.1, 4.7); `$share/group/filter` for a shared subscription
---@param qos integer     0, 1 or 2: the most that the broker may use
---@param handler fun(topic: string, payload: string, message: fogcloud.Message)
---@param opts fogcloud.SubscribeOptions?
---@return integer? granted  the QoS that the broker granted
---@return fogcloud.Error? err  kinds: mqtt (refused), timeout, closed, cancelled
function Session:subscribe(filter, qos, handler, opts)
  Subscriptions.check_filter(filter)
  if qos ~= 0 and qos ~= 1 and qos ~= 2 then error("qos: 0, 1 or 2 expected", 2) end
  if type(handler) ~= "function" then error("handler: function expected, got " .. type(handler), 2) end
  local how = Subscriptions.check_options(opts, self.opts.version)
  local by = deadlines.after(self.host.now(), opts and opts.timeout, self.opts.timeout, 2)
  if self.ended then return nil, self.ended end
  return self.subscriptions:add(filter, qos, handler, how, by)
end

--- Ends a subscription with all its handlers, also one that an earlier process made for the same client. Waits as
--- subscribe does; the handlers stay until the broker has acknowledged.
---@param filter string
---@param opts fogcloud.CallOptions?  default the session's timeout
---@return boolean? ok
---@return fogcloud.Error? err  kinds: mqtt, timeout, closed, cancelled
function Session:unsubscribe(filter, opts)
  Subscriptions.check_filter(filter)
  options.check_call(opts, "unsubscribe", 3)
  local by = deadlines.after(self.host.now(), opts and opts.timeout, self.opts.timeout, 2)
  if self.ended then return nil, self.ended end
  return self.subscriptions:remove(filter, by)
end

--- Lets the handlers of a session that was made with `paused = true` have what has come, and what comes from now on.
function Session:resume()
  self.handlers.paused = nil
  self.handlers:wake()
end

-- Publishing ------------------------------------------------------------------------------------------------------

---@class (exact) fogcloud.PublishOptions
---@field qos integer?       0 (default), 1 or 2
---@field retained boolean?  the broker keeps it for those who subscribe later
---@field wait boolean?      wait for room instead of failing
---@field timeout number?    how long, seconds, default the session's
---@field properties fogcloud.Properties?  MQTT 5: those of publish

--- Queues a message, also while the link is down; never blocks unless told to. Order is kept.
---@param topic string
---@param payload string   at most 268,435,455 bytes
---@param opts fogcloud.PublishOptions?
---@return number? id      the message's number; on("drop") names it should the message be lost
---@return fogcloud.Error? err  kinds: overflow, closed; with wait also timeout, cancelled
function Session:publish(topic, payload, opts)
  local id, err = self.publications:publish(topic, payload, opts)
  return id, err
end

--- Waits until every message that was published is acknowledged, and those of QoS 0 have left this process. Yields in a
--- task, blocks elsewhere.
---@param timeout number?  seconds, default the session's
---@return boolean? ok
---@return fogcloud.Error? err  kinds: timeout (some are still queued), mqtt (some were lost), closed, cancelled
function Session:flush(timeout)
  local by = deadlines.after(self.host.now(), timeout, self.opts.timeout, 2)
  return self.publications:flush(by)
end

-- The rest --------------------------------------------------------------------------------------------------------

--- Calls fn at "connect" (with { session_present =, properties = }), "disconnect" (with the error), "error" (that of a
--- handler or of an attempt), "drop" (with { topic =, payload =, id =, err = } of a message that is lost; with
--- { count =, err = } of QoS 0 messages that were received and dropped at the inbox's bound).
---@param name "connect"|"disconnect"|"error"|"drop"
---@param fn function
---@return fogcloud.Session self
function Session:on(name, fn)
  if not NOTICES[name] then error(("unknown event '%s'"):format(tostring(name)), 2) end
  if type(fn) ~= "function" then error("fn: function expected, got " .. type(fn), 2) end
  self.handlers:listen(name, fn)
  return self
end

--- The device's topics under the session's templates; see device.lua.
---@param id string  1 to 128 bytes, without `/`, `+`, `#`
---@return fogcloud.Device device  the same one each time
function Session:device(id)
  local ok, why = topic_rules.valid_device_id(id)
  if not ok then error(("device id: %s"):format(why), 2) end
  if self.devices[id] == nil then self.devices[id] = Device.new(self, id, self.opts.topics) end
  return self.devices[id]
end

---@class fogcloud.SessionStats
---@field accepted integer          taken by publish; = acknowledged + failed + dropped + queued, at every moment
---@field acknowledged integer      those that reached the broker; of QoS 0, those that were handed to the connection
---@field failed integer            lost with a link (QoS 0) or refused
---@field dropped integer           still queued when the session closed
---@field queued integer            not acknowledged yet
---@field queued_bytes integer
---@field in_flight integer         of the queued ones, those that were sent
---@field received integer
---@field received_dropped integer  QoS 0 messages dropped at the inbox's bound
---@field inbox integer             received and not handled yet
---@field inbox_bytes integer
---@field connects integer          links that came up: 1, and 1 for each reconnect
---@field handler_errors integer    handlers that threw

--- What happened since the session was made, also after its end.
---@return fogcloud.SessionStats
function Session:stats()
  local stats = self.handle:stats()
  stats.connects, stats.handler_errors = self.connects, self.handlers.errors
  return stats
end

-- Waits until the session has come to this point ("left" or "gone"): as a waiter does.
local function reach(self, point, deadline)
  while not self[point] do
    local waiter = self.host.waiter()
    self.finishers[#self.finishers + 1] = waiter
    local woken, why = waiter:wait(deadline)
    if not woken then return woken, why end
  end
  return true
end

-- The handlers had their time: what they have not taken is dropped.
local function cut_short(self, outcome)
  local text = "%d messages were received and not handled in time, and %d handlers are still at work"
  local err = errors.new("timeout", text:format(self:stats().inbox, self.handlers:at_work()))
  outcome.ok, outcome.err = nil, outcome.err or err
  self.handlers:close()
end

--- Ends the session and loses nothing: waits until what was published is acknowledged, leaves the broker, lets the
--- handlers take what had come, closes. Yields in a task, blocks elsewhere (handlers then run in later steps only).
--- What a handler publishes meanwhile is refused: the session has left. A handler that calls it is not waited for.
---@param timeout number?  seconds, default the session's; what is not done by then is dropped
---@return boolean? ok
---@return fogcloud.Error? err  as of flush, and timeout when the handlers did not take all that had come in time
function Session:finish(timeout)
  local by = deadlines.after(self.host.now(), timeout, self.opts.timeout, 2)
  if not self.ended then
    local ok, err = self.publications:flush(by)
    if not self.ended then -- else it gave up, was closed, or another finish was faster
      local in_task = self.host.in_task
      local blocks = in_task ~= nil and not in_task() -- then no handler can run before this returns
      self.outcome = { ok = ok, err = err, point = blocks and "left" or "gone" }
      self.ended = closed_error()
      self.keeper:close()
    end
  end
  local outcome = self.outcome or { err = self.ended, point = "gone" }
  local excused = self.handlers:inside() and 1 or 0
  self.handlers:excuse(excused)
  local done = reach(self, outcome.point, by)
  if done == false and outcome.point == "gone" then
    cut_short(self, outcome)
    done = reach(self, "gone", by + 1)
  end
  self.handlers:excuse(-excused)
  if done == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  return outcome.ok, outcome.err
end

--- Ends the session: says goodbye to the broker, drops what is queued (see finish). Returns at once, may be called
--- twice.
function Session:close()
  if self.closing or self.keeper == nil then return end -- twice, or never connected
  self.closing = true
  self.ended = self.ended or closed_error()
  self.let_go() -- whoever takes the client now ends what is left of this session
  self.handlers:close()
  self.keeper:close()
end

-- No __gc: the pump holds every session that is open, so it would run when the Lua state is closed, among objects that
-- are gone already. The core's half has one.
Session.__close = Session.close

return Session
