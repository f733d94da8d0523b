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

return Waiters
