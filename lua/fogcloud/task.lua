-- SPDX-License-Identifier: MIT

--- The plain host's coroutine scheduler.
--
-- Two kinds of task: the library's own (reconnecting, renewing a token) and the user's (spawned functions, handlers).
-- A blocking call outside any task lets only the library's go on, so no user handler runs behind the caller's back;
-- `step` lets both. A task waits for one thing at a time: a waiter, or a deadline.
local protect = require "fogcloud.protect"
local Timers = require "fogcloud.timers"

---@class fogcloud.Task
local Task = {}
Task.__index = Task
Task.__name = "fogcloud.Task"

local Waiter = {}
Waiter.__index = Waiter

local Scheduler = {}
Scheduler.__index = Scheduler

--- A scheduler that reads the clock `now()` and waits in `poll(timeout)` (nil: for ever), which may signal waiters.
function Scheduler.new(now, poll)
  return setmetatable({
    now = now,
    poll = poll,
    report = function(message) io.stderr:write("fogcloud: ", message, "\n") end,
    timers = Timers.new(),
    ready = { [true] = { first = 1, last = 0 }, [false] = { first = 1, last = 0 } },
    tasks = setmetatable({}, { __mode = "k" }),
    users = 0,
  }, Scheduler)
end

local function push(queue, task)
  queue.last = queue.last + 1
  queue[queue.last] = task
end

local function pop(queue)
  local task = queue[queue.first]
  if task == nil then return nil end
  queue[queue.first] = nil
  queue.first = queue.first + 1
  return task
end

local function is_empty(queue) return queue.first > queue.last end

local function make_ready(task, reason)
  if task.reason ~= nil or task.done then return end
  task.reason = reason
  push(task.scheduler.ready[task.internal], task)
end

local function finish(task, ok, ...)
  local self = task.scheduler
  task.done, task.ok, task.results = true, ok, { n = select("#", ...), ... }
  if not task.internal and not task.uncounted then self.users = self.users - 1 end
  if not ok and not task.awaited then self.report("error in a task: " .. tostring((...))) end
  for _, waiter in ipairs(task.joiners) do waiter:signal() end
end

local function resume(task)
  local reason = task.reason
  task.reason = nil
  local ok, err = coroutine.resume(task.co, reason)
  if not ok then finish(task, false, debug.traceback(task.co, tostring(err))) end
end

local function body(task, fn, ...)
  if task.cancelled then return finish(task, false, "cancelled") end
  return finish(task, protect.call(fn, ...))
end

--- Starts fn(...) as a task, at the next step.
---@param internal boolean  the library's own work
---@param uncounted boolean?  does not keep `run` going
function Scheduler:spawn(fn, internal, uncounted, ...)
  local task = setmetatable({ scheduler = self, internal = internal, uncounted = uncounted, joiners = {} }, Task)
  local args, n = { ... }, select("#", ...)
  task.co = coroutine.create(function()
    return body(task, fn, (table.unpack or unpack)(args, 1, n)) -- luacheck: ignore 113
  end)
  self.tasks[task.co] = task
  if not internal and not uncounted then self.users = self.users + 1 end
  make_ready(task, "start")
  return task
end

--- The task that runs now, nil outside of any.
function Scheduler:current()
  local co = coroutine.running()
  while co ~= nil do
    local task = self.tasks[co]
    if task ~= nil then return task end
    co = protect.parent[co]
  end
  return nil
end

function Scheduler:waiter() return setmetatable({ scheduler = self, signalled = false }, Waiter) end

function Waiter:signal()
  if self.task ~= nil then make_ready(self.task, "signal") else self.signalled = true end
end

local function on_deadline(task) make_ready(task, "deadline") end

local function wait_in_task(waiter, task, deadline)
  if task.cancelled then return nil, "cancelled" end
  local timer = deadline and waiter.scheduler.timers:add(deadline, on_deadline, task)
  waiter.task, task.waiting = task, true
  local reason = coroutine.yield()
  waiter.task, task.waiting = nil, nil
  if reason == "deadline" then return false end
  if timer then waiter.scheduler.timers:cancel(timer) end
  if reason == "signal" then return true end
  return nil, "cancelled"
end

local function wait_blocking(waiter, deadline)
  local self = waiter.scheduler
  while not waiter.signalled do
    if deadline and self.now() >= deadline then return false end
    self:turn(deadline, false)
  end
  waiter.signalled = false
  return true
end

function Waiter:wait(deadline)
  if self.signalled then
    self.signalled = false
    return true
  end
  local task = self.scheduler:current()
  if task ~= nil then return wait_in_task(self, task, deadline) end
  return wait_blocking(self, deadline)
end

local function run_all(self, internal)
  local queue = self.ready[internal]
  local last = queue.last -- those that become ready meanwhile have their turn later
  while queue.first <= last do
    resume(pop(queue))
    if not internal and self:spent() then return end
  end
end

--- Waits until something is ready, at most until the deadline (nil: for ever), and lets it go on.
---@param users boolean  the user's tasks too
function Scheduler:turn(deadline, users)
  local now = self.now()
  self.timers:fire(now)
  local due = self.timers:next()
  if due ~= nil and (deadline == nil or due < deadline) then deadline = due end
  local busy = not is_empty(self.ready[true]) or (users and not is_empty(self.ready[false]))
  self.poll(busy and 0 or (deadline and math.max(0, deadline - now)))
  self.timers:fire(self.now())
  run_all(self, true)
  if users then run_all(self, false) end
end

--- True when the step under way has used up its budget.
function Scheduler:spent()
  local budget = self.budget
  if budget == nil then return false end
  if budget.events ~= nil and budget.used >= budget.events then return true end
  return budget.until_ ~= nil and self.now() >= budget.until_
end

--- One handled message on the budget; a task that has used it up goes on in the next step.
function Scheduler:pause()
  local budget = self.budget
  if budget == nil then return end
  budget.used = budget.used + 1
  if self:spent() then self:sleep(0) end
end

function Scheduler:sleep(seconds)
  local done, why = self:waiter():wait(self.now() + seconds)
  if done == nil then return nil, why end
  return true
end

--- Cancels the task: the wait it is in, or its next, returns nil, "cancelled". Doing it twice, or late, is harmless.
function Task:cancel()
  self.cancelled = true
  if self.waiting then make_ready(self, "cancelled") end
end

--- Waits until the task has ended. Yields in a task, blocks elsewhere.
---@param timeout number?  seconds; for ever without
---@return boolean? ok      true, then the function's results; nil, err when it threw or the time was up
function Task:wait(timeout)
  local self_ = self.scheduler
  local deadline = timeout and self_.now() + timeout
  self.awaited = true
  while not self.done do
    local waiter = self_:waiter()
    self.joiners[#self.joiners + 1] = waiter
    if self_:current() == nil then
      if deadline and self_.now() >= deadline then return nil, "timeout" end
      self_:turn(deadline, true) -- waiting for a task outside of any is asking for it to run
    else
      local woken, why = waiter:wait(deadline)
      if not woken then return nil, why or "timeout" end
    end
  end
  if not self.ok then return nil, self.results[1] end
  return true, (table.unpack or unpack)(self.results, 1, self.results.n) -- luacheck: ignore 113
end

return Scheduler
