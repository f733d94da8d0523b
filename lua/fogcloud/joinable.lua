-- SPDX-License-Identifier: MIT

--- A task of a host that has a scheduler of its own: what fogcloud.spawn gives there. It can be waited for and
--- cancelled; the host's waiters ask `Joinable.current()` whether the task they hold up was cancelled.
local protect = require "fogcloud.protect"

---@class fogcloud.Task
local Joinable = {}
Joinable.__index = Joinable
Joinable.__name = "fogcloud.Task"

local unpack = table.unpack or unpack -- luacheck: ignore 113

local running = setmetatable({}, { __mode = "k" }) -- coroutine -> task

--- A task that has not begun. `report` is told of an error that nobody waits for.
---@param host table
---@param report fun(message: string)
---@return fogcloud.Task
function Joinable.new(host, report) return setmetatable({ host = host, report = report, joiners = {} }, Joinable) end

--- The task whose coroutine is the running one; nil outside of any.
---@return fogcloud.Task?
function Joinable.current()
  local co = coroutine.running()
  while co and not running[co] do co = protect.parent[co] end
  return co and running[co]
end

local function finish(self, ok, ...)
  self.done, self.ok, self.results = true, ok, { n = select("#", ...), ... }
  for _, waiter in ipairs(self.joiners) do waiter:signal() end
  if not (ok or self.awaited or self.cancelled) then self.report("fogcloud: error in a task: " .. tostring((...))) end
end

--- Runs fn(...) as this task, in the coroutine that the host made for it.
function Joinable:run(fn, ...)
  local co = coroutine.running()
  if self.cancelled then return finish(self, false, "cancelled") end
  running[co] = self
  finish(self, protect.call(fn, ...))
  running[co] = nil
end

--- Cancels the task: the wait it is in, or its next, returns nil, "cancelled". Doing it twice, or late, is harmless.
function Joinable:cancel()
  self.cancelled = true
  if not self.done and self.waiter then self.waiter:interrupt() end
end

--- Waits until the task has ended. Yields.
---@param timeout number?  seconds; for ever without
---@return boolean? ok      true, then the function's results; nil, err when it threw or the time was up
function Joinable:wait(timeout)
  local deadline = timeout and self.host.now() + timeout
  self.awaited = true
  while not self.done do
    local waiter = self.host.waiter()
    self.joiners[#self.joiners + 1] = waiter
    local woken, why = waiter:wait(deadline)
    if not woken then return nil, why or "timeout" end
  end
  if not self.ok then return nil, self.results[1] end
  return true, unpack(self.results, 1, self.results.n)
end

return Joinable
