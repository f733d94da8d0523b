-- SPDX-License-Identifier: MIT

--- Runs the user's handlers of one session: messages by topic filter, and notices ("connect", "error", ...).
--
-- A runner is a task that takes one thing after the other and calls its handlers in place, so that a handler that
-- does not yield costs no coroutine. Because one that does yield would hold up the rest, a second runner is always
-- ready behind the one at work: it comes to its turn only when the first yields, is done, or has handled so many that
-- it is time for others. Their number is bounded, and what is not taken stays in the core's inbox, which is bounded
-- too.
--
-- What is told to listeners goes to the log too, and an error in a handler that nobody listens for at least to the
-- host's.
--
-- `serve` is the path of every message, so it looks bare: one protection around many messages instead of one around
-- each handler (it is entered again after an error), and nothing is made but the strings of the message.
local errors = require "fogcloud.errors"
local log = require "fogcloud.log"
local protect = require "fogcloud.task.protect"
local Router = require "fogcloud.mqtt.router"

local Handlers = {}
Handlers.__index = Handlers

-- A runner hands over after so many messages, or so much time, so that a busy session starves nothing else. Reading the
-- clock costs a good part of what a message does: it is read after every message where handlers are slow, and ever more
-- rarely as long as they are quick.
local TURN, SLICE, RAREST = 1000, 0.005, 16

-- The third argument of a handler; one table per combination, for they are all alike.
local MESSAGES = {}
for flags = 0, 15 do
  MESSAGES[flags] = { qos = flags % 4, retained = flags % 8 >= 4, dup = flags >= 8 }
end

--- For a session whose core half is `handle`.
function Handlers.new(host, handle, max_runners, logger)
  return setmetatable({
    host = host,
    handle = handle,
    logger = logger,
    received_dropped = 0,
    receive = handle:receiver(),
    router = Router.new(),
    listeners = {},
    notices = { first = 1, last = 0 },
    unheard = {}, -- by name: notices for the first who listens
    idle = {},
    crew = setmetatable({}, { __mode = "k" }), -- by the runners' coroutines: what each has in hand
    runners = 0,
    excused = 0,
    distance = 1,
    max_runners = max_runners,
    errors = 0,
    -- What is asked for each message: nil would be looked for among the methods, too.
    closed = false,
    paused = false,
    backup = false,
  }, Handlers)
end

-- To the log, or the host's own.
local function complain(self, text, err)
  if self.logger:write("error", text, { err = err }) then return end
  local line = ("fogcloud: %s: %s"):format(text, errors.text(err))
  if self.host.report then return self.host.report(line) end
  log.report(line)
end

local function report(self, err)
  self.errors = self.errors + 1
  if self.listeners.error then return self:notify("error", err) end
  complain(self, "error in a handler", err)
end

local function take_notice(self)
  local notices = self.notices
  local notice = notices[notices.first]
  notices[notices.first] = nil
  notices.first = notices.first + 1
  return notice
end

local function run_notice(self, notice)
  for _, fn in ipairs(self.listeners[notice.name] or {}) do
    local ok, err = protect.call(fn, notice.value)
    if not ok then
      if notice.name == "error" then
        complain(self, "error in an error handler", err)
      else
        report(self, err)
      end
    end
  end
end

local function with_properties(flags, properties)
  local plain = MESSAGES[flags]
  return { qos = plain.qos, retained = plain.retained, dup = plain.dup, properties = properties }
end

-- Several handlers, or none: an error in one is not the others'.
local function run_each(self, matched, n, topic, payload, message)
  for i = 1, n do
    local ok, err = protect.call(matched[i], topic, payload, message)
    if not ok then report(self, err) end
  end
end

local function next_notice(self)
  local notice = take_notice(self)
  self:wake()
  run_notice(self, notice)
end

