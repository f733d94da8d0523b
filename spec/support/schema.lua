-- SPDX-License-Identifier: MIT

--- As much of JSON Schema as docs/openapi.json uses: whether a value is one, and values that are and are not. Another
--- keyword is refused, so that none stands there without being looked at.
local cjson = require "cjson"

local schema = {}

local KNOWN = {
  ["type"] = true, properties = true, required = true, additionalProperties = true, items = true, enum = true, const = true,
  minimum = true, maximum = true, minLength = true, maxLength = true, minItems = true, pattern = true, ["$ref"] = true,
}

--- What a schema means where it only points to another one.
function schema.resolve(document, one)
  while one["$ref"] do one = assert(document.components.schemas[one["$ref"]:match("^#/components/schemas/(.*)$")], one["$ref"]) end
  for keyword in pairs(one) do assert(KNOWN[keyword], "unknown keyword " .. keyword) end
  return one
end

local IS = {
  object = function(value) return type(value) == "table" and #value == 0 end,
  array = function(value) return type(value) == "table" and (#value > 0 or next(value) == nil) end,
  string = function(value) return type(value) == "string" end,
  number = function(value) return type(value) == "number" end,
  integer = function(value) return type(value) == "number" and value % 1 == 0 end,
  boolean = function(value) return type(value) == "boolean" end,
}

local function is_typed(types, value)
  for _, name in ipairs(type(types) == "table" and types or { types }) do
    if IS[name](value) then return true end
  end
  return false
end

local function one_of(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

local function bounds(one, value)
  if one.enum and not one_of(one.enum, value) then return "is none of the enum" end
  if one.const ~= nil and one.const ~= value then return "is not " .. tostring(one.const) end
  if type(value) == "number" and (value < (one.minimum or value) or value > (one.maximum or value)) then return "out of range" end
  if type(value) == "string" and (#value < (one.minLength or 0) or #value > (one.maxLength or #value)) then return "of a wrong length" end
  return nil
end

--- Why a value is not what the schema says, nil when it is.
function schema.complaint(document, one, value, where)
  one, where = schema.resolve(document, one), where or "$"
  if not is_typed(one.type, value) then return ("%s is no %s: %s"):format(where, cjson.encode(one.type), tostring(value)) end
  local why = bounds(one, value)
  if why then return ("%s %s: %s"):format(where, why, tostring(value)) end
  if one.type == "array" then
    for i, item in ipairs(value) do
      why = why or schema.complaint(document, one.items, item, ("%s[%d]"):format(where, i))
    end
  elseif one.type == "object" then
    for _, name in ipairs(one.required or {}) do
      if value[name] == nil then return ("%s.%s is missing"):format(where, name) end
    end
    for name, field in pairs(value) do
      local known = one.properties and one.properties[name]
      if known == nil then return ("%s.%s is not in the schema"):format(where, name) end
      why = why or schema.complaint(document, known, field, where .. "." .. name)
    end
  end
  return why
end

--- Stands in `known` for a field that goes with none of the others.
schema.ABSENT = {}

--- A value that is one. `known` has values for names, where the state of a sandbox decides what is valid.
function schema.sample(document, one, known, name)
  one = schema.resolve(document, one)
  if known[name] ~= nil then return known[name] end
  if one.enum then return one.enum[1] end
  if one.const ~= nil then return one.const end
  local kind = type(one.type) == "table" and one.type[1] or one.type
  if kind == "object" then
    local value = {}
    for each, field in pairs(one.properties or {}) do
      if known[each] ~= schema.ABSENT then value[each] = schema.sample(document, field, known, each) end
    end
    return value
  end
  if kind == "array" then return { schema.sample(document, one.items, known, name) } end
  if kind == "string" then return ("x"):rep(math.max(one.minLength or 1, 1)) end
  if kind == "boolean" then return false end
  return one.minimum and math.max(one.minimum, math.min(1, one.maximum)) or 1
end

local WRONG = {
  string = { 5, true, { "x" } }, number = { "5", true, {} }, boolean = { "true", 1 }, array = { "x", 5 }, object = { "x", 5 },
}
WRONG.integer = WRONG.number

-- Values that the schema of one field forbids.
local function spoilt(one)
  local values = {}
  for _, value in ipairs(WRONG[one.type]) do values[#values + 1] = value end
  if one.type == "integer" then values[#values + 1] = 1.5 end
  if one.minimum then values[#values + 1] = one.minimum - 1 end
  if one.maximum then values[#values + 1] = one.maximum * 2 + 1 end
  if one.enum then values[#values + 1] = "none of these" end
  if one.minLength then values[#values + 1] = "" end
  if one.maxLength then values[#values + 1] = ("x"):rep(one.maxLength + 1) end
  return values
end

--- Objects that are not one, each for one reason: { value, reason }.
function schema.broken(document, one, known)
  one = schema.resolve(document, one)
  local list = { { { ["no such field"] = 1 }, "an unknown field" } }
  local function but(name, value, why)
    local whole = schema.sample(document, one, known)
    whole[name] = value
    list[#list + 1] = { whole, ("%s: %s"):format(name, why) }
  end
  for _, name in ipairs(one.required or {}) do but(name, nil, "missing") end
  for name, field in pairs(one.properties or {}) do
    for _, value in ipairs(spoilt(schema.resolve(document, field))) do but(name, value, cjson.encode { value }) end
  end
  return list
end

return schema
