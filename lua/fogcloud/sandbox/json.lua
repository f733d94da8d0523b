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

local write -- below

local function sorted_names(object)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function write_list(rows, indent)
  local parts = {}
  for i, value in ipairs(rows) do parts[i] = write(value, indent) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local function write_object(object, indent)
  local parts, inner = {}, indent .. "  "
  for i, name in ipairs(sorted_names(object)) do
    parts[i] = inner .. cjson.encode(name) .. ": " .. write(object[name], inner)
  end
  return "{\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "}"
end

function write(value, indent)
  if type(value) == "number" and value % 1 == 0 then return ("%.0f"):format(value) end
  if type(value) ~= "table" then return (cjson.encode(value):gsub("\\/", "/")) end
  if getmetatable(value) == LIST or #value > 0 then return write_list(value, indent) end
  return next(value) and write_object(value, indent) or "{}"
end

--- Writes anything for people to read: names sorted, a line each; marked lists stay lists at any depth.
function json.pretty(value) return write(value, "") .. "\n" end

return json
