-- SPDX-License-Identifier: MIT

--- JSON with settings of our own: what a program sets in its cjson changes nothing of ours, and no digit of a number is
--- lost on the way out (cjson writes 14) or, where it matters, in.
local cjson = require "fogcloud.cjson"

local json = {
  --- What stands for null, the same as cjson's.
  null = cjson.null,
}

local coder = cjson.new()
coder.decode_invalid_numbers(false)
coder.encode_invalid_numbers(false)

-- Reading -----------------------------------------------------------------------------------------------------------

local EXACT = "9007199254740992" -- 2^53: integers up to it are exact in every Lua

-- The end of the string that begins at `at`.
local function end_of_string(text, at)
  local found = text:find('["\\]', at + 1)
  while found and text:byte(found) == 0x5c do found = text:find('["\\]', found + 2) end
  return found or #text
end

local MANY = ("%d"):rep(#EXACT)
local byte = string.byte

-- Whether there are so many digits in a row that it may be one beyond 2^53. They cover one of the places that are
-- looked at: trying the pattern at every byte would cost more than all else that is done with a reply.
local function has_many_digits(text)
  for at = #EXACT, #text, #EXACT do
    local digit = byte(text, at)
    if digit >= 0x30 and digit <= 0x39 and text:sub(at - #EXACT + 1, at + #EXACT - 1):find(MANY) then return true end
  end
  return false
end

local function is_beyond(digits)
  digits = digits:gsub("^0+", "")
  return #digits > #EXACT or (#digits == #EXACT and digits > EXACT)
end

-- The text with every integer beyond 2^53 as a string.
local function quote_beyond(text)
  local parts, from, at = {}, 1, text:find('["%d]')
  while at do
    local last = end_of_string(text, at)
    if text:byte(at) ~= 0x22 then
      last = select(2, text:find("^[%d.eE+-]+", at))
      local token = text:sub(at, last)
      if token:find("^%d+$") and is_beyond(token) then
        local start = text:sub(at - 1, at - 1) == "-" and at - 1 or at
        parts[#parts + 1] = text:sub(from, start - 1) .. '"' .. text:sub(start, last) .. '"'
        from = last + 1
      end
    end
    at = text:find('["%d]', last + 1)
  end
  return table.concat(parts) .. text:sub(from)
end

--- The token of a string or a number that begins at `at` of a text; nil where none does, or it does not end.
---@param text string
---@param at integer
---@return string?
function json.token_at(text, at)
  if text:byte(at) ~= 0x22 then return text:match("^%-?%d[%d.eE+-]*", at) end
  local last = end_of_string(text, at)
  return text:byte(last) == 0x22 and last > at and text:sub(at, last) or nil
end

local to_integer = math.tointeger

-- Whole numbers as integers where Lua has them: a port is to print as 1883, not as 1883.0. Beyond 2^53 they are floats,
-- also of a cjson that knows integers of 64 bits, so that one program sees the same with each.
local function number(value)
  local n = to_integer(value)
  return n and (n > 2 ^ 53 or n < -2 ^ 53) and value + 0.0 or n or value
end

local function whole(value)
  for name, field in next, value do
    local kind = type(field)
    if kind == "number" then
      value[name] = number(field)
    elseif kind == "table" then
      whole(field)
    end
  end
  return value
end

--- Reads a value; raises for what is no JSON, with the place. Whole numbers are integers on Lua 5.3 and later.
---@param text string
---@param beyond "float"|"text"|nil  what an integer beyond 2^53 becomes, default "float"
---@return any value
function json.decode(text, beyond)
  if beyond == "text" and has_many_digits(text) then text = quote_beyond(text) end
  local ok, value = pcall(coder.decode, text)
  if not ok then error((tostring(value):gsub("^[^:]*:%d+: ", "")), 0) end -- not where in here
  if to_integer == nil then return value end
  if type(value) == "number" then return number(value) end
  return type(value) == "table" and whole(value) or value
end

-- Writing -----------------------------------------------------------------------------------------------------------

local DEPTH = 1000
local FEW = 10 -- entries that an array may lack in any case

local function of_number(value)
  if value ~= value or value == math.huge or value == -math.huge then error("no JSON has NaN or infinity", 0) end
  if math.type and math.type(value) == "integer" then return ("%d"):format(value) end
  for digits = 14, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value or digits == 17 then return (text:gsub(",", ".")) end -- some locales have a comma
  end
end

-- How long the array is; nil when the table is an object.
local function length_of(value)
  local last, count = 0, 0
  for name in pairs(value) do
    if type(name) ~= "number" or name < 1 or name % 1 ~= 0 then return nil end
    last, count = math.max(last, name), count + 1
  end
  if last > FEW and last > 2 * count then error("an array with too many holes", 0) end
  return last
end

local write

local function of_array(value, length, depth)
  local parts = {}
  for i = 1, length do parts[i] = write(value[i], depth) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function of_object(value, depth)
  local parts = {}
  for name, field in pairs(value) do
    local kind = type(name)
    if kind ~= "string" and kind ~= "number" then error("a table key must be a string or a number", 0) end
    local key = kind == "number" and of_number(name) or name
    parts[#parts + 1] = coder.encode(key) .. ":" .. write(field, depth)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- OpenResty's cjson marks arrays that are empty.
local function is_marked_array(value)
  local mark = getmetatable(value)
  return mark ~= nil and (mark == cjson.array_mt or mark == cjson.empty_array_mt)
end

local function of_table(value, depth)
  if depth > DEPTH then error("nested too deep", 0) end
  local length = length_of(value)
  if length == nil then return of_object(value, depth) end
  if length == 0 and not is_marked_array(value) then return "{}" end
  return of_array(value, length, depth)
end

function write(value, depth)
  local kind = type(value)
  if kind == "table" then return of_table(value, depth + 1) end
  if kind == "number" then return of_number(value) end
  if kind == "string" or kind == "boolean" or kind == "nil" then return coder.encode(value) end
  if value == cjson.null then return "null" end
  if value == cjson.empty_array and value ~= nil then return "[]" end
  error(("a %s cannot be written as JSON"):format(kind), 0)
end

--- Writes a value: numbers with as many digits as they need, empty tables as objects. Raises for what JSON has not.
---@param value any
---@return string text
function json.encode(value) return write(value, 0) end

return json
