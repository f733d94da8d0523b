-- SPDX-License-Identifier: MIT

--- A task, on every host: what fogcloud.spawn gives. It can be waited for and cancelled; the host's waiters ask
--- `Task.current()` whether the task they hold up was cancelled.
local errors = require "fogcloud.errors"
local deadlines = require "fogcloud.task.deadline"
local protect = require "fogcloud.task.protect"

---@class fogcloud.Task
local Task = {}
Task.__index = Task
Task.__name = "fogcloud.Task"

-- Coroutine -> task. Left at the task's end: a weak key goes only when its value does not hold it, and on Lua 5.1 and
-- LuaJIT the plain host's task does.
local running = setmetatable({}, { __mode = "k" })

---@package
--- fn(...) as a task that has not begun.
---@param host table   now(), and waiter(), by which others wait for the task; raises_interrupts: a Ctrl-C that a task
---                    dies of is raised by the host, and need not be reported
---@param report fun(message: string)  is told of an error that nobody waits for
---@return fogcloud.Task
function Task.new(host, report, fn, ...)
  return setmetatable({ host = host, report = report, joiners = {}, fn = fn, n = select("#", ...), ... }, Task)
end

---@package
--- The task whose coroutine is the running one; nil outside of any.
---@return fogcloud.Task?
function Task.current()
  local co = coroutine.running()
  while co and not running[co] do co = protect.parent[co] end
  return co and running[co]
end

---@package
--- Forgets whose coroutine it was: for a host that sees that it is dead.
function Task.forget(co) running[co] = nil end

-- A task that dies of being cancelled, as `assert(cloud:products())` lets it, is what was asked for.
local function is_expected(self, err)
  if self.host.raises_interrupts and protect.is_interrupt(err) then return true end
  return self.cancelled and errors.text(err):match("^[^\n]*"):find("cancelled", 1, true) ~= nil
end

---@package
--- Notes how the task ended, unless that is noted already, and tells those who wait.
function Task:finish(ok, ...)
  if not self.done then
    self.results, self.ok = { n = select("#", ...), ... }, ok
    self.done = true
    if not (ok or next(self.joiners) or is_expected(self, (...))) then
      self.report("fogcloud: error in a task: " .. errors.text((...)))
    end
  end
  for waiter in pairs(self.joiners) do waiter:signal() end
end

---@package
--- Runs the task, in the coroutine that the host made for it.
function Task:run()
  local co = coroutine.running()
  if self.cancelled then return self:finish(false, "cancelled") end
  running[co] = self
  self:finish(protect.call(self.fn, protect.unpack(self, 1, self.n)))
  running[co], self.fn = nil, nil
  for i = 1, self.n do self[i] = nil end -- whoever keeps the task wants its results only
end

--- Cancels the task: the wait it is in, or its next, returns nil, "cancelled". Doing it twice, or late, is harmless.
function Task:cancel()
  self.cancelled = true
  if not self.done and self.waiter then self.waiter:interrupt() end
end

--- Waits until the task has ended. Yields in a task, blocks elsewhere.
---@param timeout number?  seconds; for ever without
---@return boolean? ok      true, then the function's results; nil, err when it threw or the time was up
function Task:wait(timeout)
  local deadline = timeout and deadlines.after(self.host.now(), timeout, nil, 2)
  if not self.done then
    local waiter = self.host.waiter()
    self.joiners[waiter] = true
    local woken, why = waiter:wait(deadline)
    self.joiners[waiter] = nil
    if not woken then return nil, why or "timeout" end
  end
  if not self.ok then return nil, self.results[1] end
  return true, protect.unpack(self.results, 1, self.results.n)
end

return Task
