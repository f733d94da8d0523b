-- SPDX-License-Identifier: MIT

--- The plain host's coroutine scheduler.
--
-- Two kinds of task: the library's own (reconnecting, renewing a token) and the user's (spawned functions, handlers).
-- A blocking call outside any task lets only the library's go on, so no user handler runs behind the caller's back;
-- `step` lets both. A task waits for one thing at a time: a waiter, or a deadline. Where Lua cannot yield (inside
-- table.sort, say) a wait in a task blocks too.
--
-- A wait has a mark of its own, and only who holds it wakes: an error may go through a task while it waits, or is about
-- to, and what it waited for then must not end its next wait, nor a yield of the program's own.
--
-- An error may come up between any two steps in here, for a debug hook may throw: lua.c's on Ctrl-C, an embedder's
-- limit on instructions. So what makes a thing happen is noted before what says that it has; a task may be resumed once
-- too often, for a wait looks again, never too rarely. A turn that did not come to its end is made good by the next:
-- `recover` lets all that wait look again.
local errors = require "fogcloud.errors"
local Task = require "fogcloud.task.task"
local Timers = require "fogcloud.task.timers"
local protect = require "fogcloud.task.protect"

local Waiter = {}
Waiter.__index = Waiter

local Scheduler = {}
Scheduler.__index = Scheduler

-- host.pause: one handled message on the budget; a task that has used it up goes on in the next step.
local function new_pause(self)
  return function()
    if protect.interrupted then self:sleep(0) end -- it is for the program, and not for the next handler
    local budget = self.budget
    if not budget then return end
    budget.used = budget.used + 1
    if self:spent() then self:sleep(0) end
  end
end

local TRY = {} -- what a coroutine yields that wants to know whether it can

--- A scheduler that reads the clock `now()` and waits in `poll(timeout)` (nil: for ever), which may signal waiters.
---@param report fun(message: string)?  is told of a task's error that nobody waits for; must not raise
function Scheduler.new(now, poll, report)
  local self = setmetatable({
    now = now,
    poll = poll,
    report = report,
    timers = Timers.new(),
    ready = { [true] = { first = 1, last = 0 }, [false] = { first = 1, last = 0 } },
    counted = {}, -- task -> true: those that keep `run` going
    parked = {}, -- task -> the mark of the wait it is in
    entered = {}, -- task -> true: those that are being resumed
    unfinished = {}, -- depth -> true: a turn has begun there and not ended
    budget = false, -- of the turn under way; not nil, which would be looked for among the methods, too
  }, Scheduler)
  -- host.waiter: outside of tasks its wait lets the library's tasks go on.
  self.new_waiter = function() return setmetatable({ scheduler = self, signalled = false, users = false }, Waiter) end
  self.pause = new_pause(self)
  -- Waiting for a task outside of any is asking for it to run.
  self.joining = { now = now, waiter = function() return self:waiter(true) end, raises_interrupts = true }
  return self
end

-- Resuming ----------------------------------------------------------------------------------------------------------

local function make_ready(task)
  if task.ready or task.done then return end
  local queue = task.scheduler.ready[task.internal]
  local last = queue.last + 1
  queue[last] = task
  queue.last = last
  task.ready = true
end

-- Ends the wait with this mark, and no other.
local function wake(mark)
  local task = mark.task
  if task.scheduler.parked[task] == mark then make_ready(task) end
end

-- Notes that a task whose coroutine has come back is at its end, or that it waits for something else than us.
local function settle(self, task, mark)
  if mark ~= nil and mark == self.parked[task] then
    self.entered[task] = nil -- it waits, as nearly always
    return
  end
  if coroutine.status(task.co) == "dead" then
    task:finish(false, "the task was ended from outside")
    self.parked[task], self.counted[task] = nil, nil
    Task.forget(task.co)
  else
    self.parked[task] = nil -- a yield of the program's own
  end
  self.entered[task] = nil
end

-- Whether the task waits for us to go on: it may have ended meanwhile, or be in a yield of the program's own.
local function may_resume(self, task)
  return not task.done and coroutine.status(task.co) == "suspended" and (not task.begun or self.parked[task] ~= nil)
end

local function resume(self, task)
  task.ready = nil
  if not may_resume(self, task) then
    self.entered[task] = nil
    return
  end
  local ok, mark = coroutine.resume(task.co)
  while ok and mark == TRY do ok, mark = coroutine.resume(task.co) end
  if not ok then
    protect.note(mark)
    task:finish(false, protect.traced(errors.text(mark), task.co))
  end
  settle(self, task, mark)
end

local function run_all(self, internal)
  local queue = self.ready[internal]
  local last = queue.last -- those that become ready meanwhile have their turn later
  while queue.first <= last do
    local first = queue.first
    local task = queue[first]
    if task ~= nil and not self.entered[task] then
      self.entered[task] = true
      queue.first = first + 1
      queue[first] = nil
      resume(self, task)
    else -- it is at work further down, and blocks in here
      queue.first = first + 1
      queue[first] = nil
    end
    if protect.interrupted or (not internal and self:spent()) then return end
  end
end

-- What turns that were ended by an error, at this depth or below, have left half-way. All that wait look again.
local function recover(self, depth)
  for task in pairs(self.entered) do
    local status = coroutine.status(task.co)
    if status == "dead" then
      settle(self, task)
    elseif status == "suspended" then
      if not task.begun then
        task.ready = nil
        make_ready(task)
      end
      self.entered[task] = nil
    end
  end
  for task in pairs(self.parked) do
    task.ready = nil
    make_ready(task)
  end
  for level in pairs(self.unfinished) do
    if level >= depth then self.unfinished[level] = nil end
  end
