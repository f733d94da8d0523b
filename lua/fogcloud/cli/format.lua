-- SPDX-License-Identifier: MIT

--- How a message is printed: mosquitto_sub's letters.
local text = require "fogcloud.cli.text"
local wall = require("fogcloud.core").wall

local format = {}

local LETTERS = {
  t = function(m) return m.topic end,
  p = function(m) return m.payload end,
  x = function(m) return text.hex(m.payload) end,
  l = function(m) return tostring(#m.payload) end,
  q = function(m) return tostring(m.qos) end,
  r = function(m) return m.retained and "1" or "0" end,
  U = function(m) return ("%.6f"):format(m.time) end,
  I = function(m) return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(m.time)) .. "Z" end,
  ["%"] = function() return "%" end,
}
local ESCAPES = { n = "\n", t = "\t", ["\\"] = "\\", ["0"] = "\0", r = "\r" }

--- For the manual.
format.HELP = "%t topic, %p payload, %x payload in hexadecimal, %l its length, %q QoS, %r retained, %U and %I the time"

--- What is wrong with a format, nil for nothing.
function format.complaint(pattern)
  for letter in pattern:gmatch("%%(.?)") do
    if not LETTERS[letter] then return ("no '%%%s' in a format: %s"):format(letter, format.HELP) end
  end
  return nil
end

--- One message by a pattern. What others wrote is shown as `out` may show it; the pattern is the person's own.
---@param message { topic: string, payload: string, qos: integer, retained: boolean, time: number }
function format.apply(pattern, message, out)
  local said = pattern:gsub("\\(.)", ESCAPES)
  return (said:gsub("%%(.)", function(letter)
    local value = LETTERS[letter](message)
    return (letter == "t" or letter == "p") and out:shown(value) or value
  end))
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
