-- SPDX-License-Identifier: MIT

--- Seconds at the face, a deadline below it: converted here, once per call. Pure.
local deadline = {}

--- When a call that starts now must have ended.
---@param now number
---@param timeout number?  seconds; wrong ones raise
---@param default number
---@param level integer?   whom to blame
---@return number deadline
function deadline.after(now, timeout, default, level)
  if timeout == nil then return now + default end
  if type(timeout) ~= "number" or timeout ~= timeout or timeout < 0 then
    error("timeout: a number of seconds, not negative, expected", (level or 1) + 1)
  end
  return now + timeout
end

--- Seconds left, never negative.
function deadline.left(at, now) return math.max(0, at - now) end

return deadline