end

-- Tasks -------------------------------------------------------------------------------------------------------------

--- Starts fn(...) as a task, at the next step.
---@param internal boolean  the library's own work
---@param uncounted boolean?  does not keep `run` going
function Scheduler:spawn(fn, internal, uncounted, ...)
  local task = Task.new(self.joining, self.report, fn, ...)
  task.scheduler, task.internal = self, internal
  task.co = coroutine.create(function()
    task.begun = true
    task:run()
  end)
  if not internal and not uncounted then self.counted[task] = true end
  make_ready(task)
  return task
end

--- Whether a task is left that keeps `run` going.
function Scheduler:busy()
  local counted = self.counted
  local task = next(counted)
  while task ~= nil and task.done do
    counted[task] = nil
    task = next(counted)
  end
  return task ~= nil
end

-- How many tasks are at work: one, and those that it let go on while it blocked. Told by their coroutines, which no
-- error can leave in a wrong state.
local function depth_of(self)
  local depth = 0
  for task in pairs(self.entered) do
    local status = coroutine.status(task.co)
    if status == "running" or status == "normal" then depth = depth + 1 end
  end
  return depth
end

--- Whether a task runs: the caller's, or one that has called it in a coroutine of its own.
function Scheduler:in_task() return depth_of(self) > 0 end

-- Waiting -----------------------------------------------------------------------------------------------------------

--- A waiter. Outside of tasks its wait lets the library's tasks go on, and with `users` the user's too.
---@param users boolean?
function Scheduler:waiter(users)
  return setmetatable({ scheduler = self, signalled = false, users = users or false }, Waiter)
end

function Waiter:signal()
  self.signalled = true
  if self.mark ~= nil then wake(self.mark) end
end

--- Lets the wait look whether its task was cancelled.
function Waiter:interrupt()
  if self.mark ~= nil then wake(self.mark) end
end

local function wait_in_task(self, task, deadline)
  local scheduler, mark = self.scheduler, { task = task }
  local timers = scheduler.timers
  self.mark, task.waiter = mark, self
  scheduler.parked[task] = mark
  local timer = deadline and timers:add(deadline, wake, mark)
  repeat
    coroutine.yield(mark)
  until self.signalled or task.cancelled or (deadline and scheduler.now() >= deadline)
  scheduler.parked[task] = nil
  self.mark, task.waiter = nil, nil
  if timer then timers:cancel(timer) end
  if self.signalled then return true end -- after the deadline, too, if that was before our turn
  if task.cancelled then return nil, "cancelled" end
  return false
end

local function wait_blocking(self, task, deadline)
  local scheduler = self.scheduler
  while not self.signalled do
    if task and task.cancelled then return nil, "cancelled" end
    if deadline and scheduler.now() >= deadline then return false end
    scheduler:turn(deadline, self.users)
  end
  return true
end

function Waiter:wait(deadline)
  local result, why = self.signalled, nil
  if not result then
    local task = next(self.scheduler.entered) ~= nil and Task.current() or nil
    if task ~= nil and task.cancelled then
      result, why = nil, "cancelled"
    elseif task ~= nil and task.scheduler == self.scheduler and protect.can_yield() then
      result, why = wait_in_task(self, task, deadline)
    else
      result, why = wait_blocking(self, task, deadline)
    end
  end
  if result then self.signalled = false end
  return result, why
end

--- For where protect.must_try says so: raises where a wait would, although protect.can_yield says that it can.
function Scheduler:try_wait()
  local task = Task.current()
  if not task or not protect.can_yield() then return end
  self.parked[task] = TRY -- an error may keep it from being resumed at once: then recover does it
  coroutine.yield(TRY)
  self.parked[task] = nil
end

-- Turns -------------------------------------------------------------------------------------------------------------

local function is_torn(unfinished, depth)
  for level in pairs(unfinished) do
    if level >= depth then return true end
  end
  return false
end

--- Waits until something is ready, at most until the deadline (nil: for ever), and lets it go on. Raises when a task
--- was ended by Ctrl-C.
---@param users boolean  the user's tasks too
---@param budget table?  used, events, until_: what this turn may use up
function Scheduler:turn(deadline, users, budget)
  local depth, outer, unfinished = next(self.entered) and depth_of(self) or 0, self.budget, self.unfinished
  if next(unfinished) and is_torn(unfinished, depth) then recover(self, depth) end
  unfinished[depth], self.budget = true, budget or false
  local timers, internal, user = self.timers, self.ready[true], self.ready[false]
  if timers.torn then timers:next() end
  if timers.due and (deadline == nil or timers.due < deadline) then deadline = timers.due end
  local busy = internal.first <= internal.last or (users and user.first <= user.last)
  self.poll(busy and 0 or (deadline and math.max(0, deadline - self.now())))
  if timers.torn or (timers.due and timers.due <= self.now()) then timers:fire(self.now()) end
  if internal.first <= internal.last then run_all(self, true) end
  if users and user.first <= user.last then run_all(self, false) end
  unfinished[depth], self.budget = nil, depth > 0 and outer or false
  if protect.interrupted then error(protect.take_interrupt(), 0) end
end

--- True when the step under way has used up its budget.
function Scheduler:spent()
  local budget = self.budget
  if not budget then return false end
  if budget.events ~= nil and budget.used >= budget.events then return true end
  return budget.until_ ~= nil and self.now() >= budget.until_
end


function Scheduler:sleep(seconds)
  local done, why = self:waiter():wait(self.now() + seconds)
  if done == nil then return nil, why end
  return true
end

return Scheduler
