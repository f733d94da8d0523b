-- SPDX-License-Identifier: MIT

--- A message as mosquitto_sub's %j and %J have it: one object, its payload as a text or as the JSON that it is. Pure.
local json = require "fogcloud.cli.json"
local text = require "fogcloud.cli.text"
local decode = require("fogcloud.json").decode

local format_json = {}

-- In the order in which mosquitto_sub has them.
local PROPERTIES = {
  "content_type", "user_properties", "response_topic", "correlation_data", "payload_format_indicator",
  "message_expiry_interval", "topic_alias", "subscription_identifier",
}

local function pair(name, value) return json.encode(name) .. ":" .. value end

local function user_properties(list)
  local parts = {}
  for i, one in ipairs(list) do parts[i] = pair(one[1], json.encode(one[2])) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The properties of MQTT 5, nil for none.
local function properties_of(m)
  local parts = {}
  for _, name in ipairs(PROPERTIES) do
    local value = (m.properties or {})[name]
    if value ~= nil then
      local shown = name == "user_properties" and user_properties(value) or json.encode(value)
      parts[#parts + 1] = pair(name:gsub("_", "-"), shown)
    end
  end
  return parts[1] and "{" .. table.concat(parts, ",") .. "}" or nil
end

-- A string of JSON without bytes that steer a terminal: they may stand in it unescaped, against the rules.
local function clean(token)
  return (token:gsub("[%z\1-\31\127]", function(c) return ("\\u%04x"):format(c:byte()) end))
end

-- The tokens of JSON that can be decoded, without the white space between them.
local function tokens(source)
  local list, at = {}, source:find("%S")
  while at do
    local token
    if source:sub(at, at) == '"' then
      local stop = at + 1
      while source:sub(stop, stop) ~= '"' do stop = stop + (source:sub(stop, stop) == "\\" and 2 or 1) end
      token = source:sub(at, stop)
    else
      token = source:match("^[%[%]{},:]", at) or source:match('^[^%s%[%]{},:"]+', at)
    end
    list[#list + 1] = clean(token)
    at = source:find("%S", at + #token)
  end
  return list
end

-- With a line for each member of an object, as mosquitto_sub's --pretty.
local function spread(list)
  local parts, depth, nested = {}, 0, {}
  local function line() return "\n" .. ("\t"):rep(depth) end
  for _, token in ipairs(list) do
    if token == "{" then
      depth = depth + 1
      token = token .. line()
    elseif token == "[" then
      depth = depth + 1
    elseif token == "}" or token == "]" then
      depth = depth - 1
      if token == "}" then token = line() .. token end
    elseif token == ":" then
      token = ":\t"
    elseif token == "," then
      token = nested[#nested] == "{" and "," .. line() or ", "
    end
    local kind = token:match("^%s*([%[%]{}])") -- it may have its line by now
    if kind == "{" or kind == "[" then nested[#nested + 1] = kind end
    if kind == "}" or kind == "]" then nested[#nested] = nil end
    parts[#parts + 1] = token
  end
  return table.concat(parts)
end

local function time_of(m)
  local micro = ("%06d"):format(math.floor(m.time % 1 * 1e6))
  local seconds = math.floor(m.time)
  return os.date("%Y-%m-%dT%H:%M:%S", seconds) .. "." .. micro .. os.date("%z", seconds)
end

--- The object.
---@param m table  as format.message gives it
---@param raw boolean  the payload is JSON of its own
---@param pretty boolean?
---@return string? json
---@return string? why  the payload is no JSON
function format_json.of(m, raw, pretty)
  if raw and not pcall(decode, m.payload) then
    return nil, ("the payload is not valid JSON on topic %s"):format(m.topic)
  end
  local parts = {
    pair("tst", json.encode(time_of(m))), pair("topic", json.encode(m.topic)), pair("qos", m.qos),
    pair("retain", m.retained and 1 or 0), pair("payloadlen", #m.payload),
  }
  local properties = properties_of(m)
  if properties then parts[#parts + 1] = pair("properties", properties) end
  parts[#parts + 1] = pair("payload", raw and text.harmless_json(m.payload) or json.encode(m.payload))
  local list = tokens("{" .. table.concat(parts, ",") .. "}")
  return pretty and spread(list) or table.concat(list)
end

return format_json
