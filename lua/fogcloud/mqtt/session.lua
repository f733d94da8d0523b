-- SPDX-License-Identifier: MIT

--- One MQTT session as its user sees it. Its keeper (keeper.lua) holds the connection and changes its state
--- (state.lua), its handlers (handlers.lua) run the user's functions.
local core = require "fogcloud.core"
local Device = require "fogcloud.mqtt.device"
local Finish = require "fogcloud.mqtt.finish"
local Handlers = require "fogcloud.mqtt.handlers"
local Keeper = require "fogcloud.mqtt.keeper"
local Publications = require "fogcloud.mqtt.publications"
local State = require "fogcloud.mqtt.state"
local Subscriptions = require "fogcloud.mqtt.subscriptions"
local deadlines = require "fogcloud.task.deadline"
local drivers = require "fogcloud.mqtt.drivers"
local durable = require "fogcloud.mqtt.durable"
local errors = require "fogcloud.errors"
local log = require "fogcloud.log"
local link_options = require "fogcloud.mqtt.link_options"
local options = require "fogcloud.mqtt.options"
local protect = require "fogcloud.task.protect"
local runtime = require "fogcloud.runtime"
local topic_rules = require "fogcloud.mqtt.topic"

---@class fogcloud.Session
---@field ended fogcloud.Error?  why it is over; nil while it goes on
local Session = {}
Session.__index = Session
Session.__name = "fogcloud.Session"
Session.__tostring = function(self)
  return ("fogcloud.Session (%s, %s)"):format(self.credentials.clientid or "", self.state.name)
end

local NOTICES = { connect = true, disconnect = true, error = true, drop = true }

-- The parts of a session whose core half is `handle`.
local function assemble(self, sink)
  local opts, host, handle, state = self.opts, self.host, self.handle, self.state
  local logger = log.new(sink, function(text) return self.redactor:clean(text) end)
  self.handlers = Handlers.new(host, handle, opts.max_handlers, logger)
  self.handlers.paused = opts.paused or false
  local notify = function(name, value) self.handlers:notify(name, value) end
  self.subscriptions = Subscriptions.new {
    host = host, handle = handle, state = state, router = self.handlers.router, notify = notify,
    is_paused = function() return self.handlers.paused == true end, timeout = opts.timeout,
  }
  self.publications = Publications.new { host = host, handle = handle, state = state, opts = opts, notify = notify }
  self.keeper = Keeper.new {
    host = host, handle = handle, state = state, opts = opts, credentials = self.credentials, listener = self,
  }
end

-- The core's half, with the journal in it, where there is one: it is the core's from then on. What is to be said of a
-- damaged one comes third.
local function make_handle(self, pump)
  local limits, journal, err, damage = link_options.limits(self.opts), durable.of(self.opts)
  if err then return nil, err end
  limits.journal = journal
  local handle, id = pump:add_session(self, limits)
  if journal then journal:close() end
  if handle == nil then return nil, id end
  self.handle, self.id = handle, id
  return true, nil, damage
end

--- Connects with the credentials of a client and waits until the broker has taken it in. Yields in a task, blocks
--- elsewhere. With `retry = true` a session that cannot be connected yet is returned all the same, and goes on trying.
---@package
---@param credentials fogcloud.Credentials  what create_client returned
---@param opts fogcloud.SessionOptions?
---@param level integer?     whom to blame for wrong arguments
---@param sink function?      of the log; default the common one
---@param hold function?      hold(lost) holds the client: a function that lets go, or nil, err. lost(err) ends us
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: auth, mqtt, network, timeout, tls, cancelled, protocol and overflow (the journal)
function Session.connect(credentials, opts, level, sink, hold)
  level = (level or 1) + 1
  opts = options.check(opts, level)
  options.check_credentials(credentials, opts, level)
  local host, pump = drivers.check_host(opts, runtime.host(), level), runtime.pump()
  local readable, unreadable = options.check_files(opts)
  if not readable then return nil, unreadable end
  local self, let_go, held
  if hold then let_go, held = hold(function(why) self.keeper:fail(why) end) end
  if held then return nil, held end
  self = setmetatable({
    host = host, pump = pump, opts = opts, redactor = errors.redactor(), state = State.new(host), devices = {},
    ready = host.waiter(), let_go = let_go,
  }, Session)
  self:adopt(credentials)
  local made, err, damage = make_handle(self, pump)
  if not made then
    if let_go then let_go() end
    return nil, err
  end
  assemble(self, sink)
  if damage then self.handlers:notify("error", errors.new("protocol", damage)) end
  host.spawn(self.keeper.run, self.keeper)
  return self:wait_ready()
