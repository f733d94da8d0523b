-- SPDX-License-Identifier: MIT

--- JSON for programs that read --json: the keys of an object are always in one order, which Lua's tables have not, and
--- what is printed is harmless on a terminal. Pure.
local cjson = require "cjson"
local text = require "fogcloud.cli.text"
local errors = require "fogcloud.errors"

local json = {}

-- What tells an object from others comes first, then what it is about; the rest follows by name.
local FIRST = {
  "event", "check", "action", "what", "number", "state", "name", "time", "device_id", "device", "channel", "topic",
  "payload",
  "payload_hex", "qos", "retained", "properties", "clientid", "productid", "pname", "loginname", "password", "broker",
  "app_id", "base_url", "client_id", "ok", "status", "detail", "remedy", "published", "acknowledged", "count", "done",
  "failed", "left", "earlier", "kind", "message", "code", "error",
}
local RANK = {}
for i, name in ipairs(FIRST) do RANK[name] = i end

local function before(a, b)
  local rank_a, rank_b = RANK[a] or math.huge, RANK[b] or math.huge
  if rank_a ~= rank_b then return rank_a < rank_b end
  return a < b
end

-- Some versions of cjson escape slashes.
local function scalar(value) return (cjson.encode(value):gsub("\\/", "/")) end

local encode

local function object(value)
  local names, parts = {}, {}
  for name in pairs(value) do names[#names + 1] = errors.text(name) end
  table.sort(names, before)
  for i, name in ipairs(names) do parts[i] = scalar(name) .. ":" .. encode(value[name]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value)
  if type(value) ~= "table" then return scalar(value) end
  if value[1] == nil then return object(value) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = encode(item) end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- A value as one line of JSON. A table with a first element is a list, any other an object with names as keys.
function json.encode(value) return text.harmless_json(encode(value)) end

return json
