-- SPDX-License-Identifier: MIT

--- What a sandbox can be told, by `start` and by `fogcloud sandbox` alike: one table, of which the command line is made
--- and everything is checked.
local errors = require "fogcloud.errors"

local options = {}

-- By name: the kind, and for the command line, which has all but three, the help. A kind is a type of Lua's, or one of
-- KINDS; "whole" has its least and most.
local OPTIONS = {
  address = { "address", "where to listen, default 127.0.0.1" },
  broker_log = { "string", "what mosquitto logs: a log_type of its own, as in mosquitto.conf" },
  cert_days = { "whole", "life of the certificates; negative: expired so long ago", -36500, 36500 },
  cert_host = { "host", "make the certificate for this host name instead of localhost" },
  client_certificates = {
    "boolean", "the TLS port demands a client certificate (client.pem, client.key beside ca.pem)",
  },
  data = { "string", "keep everything in this folder" },
  devices = { "whole", "so many devices more: device1 with the password device1-secret, and so on", 0, 100000 },
  faults = { "table" },
  lua = { "string" },
  mqtt_faults = { "boolean", "a relay in front of the broker, so that MQTT can be made to fail" },
  mqtt_port = { "whole", "the broker's plain port, default a free one", 0, 65535 },
  persistence = { "boolean", "the broker keeps sessions and messages while it is stopped; not when it is killed" },
  port = { "whole", "HTTP port, default a free one", 0, 65535 },
  rng_seed = { "whole", "makes ids repeatable", 0, 4294967295 },
  seed = { "table" },
  tls = { "boolean", "serve the API over TLS too" },
  tls_port = { "whole", "the broker's TLS port, default a free one", 0, 65535 },
  token_life = { "whole", "seconds", 0, 1000000000 },
}

local function is_address(value)
  local bytes = { value:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  for _, byte in ipairs(bytes) do
    if #byte > 3 or tonumber(byte) > 255 then return false end
  end
  return #bytes == 4
end

-- What is said of a value that is not one of them, and the check.
local KINDS = {
  whole = { "a whole number from %.0f to %.0f", function(value, least, most)
    return type(value) == "number" and value >= least and value <= most and value % 1 == 0
  end },
  address = { "an IPv4 address", function(value) return type(value) == "string" and is_address(value) end },
  host = { "a host name of at most 64 bytes", function(value)
    return type(value) == "string" and #value <= 64 and value:find("^[%w*][%w.-]*$") ~= nil
  end },
}

local function complaint(name, value)
  local kind, least, most = OPTIONS[name][1], OPTIONS[name][3], OPTIONS[name][4]
  local text, check = kind, function(given) return type(given) == kind end
  if KINDS[kind] then text, check = KINDS[kind][1]:format(least, most), KINDS[kind][2] end
  if check(value, least, most) then return nil end
  return ("option '%s': %s expected, got %s"):format(name, text, errors.text(value))
end

--- Whether a table holds options only, each within its bounds.
---@param given table
---@return boolean? ok
---@return string? why
function options.check(given)
  for name, value in pairs(given) do
    if OPTIONS[name] == nil then return nil, ("unknown option '%s'"):format(errors.text(name)) end
    local why = complaint(name, value)
    if why then return nil, why end
  end
  return true
end

local function flag_of(name) return "--" .. name:gsub("_", "-") end

-- Those of the command line, sorted.
local function spoken()
  local names = {}
  for name, option in pairs(OPTIONS) do
    if option[2] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- Adds them to a parser of argparse's.
function options.declare(parser)
  for _, name in ipairs(spoken()) do
    local kind, help = OPTIONS[name][1], OPTIONS[name][2]
    if kind == "boolean" then
      parser:flag(flag_of(name), help)
    else
      local option = parser:option(flag_of(name), help)
      if kind == "whole" then option:convert(tonumber) end
    end
  end
end

--- Those that a command line gave.
---@param args table  of argparse's
---@return table
function options.given(args)
  local given = {}
  for _, name in ipairs(spoken()) do given[name] = args[name] end
  return given
end

--- The command line that gives these.
---@param given table  checked
---@return string[]
function options.arguments(given)
  local args = {}
  for _, name in ipairs(spoken()) do
    local value = given[name]
    if value == true then
      args[#args + 1] = flag_of(name)
    elseif value then
      args[#args + 1] = flag_of(name) .. "=" .. (type(value) == "number" and ("%.0f"):format(value) or value)
    end
  end
  return args
end

return options
