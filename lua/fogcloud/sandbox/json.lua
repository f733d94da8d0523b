-- SPDX-License-Identifier: MIT

--- JSON as the sandbox reads and writes it, by a cjson of its own: what a client sends can always be written again into
--- the journal, so neither NaN nor a nesting that only the decoder bears gets in.
local cjson = require("cjson").new()

local json = {}

local DEPTH = 100

cjson.decode_invalid_numbers(false)
cjson.decode_max_depth(DEPTH)
cjson.encode_invalid_numbers("null") -- 1e999 is infinite, and no token of its own

json.null = cjson.null

--- Reads an object; raises for anything else.
---@return table object
function json.decode(text)
  if not text:find("^%s*{") then error("not an object", 0) end
  return cjson.decode(text)
end

local LIST = {}

--- Marks a table as a list, also while it is empty, for `encode`.
function json.list(rows) return setmetatable(rows, LIST) end

--- Writes an object; lists are marked ones, or not empty, directly in it.
function json.encode(object)
  local parts = {}
  for name, value in pairs(object) do
    local empty = getmetatable(value) == LIST and #value == 0
    parts[#parts + 1] = cjson.encode(name) .. ":" .. (empty and "[]" or cjson.encode(value))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return json