-- Tells of what was dropped since the last time.
local function look_for_drops(self)
  local dropped = self.handle:received_dropped()
  local count = dropped - self.received_dropped
  if count == 0 then return end
  self.received_dropped = dropped
  local text = "%.0f messages of QoS 0 were dropped, for more came than were handled (in_count, in_bytes)"
  self:notify("drop", { count = count, err = errors.new("overflow", text:format(count)) })
end

-- The identifiers without those that we gave by ourselves; nil when none is left.
local function foreign(router, identifiers)
  if type(identifiers) ~= "table" then return not router.own[identifiers] and identifiers or nil end
  local left = {}
  for _, id in ipairs(identifiers) do
    if not router.own[id] then left[#left + 1] = id end
  end
  return #left > 1 and left or left[1]
end

-- A message's identifiers, and its properties as its handlers see them. The core gives a number where there is nothing
-- but one identifier.
local function identifiers_of(router, properties)
  if type(properties) == "number" then
    return properties, not router.own[properties] and { subscription_identifier = properties } or nil
  end
  local identifiers = properties.subscription_identifier
  if identifiers == nil then return nil, properties end
  properties.subscription_identifier = foreign(router, identifiers)
  return identifiers, next(properties) ~= nil and properties or nil
end

-- Whom a message with properties is for, how many, and the third argument of its handlers. With overlapping filters
-- they are those whose identifier it carries.
local function matched_with(router, topic, flags, properties)
  local identifiers, others = identifiers_of(router, properties)
  local message = others == nil and MESSAGES[flags] or with_properties(flags, others)
  local matched, n = router:match(topic)
  if identifiers and matched.several then matched, n = router:match_identified(topic, identifiers) end
  return matched, n, message
end

-- Handles one thing after the other until nothing is left, or it is time for others: true. Throws what a handler does.
-- `work.number` is that of the message in hand where the session acknowledges what was handled: it is given back with
-- the next one, or by serve_all.
local function serve(self, work)
  local receive, router, notices, pause = self.receive, self.router, self.notices, self.host.pause
  local now, match = self.host.now, router.match
  local since, next_look = now(), self.distance
  for handled = 1, TURN do
    if notices.first > notices.last then
      if self.closed or self.paused then return false end
      local topic, payload, flags, properties, number = receive(work.number)
      work.number = number
      if not topic then return false end
      if not self.backup then self:wake() end
      local message, matched, n = MESSAGES[flags], router.cache[topic]
      if properties then
        matched, n, message = matched_with(router, topic, flags, properties)
      elseif matched then -- as nearly always
        n = #matched
      else
        matched, n = match(router, topic)
      end
      if n == 1 then
        matched[1](topic, payload, message)
      else
        run_each(self, matched, n, topic, payload, message)
      end
    else
      self:give_back(work) -- who listens may take long
      next_notice(self)
    end
    pause()
    if handled >= next_look then
      if now() - since > SLICE then
        self.distance = 1
        return true
      end
      if self.distance < RAREST then self.distance = self.distance * 2 end
      next_look = handled + self.distance
    end
  end
  return true
end

-- The same, whatever handlers throw. Without a backup to hand over to it goes on after the others' turn.
local function serve_all(self, work)
  while true do
    local ok, more = protect.call(serve, self, work)
    look_for_drops(self)
    if not ok then
      report(self, more)
      self.host.pause()
    elseif not more or (self.backup and not self.closed) then
      self:give_back(work) -- it may be long until the next one
      return
    else
      self.host.sleep(0)
    end
  end
end

local function run(self)
  local work = {}
  self.crew[coroutine.running()] = work
  while true do
    self.backup = false -- whoever runs is nobody's backup
    serve_all(self, work)
    if self.closed then break end
    local waiter = self.host.waiter()
    self.idle[#self.idle + 1] = waiter
    if self.drained then self.drained:signal() end
    waiter:wait()
  end
  self.runners = self.runners - 1
end

--- The message in hand is handled, and none is taken instead.
function Handlers:give_back(work)
  if work.number then self.handle:handled(work.number) end
  work.number = nil
end

--- Makes sure that a runner will look for work.
function Handlers:wake()
  local n = #self.idle
  if n > 0 then
    local waiter = self.idle[n]
    self.idle[n] = nil
    self.backup = true
    waiter:signal()
  elseif self.runners < self.max_runners then
    self.runners = self.runners + 1
    self.backup = true
    self.host.spawn_user(run, self)
  end
end

local LEVELS = { connect = "info", disconnect = "warn", drop = "warn", error = "error" }

local TEXTS = {
  connect = "the session is connected", disconnect = "the session is disconnected",
  drop = "messages are lost", error = "an error of the session",
}

local function write_down(self, name, value)
  local fields = { err = value }
  if name == "connect" then fields = { session_present = value.session_present } end
  if name == "drop" then fields = { topic = value.topic, id = value.id, count = value.count, err = value.err } end
  self.logger:write(LEVELS[name], TEXTS[name], fields)
end

local UNHEARD = 100

-- Kept for the first who listens: the session may have much to tell before its user has it in hand.
local function keep_unheard(self, name, value)
  local list = self.unheard[name] or {}
  self.unheard[name] = list
  if #list == UNHEARD then table.remove(list, 1) end
  list[#list + 1] = value
end

--- Queues a notice for the listeners of `name`.
function Handlers:notify(name, value)
  write_down(self, name, value)
  if self.listeners[name] == nil then return keep_unheard(self, name, value) end
  local notices = self.notices
  notices.last = notices.last + 1
  notices[notices.last] = { name = name, value = value }
  self:wake()
end

function Handlers:listen(name, fn)
  local list, unheard = self.listeners[name] or {}, self.unheard[name]
  list[#list + 1] = fn
  self.listeners[name], self.unheard[name] = list, nil
  local notices = self.notices
  for _, value in ipairs(unheard or {}) do
    notices.last = notices.last + 1
    notices[notices.last] = { name = name, value = value }
  end
  if unheard then self:wake() end
end

--- How many handlers have not come to their end, without those that are excused.
function Handlers:at_work() return self.runners - #self.idle - self.excused end

--- What the caller has in hand, where it is such a handler; else nil.
function Handlers:inside()
  local co = coroutine.running()
  while co ~= nil do
    if self.crew[co] then return self.crew[co] end
    co = protect.parent[co]
  end
  return nil
end

--- Calls fn, which waits for the handlers. If the caller is one of them, nobody waits for it meanwhile, and its message
--- counts as handled: else it would come again to the next process, and end that, too.
function Handlers:excuse(fn, ...)
  local work = self:inside()
  if work == nil then return fn(...) end
  self:give_back(work)
  self.excused = self.excused + 1
  if self.drained then self.drained:signal() end
  local a, b = fn(...)
  self.excused = self.excused - 1
  if self.drained then self.drained:signal() end
  return a, b
end

--- Whether all that has come is taken, and no handler is at work any more.
function Handlers:is_drained() return self.closed or (not self.handle:pending() and self:at_work() <= 0) end

--- Waits for that. For one caller. True; false when it is not so by the deadline; nil when the task was cancelled.
function Handlers:drain(deadline)
  while not self:is_drained() do
    self.drained = self.host.waiter()
    local woken = self.drained:wait(deadline)
    if not woken then return woken end
  end
  return true
end

--- Waits until all that has come is taken, or until close. For one caller.
function Handlers:drain_taken()
  while not self.closed and self.handle:pending() do
    self.drained = self.host.waiter()
    self.drained:wait()
  end
end

--- No message is handled any more; notices that are queued still are. Runners end.
function Handlers:close()
  self.closed = true
  if self.drained then self.drained:signal() end
  local idle = self.idle
  self.idle = {}
  for _, waiter in ipairs(idle) do waiter:signal() end
end

return Handlers
