-- SPDX-License-Identifier: MIT

--- The plain host's coroutine scheduler.
--
-- Two kinds of task: the library's own (reconnecting, renewing a token) and the user's (spawned functions, handlers).
-- A blocking call outside any task lets only the library's go on, so no user handler runs behind the caller's back;
-- `step` lets both. A task waits for one thing at a time: a waiter, or a deadline.
local errors = require "fogcloud.errors"
local Task = require "fogcloud.task.task"
local Timers = require "fogcloud.task.timers"

local Waiter = {}
Waiter.__index = Waiter

local Scheduler = {}
Scheduler.__index = Scheduler

--- A scheduler that reads the clock `now()` and waits in `poll(timeout)` (nil: for ever), which may signal waiters.
function Scheduler.new(now, poll)
  local self = setmetatable({
    now = now,
    poll = poll,
    report = function(message) io.stderr:write(message, "\n") end,
    timers = Timers.new(),
    ready = { [true] = { first = 1, last = 0 }, [false] = { first = 1, last = 0 } },
    users = 0,
  }, Scheduler)
  -- Waiting for a task outside of any is asking for it to run.
  self.joining = { now = now, waiter = function() return self:waiter(true) end }
  return self
end

local function push(queue, task)
  queue.last = queue.last + 1
  queue[queue.last] = task
end

local function pop(queue)
  local task = queue[queue.first]
  queue[queue.first] = nil
  queue.first = queue.first + 1
  return task
end

local function is_empty(queue) return queue.first > queue.last end

local function make_ready(task)
  if task.ready or task.done then return end
  task.ready = true
  push(task.scheduler.ready[task.internal], task)
end

local function resume(self, task)
  local outer = self.running
  self.running, task.ready = task, nil
  local ok, err = coroutine.resume(task.co)
  self.running = outer
  if not ok then task:finish(false, debug.traceback(task.co, errors.text(err))) end
  if task.done and task.counted then self.users = self.users - 1 end
end

--- Starts fn(...) as a task, at the next step.
---@param internal boolean  the library's own work
---@param uncounted boolean?  does not keep `run` going
function Scheduler:spawn(fn, internal, uncounted, ...)
  local task = Task.new(self.joining, self.report, fn, ...)
  task.scheduler, task.internal, task.counted = self, internal, not internal and not uncounted
  task.co = coroutine.create(function() task:run() end)
  if task.counted then self.users = self.users + 1 end
  make_ready(task)
  return task
end

--- A waiter. Outside of tasks its wait lets the library's tasks go on, and with `users` the user's too.
---@param users boolean?
function Scheduler:waiter(users)
  return setmetatable({ scheduler = self, signalled = false, users = users or false }, Waiter)
end

function Waiter:signal()
  self.signalled = true
  if self.task ~= nil then make_ready(self.task) end
end

--- Lets the wait look whether its task was cancelled.
function Waiter:interrupt() make_ready(self.task) end

local function wait_in_task(self, task, deadline)
  if task.cancelled then return nil, "cancelled" end
  local timers = self.scheduler.timers
  local timer = deadline and timers:add(deadline, make_ready, task)
  self.task, task.waiter = task, self
  coroutine.yield()
  self.task, task.waiter = nil, nil
  if timer then timers:cancel(timer) end
  if self.signalled then return true end -- after the deadline, too, if that was before our turn
  if task.cancelled then return nil, "cancelled" end
  return false
end

local function wait_blocking(self, deadline)
  local scheduler = self.scheduler
  while not self.signalled do
    if deadline and scheduler.now() >= deadline then return false end
    scheduler:turn(deadline, self.users)
  end
  return true
end

function Waiter:wait(deadline)
  local result, why = self.signalled, nil
  if not result then
    local task = Task.current()
    if task ~= nil then
      result, why = wait_in_task(self, task, deadline)
    else
      result = wait_blocking(self, deadline)
    end
  end
  if result then self.signalled = false end
  return result, why
end

local function run_all(self, internal)
  local queue = self.ready[internal]
  local last = queue.last -- those that become ready meanwhile have their turn later
  while queue.first <= last do
    resume(self, pop(queue))
    if not internal and self:spent() then return end
  end
end

--- Waits until something is ready, at most until the deadline (nil: for ever), and lets it go on.
---@param users boolean  the user's tasks too
function Scheduler:turn(deadline, users)
  local timers, ready = self.timers, self.ready
  local due = timers:next()
  if due ~= nil and (deadline == nil or due < deadline) then deadline = due end
  local busy = not is_empty(ready[true]) or (users and not is_empty(ready[false]))
  self.poll(busy and 0 or (deadline and math.max(0, deadline - self.now())))
  if timers:next() ~= nil then timers:fire(self.now()) end
  if not is_empty(ready[true]) then run_all(self, true) end
  if users and not is_empty(ready[false]) then run_all(self, false) end
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

return Scheduler
