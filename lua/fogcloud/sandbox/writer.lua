-- SPDX-License-Identifier: MIT

--- The steps of scenario.lua as a test file: for busted, for pytest, or as JSON for `fogcloud sandbox replay`. Pure.
local is_utf8 = require("fogcloud.mqtt.topic").is_utf8
local json = require "fogcloud.sandbox.json"
local python = require "fogcloud.sandbox.writer_python"

local writer = {}

local INDENT = "    "
-- In the order in which the fields of a step are written.
local FIELDS = {
  "who", "device", "client", "refused", "method", "path", "token", "params", "json", "broken", "filter", "topic",
  "payload", "qos", "retain", "messages", "status", "code", "wire", "saves_token", "saves_client",
}

-- Text that is UTF-8 stays readable, and JSON has its quotes.
local function quote(text)
  local mark = text:find('"', 1, true) and not text:find("'", 1, true) and "'" or '"'
  local escaped = is_utf8(text) and "[%c\\\127" or "[%c\\\127-\255"
  return mark .. text:gsub(escaped .. mark .. "]", function(c)
    if c == "\n" then return "\\n" end
    if c == mark or c == "\\" then return "\\" .. c end
    return ("\\%03d"):format(c:byte())
  end) .. mark
end

local lua -- below

local function sorted(object)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function lua_fields(object, names)
  local parts = {}
  for _, name in ipairs(names) do
    local value = object[name]
    if value ~= nil and value ~= json.null and not (names == FIELDS and value == false) then
      local key = type(name) == "string" and name:find("^[%a_][%w_]*$") and name or "[" .. lua(name) .. "]"
      parts[#parts + 1] = key .. " = " .. lua(value)
    end
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

function lua(value)
  if type(value) == "string" then return quote(value) end
  if type(value) == "number" then return value % 1 == 0 and ("%.0f"):format(value) or ("%.17g"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  if #value > 0 or next(value) == nil then
    local parts = {}
    for i, one in ipairs(value) do parts[i] = lua(one) end
    return #parts > 0 and "{ " .. table.concat(parts, ", ") .. " }" or "{}"
  end
  return lua_fields(value, sorted(value))
end

local HEAD = [[
-- Made of the timeline of a sandbox: it starts one of its own, does the same, and expects the same.
local Replay = require "fogcloud.sandbox.replay"

describe("what was recorded", function()
  local r

  setup(function() r = Replay.start(%s) end)
  teardown(function() r:stop() end)

  it("happens again", function()
]]

local function line_of(step)
  if step.op == "control" then
    return ("r:control(%s, %s)"):format(quote(step.call), lua(step.params or {}))
  end
  return ("r:%s %s"):format(step.op, lua_fields(step, FIELDS))
end

--- A test file for busted.
function writer.busted(steps, options)
  local lines = { HEAD:format(next(options) and lua(options) or "") }
  for _, step in ipairs(steps) do
    if step.hint then lines[#lines + 1] = INDENT .. "-- " .. step.hint .. ":\n" end
    lines[#lines + 1] = INDENT .. line_of(step) .. "\n"
  end
  lines[#lines + 1] = "  end)\nend)\n"
  return table.concat(lines)
end

--- A test file for pytest.
function writer.pytest(steps, options) return python.file(steps, options) end

local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

-- As JSON can hold them: payloads that are no text as hexadecimal digits.
local function jsonable(steps)
  local list = {}
  for i, step in ipairs(steps) do
    local copy = {}
    for name, value in pairs(step) do copy[name] = value end
    if copy.payload and not is_utf8(copy.payload) then copy.payload, copy.payload_hex = nil, hex(copy.payload) end
    if copy.messages then
      local messages = json.list {}
      for n, message in ipairs(copy.messages) do
        messages[n] = is_utf8(message[2]) and message or { message[1], hex(message[2]), "hex" }
      end
      copy.messages = messages
    end
    list[i] = copy
  end
  return json.list(list)
end

--- What `fogcloud sandbox replay` reads.
function writer.json(steps, options) return json.pretty { options = options, steps = jsonable(steps) } end

local function unhex(text) return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)) end

--- Reads it: options and steps; nil, why.
function writer.read(text)
  local ok, value = pcall(json.decode, text)
  if not ok or type(value.steps) ~= "table" or type(value.options) ~= "table" then
    return nil, "no recording of a sandbox"
  end
  for _, step in ipairs(value.steps) do
    if step.payload_hex then step.payload = unhex(step.payload_hex) end
    for _, message in ipairs(step.messages or {}) do
      if message[3] == "hex" then message[2] = unhex(message[2]) end
    end
  end
  return value
end

return writer