end

---@package
--- Waits for the first attempt to end.
function Session:wait_ready()
  local woken, why = self.ready:wait(self.host.now() + self.opts.timeout)
  if self.ended then return nil, self.ended end
  if woken ~= nil and (self.state:was_up() or self.opts.retry) then return self end
  local err = self.first_error
  if woken == nil then err = errors.new("cancelled", "the task was cancelled") end
  self:close()
  return nil, err or errors.new("timeout", why or "no answer from the broker in time", { retryable = true })
end

---@package
--- Takes credentials into use. What the broker says is searched for their password from now on.
function Session:adopt(credentials)
  self.credentials = credentials
  if credentials.password and credentials.password ~= "" then self.redactor:hide(credentials.password, "password") end
end

-- No call is taken from now on.
local function refuse(self, err)
  self.state:refuse(err)
  self.ended = self.state.ended
  if self.let_go then self.let_go() end -- whoever takes the client now ends what is left of this session
end

-- What the keeper tells -------------------------------------------------------------------------------------------
-- An id that the broker has chosen (MQTT 5, 3.2.2.3.7) is ours from then on.
local function adopt_client_id(self, assigned)
  if assigned == nil then return end
  local credentials = {}
  for name, value in pairs(self.credentials) do credentials[name] = value end
  credentials.clientid = assigned
  self.credentials, self.keeper.credentials = credentials, credentials
end

---@package
function Session:note_up(event)
  local ready, first = self.ready, self.state.connects == 1
  if first and ready.is_abandoned and ready:is_abandoned() then return self:close() end -- nobody has it
  adopt_client_id(self, event.properties and event.properties.assigned_client_identifier)
  self.connack = event.properties
  ready:signal()
  self.subscriptions:restore(event.session_present)
  self.handle:feed(self.state.link) -- after the subscriptions, so that answers to what is queued find a handler
  self.handlers:notify("connect", { session_present = event.session_present, properties = event.properties })
end

---@package
function Session:note_lost(err)
  self.subscriptions:lost()
  self.handlers:notify("disconnect", err)
end

---@package
--- A failed attempt that will be repeated. The first one ends `connect`, for its caller waits and can judge better.
function Session:note_error(err)
  if not self.state:was_up() and not self.opts.retry then
    self.first_error = self.first_error or err
    self.keeper:close()
    self.ready:signal()
    return
  end
  if not self.state:was_up() then self.ready:signal() end
  self.handlers:notify("error", err)
end

---@package
function Session:note_ending(err, was_up)
  refuse(self, err or self.first_error or errors.new("closed", "the session is closed"))
  self.subscriptions:fail(self.ended)
  self.ready:signal()
  if was_up then self.handlers:notify("disconnect", err or self.ended) end
  if err and self.state:was_up() then self.handlers:notify("error", err) end
end

---@package
--- The core has let go: nothing comes any more, but what had come may not be handled yet.
function Session:note_released()
  self.publications:close()
  self.handlers:drain_taken()
end

---@package
function Session:note_closed()
  self.pump:remove_session(self.id)
  self.handlers:close()
  self.ready:signal()
end

---@package
function Session:cut_short() return self.subscriptions:cut_short() end

---@package
function Session:blame(filter, err) return self.subscriptions:blame(filter, err) end

-- What the core tells ---------------------------------------------------------------------------------------------
-- The user's answer to the broker's AUTH (MQTT 5, 4.12), asked for while `connect` blocks, too, as credentials are.
local function authenticate(self, event)
  local how = self.opts.authentication
  if how == nil or event.link ~= self.state.link then return end
  self.host.spawn(function()
    local ok, properties = protect.call(function()
      local data = how.respond((event.properties or {}).authentication_data, event.code)
      return core.properties({ authentication_method = how.method, authentication_data = data }, "auth")
    end)
    if self.ended then return end
    if ok then return self.handle:authenticate(properties) end
    self.handlers:notify("error", errors.new("auth", "no answer to the broker's AUTH: " .. errors.text(properties)))
  end)
