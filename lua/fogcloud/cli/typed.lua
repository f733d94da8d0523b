-- SPDX-License-Identifier: MIT

--- What fingers type, before argparse sees it: the short options of mosquitto_pub and mosquitto_sub, whose values may
--- begin with a minus, and what is to be said of options that are not taken. Pure.
local refused = require "fogcloud.cli.refused"

local typed = {}

-- Short options of `pub` and `sub` that take a value, by their long names here.
local VALUES = {
  ["-h"] = "--host", ["-p"] = "--port", ["-u"] = "--username", ["-i"] = "--id", ["-I"] = "--id-prefix",
  ["-t"] = "--topic", ["-q"] = "--qos", ["-k"] = "--keepalive", ["-V"] = "--protocol-version", ["-L"] = "--url",
  ["-x"] = "--session-expiry", ["-M"] = "--max-inflight", ["-m"] = "--message", ["-f"] = "--file",
  ["-T"] = "--filter-out", ["-C"] = "--count", ["-W"] = "--wait", ["-F"] = "--format", ["-U"] = "--unsubscribe",
}
-- Long ones: theirs, by ours.
local LONG = {
  ["--cafile"] = "--ca-file", ["--host"] = "--host", ["--port"] = "--port", ["--username"] = "--username",
  ["--id"] = "--id", ["--id-prefix"] = "--id-prefix", ["--topic"] = "--topic", ["--qos"] = "--qos",
  ["--keepalive"] = "--keepalive", ["--protocol-version"] = "--protocol-version", ["--url"] = "--url",
  ["--max-inflight"] = "--max-inflight", ["--message"] = "--message", ["--file"] = "--file",
  ["--filter-out"] = "--filter-out", ["--unsubscribe"] = "--unsubscribe", ["--will-topic"] = "--will-topic",
  ["--will-payload"] = "--will-payload", ["--will-qos"] = "--will-qos", ["--cert"] = "--cert", ["--key"] = "--key",
  ["--tls-alpn"] = "--tls-alpn", ["--proxy"] = "--proxy",
  ["--format"] = "--format", ["--device"] = "--device",
}
local FLAGS = { ["--stdin-file"] = "-s", ["--stdin-line"] = "-l", ["--null-message"] = "-n" }

-- Options that all commands share and that take a value.
local SHARED = {
  ["--profile"] = true, ["--base-url"] = true, ["--ca-file"] = true, ["--timeout"] = true, ["--color"] = true,
}
local LIKE_MOSQUITTO = { pub = true, publish = true, sub = true, subscribe = true, test = true }

-- Where the command is among the arguments.
local function command_at(arguments)
  local at = 1
  while arguments[at] and arguments[at]:sub(1, 1) == "-" do at = at + (SHARED[arguments[at]] and 2 or 1) end
  return at
end

-- `-D PACKET NAME VALUE`, and a user property, which has a name of its own: as one argument, and how many it took.
local function property(arguments, at)
  local count = arguments[at + 2] == "user-property" and 4 or 3
  local parts = {}
  for i = at + 1, at + count do parts[#parts + 1] = arguments[i] end
  if #parts < count then return nil end
  return "--property=" .. table.concat(parts, "\31"), count + 1
end

-- What stands at a place, as argparse is to see it, and how many arguments that were; nil and why it is refused.
local function one(arguments, at)
  local argument = arguments[at]
  local name_of_it = argument:match("^(%-%-[^=]+)=") or argument
  local why = refused.of_mosquitto(name_of_it)
  if why then return nil, ("%s: %s"):format(name_of_it, why) end
  if argument == "-D" or argument == "--property" then
    local joined, count = property(arguments, at)
    return joined, joined and count or argument .. ": PACKET NAME VALUE expected, as in: -D publish content-type text"
  end
  if argument == "-h" and arguments[at + 1] == nil then return "--help", 1 end
  local name = VALUES[argument] or LONG[argument]
  if name and arguments[at + 1] then return name .. "=" .. arguments[at + 1], 2 end
  local long, value = argument:match("^(%-%-[^=]+)=(.*)$")
  return long and LONG[long] and LONG[long] .. "=" .. value or FLAGS[argument] or argument, 1
end

--- The arguments as argparse is to see them.
---@param arguments string[]
---@return string[]? arguments
---@return string? why  they are refused
function typed.arguments(arguments)
  local start = command_at(arguments)
  if not LIKE_MOSQUITTO[arguments[start] or ""] then return arguments end
  local result, at = {}, 1
  while at <= #arguments do
    local argument, count = arguments[at], 1
    if argument == "--" then break end
    if at > start then argument, count = one(arguments, at) end
    if argument == nil then return nil, count end
    result[#result + 1], at = argument, at + count
  end
  for i = at, #arguments do result[#result + 1] = arguments[i] end
  return result
end

--- What to use in the place of an option that argparse complains of; nil when that is not known.
---@param complaint string  argparse's
---@return string? hint
function typed.hint(complaint)
  local option = complaint:match("^unknown option '([^'=]+)")
  return option and refused.of_habit(option)
end

return typed
