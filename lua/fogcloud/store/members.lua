-- SPDX-License-Identifier: MIT

--- A list of members as a record: mark -> when its membership ends. For stores that keep no such list themselves. Pure.
local members = {}

--- The record with `mark` in it until now + life (0: without it), and without those whose time is over; and the marks
--- of all that are in it, in order.
---@param record table?
---@param mark string
---@param life number
---@param now number
---@return string[] marks
---@return table record
function members.update(record, mark, life, now)
  local result, marks = {}, {}
  for name, ends in pairs(record or {}) do
    if type(ends) == "number" and now < ends then result[name] = ends end
  end
  result[mark] = life > 0 and now + life or nil
  for name in pairs(result) do marks[#marks + 1] = name end
  table.sort(marks)
  return marks, result
end

return members
