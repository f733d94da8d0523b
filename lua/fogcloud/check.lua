-- SPDX-License-Identifier: MIT

--- Tables of options, checked. Each kind of table says as data what it takes; what is wrong with one comes back in
--- words, to be raised by whoever knows whom to blame. Pure.
--
-- A spec is a table of what each field must be:
--   "string", "string or table"   a type of Lua's, or one of several; "any" for what is checked elsewhere
--   "whole"                       a number without a fraction
--   { "whole", 1, 65535 }         the same, and its least and most
--   function(value) -> string?    what is wrong with it
local errors = require "fogcloud.errors"

local check = {}

local function outside(value, kind, least, most)
  if value >= least and value <= most and not (kind == "whole" and value % 1 ~= 0) then return nil end
  local to = most < math.huge and ("from %.0f to %.0f"):format(least, most) or ("from %.0f"):format(least)
  return ("%s %s expected, got %s"):format(kind == "whole" and "a whole number" or "a number", to, errors.text(value))
end

--- What is wrong with one value; nil when nothing is.
---@param expected string|table|function  of a spec
---@param value any
---@return string? why
function check.value(expected, value)
  if type(expected) == "function" then return expected(value) end
  local kind, least, most = expected, nil, nil
  if type(expected) == "table" then kind, least, most = expected[1], expected[2], expected[3] end
  if kind == "any" then return nil end
  local types = kind == "whole" and "number" or kind
  if not types:find(type(value), 1, true) then return ("%s expected, got %s"):format(types, type(value)) end
  if types ~= "number" or kind == "number" and least == nil then return nil end
  return outside(value, kind, least or -math.huge, most or math.huge)
end

--- What is wrong with the fields of a table; nil when nothing is.
---@param spec table<string, string|table|function>
---@param given table
---@param unknown string  how a field that the spec does not have is told, with %s for its name
---@param wrong string    how a wrong value is told, with %s for its name and for what is wrong
---@return string? why
function check.fields(spec, given, unknown, wrong)
  for name, value in pairs(given) do
    if spec[name] == nil then return unknown:format(errors.text(name)) end
    local why = check.value(spec[name], value)
    if why then return wrong:format(name, why) end
  end
  return nil
end

--- What is wrong with a call's table of options; nil when nothing is.
---@param spec table<string, string|table|function>
---@param given any
---@param what string  whose options, for the text: "session", "publish", …
---@return string? why
function check.options(spec, given, what)
  if type(given) ~= "table" then return ("%s options: table expected, got %s"):format(what, type(given)) end
  return check.fields(spec, given, "unknown " .. what .. " option '%s'", what .. " option '%s': %s")
end

return check
