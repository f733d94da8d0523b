-- SPDX-License-Identifier: MIT

--- All that wait for one thing to change, on one host: whoever changes it signals, and each looks again.
local Waiters = {}
Waiters.__index = Waiters

---@param host table  see host/init.lua
function Waiters.new(host)
  -- Weak, for nginx may end a request that waits, without a word.
  return setmetatable({ host = host, waiting = setmetatable({}, { __mode = "k" }) }, Waiters)
end

--- Wakes all that wait.
function Waiters:signal()
  for waiter in pairs(self.waiting) do waiter:signal() end
end

--- Waits for the next signal. Yields in a task, blocks elsewhere.
---@param deadline number?  on host.now()'s scale; for ever without
---@return boolean? woken   as a waiter does: false at the deadline, nil and why when it was cancelled
---@return string? why
function Waiters:wait(deadline)
  local waiter = self.host.waiter()
  self.waiting[waiter] = true
  local woken, why = waiter:wait(deadline)
  self.waiting[waiter] = nil
  return woken, why
end

--- Waits until `done()` is true. Yields in a task; elsewhere it blocks, and where there is no loop but ours it serves
--- handlers and tasks meanwhile, as `step` does.
---@param done fun(): boolean
---@param deadline number
---@return boolean? done  as a waiter does: false at the deadline, nil when it was cancelled
function Waiters:wait_until(done, deadline)
  local host = self.host
  local serves = host.step ~= nil and not host.in_task()
  while not done() do
    if serves then
      if host.now() >= deadline then return false end
      host.step(deadline)
    else
      local woken = self:wait(deadline)
      if not woken and not done() then return woken end
    end
  end
  return true
end

return Waiters
