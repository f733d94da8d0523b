-- SPDX-License-Identifier: MIT

--- Seconds at the face, a deadline below it: converted here, once per call. Pure.
local deadline = {}

-- A deadline beyond this is "for ever"; it keeps sums of times exact on every Lua.
local LONGEST = 86400 * 365

--- When a call that starts now must have ended.
---@param now number
---@param timeout number?  seconds, 0 or more; math.huge for "as long as it takes"; wrong ones raise
---@param default number
---@param level integer?   whom to blame
---@return number deadline
function deadline.after(now, timeout, default, level)
  if timeout == nil then timeout = default end
  if type(timeout) ~= "number" or timeout ~= timeout or timeout < 0 then
    error("timeout: a number of seconds, not negative, expected", (level or 1) + 1)
  end
  return now + math.min(timeout, LONGEST)
end

--- Seconds left, never negative.
---@param at number
---@param now number
---@return number seconds
function deadline.left(at, now) return math.max(0, at - now) end

return deadline