end

local EVENTS = {
  messages = function(self) self.handlers:wake() end,
  drained = function(self) self.publications:wake() end,
  subscribed = function(self, event) self.subscriptions:answer(event) end,
  published = function(self, event) self.publications:note_end(event) end,
  authenticate = authenticate,
  journal = function(self, event) self.handlers:notify("error", durable.error(event.text, event.code)) end,
}

---@package
--- Called by the pump; does not yield.
function Session:on_event(name, event)
  if event and event.properties then event.properties = self.redactor:clean_copy(event.properties) end
  local handler = EVENTS[name]
  if handler then return handler(self, event) end
  return self.keeper:post(name, event)
end

--- Whether the broker has us in at this moment. With on("connect") and on("disconnect") one hears of changes.
---@return boolean
function Session:connected() return self.state:is_up() end

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
  if drivers.wrong_qos(self.opts, qos) then error(drivers.wrong_qos(self.opts, qos), 2) end
  if type(handler) ~= "function" then error("handler: function expected, got " .. type(handler), 2) end
  local how = Subscriptions.check_options(opts, self.opts.version, filter)
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

--- Lets the handlers of a session made with `paused = true` have what has come, and what comes from now on.
function Session:resume()
  self.handlers.paused = false
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
---@field acknowledged integer      those that reached the broker; of QoS 0, those that the system has taken
---@field failed integer            lost with a link (QoS 0) or refused
---@field dropped integer           still queued when the session closed
---@field queued integer            not acknowledged yet
---@field queued_bytes integer
---@field in_flight integer         of the queued ones, those of QoS 1 and 2 that were sent
---@field received integer
---@field received_dropped integer  QoS 0 messages dropped at the inbox's bound
---@field inbox integer             received and not handled yet
---@field inbox_bytes integer
---@field connected boolean         the broker has us in
---@field connects integer          links that came up: 1, and 1 for each reconnect
---@field handler_errors integer    handlers that threw

--- What happened since the session was made, also after its end.
---@return fogcloud.SessionStats
function Session:stats()
  local stats = self.handle:stats()
  stats.connected, stats.connects, stats.handler_errors = self.state:is_up(), self.state.connects, self.handlers.errors
  return stats
end

--- Ends the session and loses nothing: waits until what was published is acknowledged, lets the handlers take what
--- had come, acknowledges it, leaves the broker, closes. Yields in a task; elsewhere it blocks, and serves handlers and
--- tasks meanwhile as `step` does. A handler that calls it is not waited for.
---@param timeout number?  seconds, default the session's; what is not done by then is dropped
---@return boolean? ok
---@return fogcloud.Error? err  as of flush, and timeout when the handlers did not take all that had come in time
function Session:finish(timeout)
  local by = deadlines.after(self.host.now(), timeout, self.opts.timeout, 2)
  if self.finishing == nil and not self.ended then
    self.finishing = Finish.new {
      host = self.host, handle = self.handle, handlers = self.handlers, state = self.state,
      publications = self.publications, leave = function() -- no call is taken any more; what had come is handled
        refuse(self, errors.new("closed", "the session is closed"))
        self.keeper:close()
      end,
    }
  end
  if self.finishing == nil then return Finish.join(self.state, self.handlers, by, { err = self.ended }) end
  return self.finishing:run(by)
end

--- Ends the session: says goodbye to the broker, drops what is queued. Returns at once, may be called twice.
---@param goodbye fogcloud.Goodbye?
function Session:close(goodbye)
  local said = options.goodbye(goodbye, self.opts and self.opts.version, 2)
  if self.closing or self.keeper == nil then return end -- twice, or never connected
  self.closing = true
  refuse(self, errors.new("closed", "the session is closed"))
  self.handlers:close()
  self.keeper:close(said)
  if self.host.in_task and not self.host.in_task() then self.keeper:say_goodbye() end -- perhaps nothing is served again
end

-- No __gc: it would run when the state is closed, among objects that are gone. The core's half has one.
Session.__close = function(self) return self:close() end

return Session
