-- SPDX-License-Identifier: MIT

--- What a store keeps under a key: a table without tables in it. Pure.
local record = {}

--- Whether a value that was read back is one.
---@param value any
---@return boolean
function record.is(value)
  if type(value) ~= "table" then return false end
  for name, field in pairs(value) do
    if type(name) ~= "string" or type(field) == "table" or type(field) == "userdata" then return false end
  end
  return true
end

--- Makes whole numbers integers where Lua has them: a port is to print as 1883, not as 1883.0.
---@param value table
---@return table value  the same
function record.whole(value)
  if math.tointeger == nil then return value end
  for name, field in pairs(value) do
    if type(field) == "number" then value[name] = math.tointeger(field) or field end
  end
  return value
end

return record
