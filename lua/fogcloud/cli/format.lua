-- SPDX-License-Identifier: MIT

--- How a message is printed: mosquitto_sub's formats.
--
-- A pattern has three kinds of marks: `%` and a letter for a part of the message, with flags and a width between them
-- as printf has them; `@` and a letter for the time, as strftime has it; `\` and a letter for a character. What others
-- wrote is shown as the output may show it; the pattern is the person's own.
local format_json = require "fogcloud.cli.format_json"
local text = require "fogcloud.cli.text"
local wall = require("fogcloud.core").wall

local format = {}

local function property(name)
  return function(m)
    local value = (m.properties or {})[name]
    return value == nil and "" or tostring(value)
  end
end

local function user_properties(m)
  local parts = {}
  for i, pair in ipairs((m.properties or {}).user_properties or {}) do parts[i] = pair[1] .. ":" .. pair[2] end
  return table.concat(parts, " ")
end

local function date(pattern, time) return os.date(pattern, math.floor(time)) end

-- Nanoseconds of a second that is counted in microseconds.
local function nanoseconds(time) return ("%06d000"):format(math.floor(time % 1 * 1e6)) end

local LETTERS = {
  t = function(m) return m.topic end,
  p = function(m) return m.payload end,
  x = function(m) return text.hex(m.payload) end,
  X = function(m) return text.hex(m.payload):upper() end,
  l = function(m) return tostring(#m.payload) end,
  q = function(m) return tostring(m.qos) end,
  r = function(m) return m.retained and "1" or "0" end,
  m = function(m) return tostring(m.id or 0) end,
  U = function(m) return ("%d.%s"):format(math.floor(m.time), nanoseconds(m.time)) end,
  I = function(m) return date("%Y-%m-%dT%H:%M:%S%z", m.time) end,
  j = function(m, pretty) return format_json.of(m, false, pretty) end,
  J = function(m, pretty) return format_json.of(m, true, pretty) end,
  A = property "topic_alias", C = property "content_type", D = property "correlation_data",
  E = property "message_expiry_interval", F = property "payload_format_indicator", R = property "response_topic",
  S = property "subscription_identifier", P = user_properties,
  ["%"] = function() return "%" end,
}
local ESCAPES = {
  n = "\n", t = "\t", r = "\r", v = "\v", a = "\a", e = "\27", ["0"] = "\0", ["\\"] = "\\",
}
local ZERO = "^[AEFlmSXx]$" -- what a 0 before the width pads with zeros

--- For the manual.
format.HELP = "%t topic, %p payload, %x payload in hexadecimal, %l its length, %q QoS, %r retained, %j all as JSON, %U "
  .. "and %I the time, @H:@M its parts as strftime has them"

-- A part of the message, as wide as the person wants it.
local function field(flag, width, most, letter, pretty)
  local get, columns, limit = LETTERS[letter], tonumber(width), tonumber(most)
  local zero = flag:find("0", 1, true) and not flag:find("-", 1, true) and letter:find(ZERO)
  if letter == "j" or letter == "J" then return function(m) return get(m, pretty) end end -- which is harmless
  return function(m, out)
    local value = out:shown(get(m))
    if limit then value = value:sub(1, limit) end
    local missing = columns and columns - text.width(value) or 0
    if missing <= 0 then return value end
    if flag:find("-", 1, true) then return value .. (" "):rep(missing) end
    return (zero and "0" or " "):rep(missing) .. value
  end
end

local function time_part(letter)
  if letter == "@" then return function() return "@" end end
  if letter == "N" then return function(m) return nanoseconds(m.time) end end
  return function(m)
    if letter == "s" then return ("%d"):format(math.floor(m.time)) end -- what strftime's %s is, which Lua may refuse
    local ok, said = pcall(date, "%" .. letter, m.time)
    return ok and said or "@" .. letter
  end
end

local function literal(s) return function() return s end end

-- The mark at a place: what makes its text, and where the next piece begins. nil and why for none.
local function mark(pattern, at, pretty)
  local first, second = pattern:sub(at, at), pattern:sub(at + 1, at + 1)
  if second == "" then return nil, ("nothing follows the last '%s' of the format"):format(first) end
  if first == "\\" then
    local octal = pattern:match("^0?33", at + 1)
    if octal then return literal("\27"), at + 1 + #octal end
    return literal(ESCAPES[second] or "\\" .. second), at + 2
  end
  if first == "@" then return time_part(second), at + 2 end
  if second == "@" then return literal(""), at + 1 end -- as mosquitto_sub's manual page has it, in one place
  local flag, width, most, letter, after = pattern:match("^([0-]*)(%d*)%.?(%d*)(.)()", at + 1)
  if letter == nil or not LETTERS[letter] then
    return nil, ("no '%%%s' in a format: %s"):format(letter or second, format.HELP)
  end
  return field(flag, width, most, letter, pretty), after
end

--- A function that prints a message by a pattern: (message, output) -> text, or nil and why it cannot be printed so.
--- nil and what is wrong with the pattern.
---@param pattern string
---@param pretty boolean?  lines for the JSON of %j and %J
---@return function? apply
---@return string? why
function format.compile(pattern, pretty)
  local pieces, at = {}, 1
  while at <= #pattern do
    local stop = pattern:find("[%%@\\]", at) or #pattern + 1
    if stop > at then pieces[#pieces + 1] = literal(pattern:sub(at, stop - 1)) end
    at = stop
    if at > #pattern then break end
    local piece, after = mark(pattern, at, pretty)
    if piece == nil then return nil, after end
    pieces[#pieces + 1], at = piece, after
  end
  return function(message, out)
    local parts = {}
    for i, piece in ipairs(pieces) do
      local part, why = piece(message, out)
      if part == nil then return nil, why end
      parts[i] = part
    end
    return table.concat(parts)
  end
end

--- A message as an object: bytes that are no text are there in hexadecimal.
function format.object(message)
  local is_text = text.is_utf8(message.payload)
  return {
    topic = message.topic, qos = message.qos, retained = message.retained, time = message.time,
    payload = is_text and message.payload or nil, payload_hex = not is_text and text.hex(message.payload) or nil,
    properties = message.properties,
  }
end

--- What a handler gets, in one table, with the time.
function format.message(topic, payload, message)
  return {
    topic = topic, payload = payload, qos = message.qos, retained = message.retained, time = wall(),
    properties = message.properties,
  }
end

return format
