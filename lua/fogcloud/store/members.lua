-- SPDX-License-Identifier: MIT

--- A list of members as a record: mark -> when its membership ends. For stores that keep no such list themselves. Pure.
local members = {}

--- The record with `mark` in it until now + life (0: without it), and without those whose time is over.
---@param record table?
---@param mark string
---@param life number
---@param now number
---@return { place: integer, count: integer, new: boolean } standing  place: 0 for one that is no member
---@return table record
function members.update(record, mark, life, now)
  local result, count, place = {}, 0, life > 0 and 1 or 0
  for name, ends in pairs(record or {}) do
    if type(ends) == "number" and now < ends then result[name] = ends end
  end
  local new = result[mark] == nil
  result[mark] = life > 0 and now + life or nil
  for name in pairs(result) do
    count = count + 1
    if life > 0 and name < mark then place = place + 1 end
  end
  return { place = place, count = count, new = new }, result
end

return members
