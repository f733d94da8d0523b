-- SPDX-License-Identifier: MIT

--- What a store keeps under a key, and how it is written: a table of strings, numbers and booleans. A field that a
--- later version put there may be anything, and is kept as it is. Pure.
local json = require "fogcloud.json"

local record = {}

--- Whether a value that was read back is one.
---@param value any
---@return boolean
function record.is(value)
  if type(value) ~= "table" then return false end
  for name in pairs(value) do
    if type(name) ~= "string" then return false end
  end
  return true
end

--- Reads text that was written by `write`.
---@param text string
---@return table?  nil when it is something else
function record.read(text)
  local ok, value = pcall(json.decode, text)
  return ok and record.is(value) and value or nil
end

--- The text of a record, with all digits of its numbers.
---@param value table
---@return string
function record.write(value) return json.encode(value) end

return record
