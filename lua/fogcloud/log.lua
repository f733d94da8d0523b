-- SPDX-License-Identifier: MIT

--- What the library tells beside its results: silent unless somebody listens.
--
-- A sink is a function (level, message, fields); the levels are "debug", "info", "warn", "error". FOGCLOUD_LOG names
-- the least level to write to stderr. Secrets are taken out before a sink sees anything.
local errors = require "fogcloud.errors"

local log = {}

local LEVELS = { debug = 1, info = 2, warn = 3, error = 4 }

local function sorted_names(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = errors.text(name) end
  table.sort(names)
  return names
end

--- One line of a log entry: `fogcloud warn: message name=value …`.
---@param level string
---@param message string
---@param fields table?
---@return string
function log.format(level, message, fields)
  local parts = { ("fogcloud %s: %s"):format(level, message) }
  for _, name in ipairs(sorted_names(fields or {})) do
    parts[#parts + 1] = ("%s=%s"):format(name, errors.text(fields[name]))
  end
  return errors.printable(table.concat(parts, " "))
end

-- Looked for each time: an engine may have a Lua without io, or a program may have put another file there.
local function stderr()
  local io = rawget(_G, "io")
  return io and io.stderr
end

local function write(out, line)
  if out then out:write(line, "\n") end
end

--- A sink that writes what is at least of this level, a line each, to stderr or to `out`.
---@param least string
---@param out table?  a file
---@return fun(level: string, message: string, fields: table?)
function log.writer(least, out)
  local threshold = LEVELS[least]
  if threshold == nil then error("log: 'debug', 'info', 'warn', 'error' or a function expected", 2) end
  return function(level, message, fields)
    if LEVELS[level] >= threshold then write(out or stderr(), log.format(level, message, fields)) end
  end
end

local function ignore() end

local common -- the sink of all that have none of their own; false: none, nil: not decided yet

local function common_sink()
  if common == nil then
    local os = rawget(_G, "os")
    local least = os and os.getenv and os.getenv("FOGCLOUD_LOG")
    common = LEVELS[least or ""] and log.writer(least) or false
  end
  return common or ignore
end

--- Chooses the sink of every cloud that was made without one of its own; nil for silence.
---@param sink function|string|nil  fn(level, message, fields), or the least level to write to stderr
function log.to(sink)
  if type(sink) == "string" then sink = log.writer(sink) end
  if sink ~= nil and type(sink) ~= "function" then error("log: function expected, got " .. type(sink), 2) end
  common = sink or false
end

--- Decides now, if nobody has, that there is no common sink: FOGCLOUD_LOG is not looked at.
function log.ignore_environment()
  if common == nil then common = false end
end

--- Tells the common sink of an error that nobody handles; stderr where there is none. Never raises.
---@param message string
function log.report(message)
  local sink = common_sink()
  if sink == ignore then return write(stderr(), message) end
  pcall(sink, "error", message, {})
end

---@class fogcloud.Logger
local Logger = {}
Logger.__index = Logger
Logger.__name = "fogcloud.Logger"
Logger.__tostring = function() return "fogcloud.Logger" end

--- A logger whose text goes through `clean` first.
---@param sink function|string|nil  its own sink; nil: the common one
---@param clean (fun(text: string): string)?
---@return fogcloud.Logger
function log.new(sink, clean)
  if type(sink) == "string" then sink = log.writer(sink) end
  return setmetatable({ sink = sink, clean = clean or function(text) return text end }, Logger)
end

--- Hands an entry to the sink. An error in a sink of the user's is the user's, and stops nothing of ours.
---@param level string
---@param message string
---@param fields table?  strings, numbers, booleans, errors
---@return boolean heard  false: there is no sink
function Logger:write(level, message, fields)
  local sink = self.sink or common_sink()
  if sink == ignore then return false end
  local cleaned = {}
  for name, value in pairs(fields or {}) do
    local plain = type(value) == "number" or type(value) == "boolean"
    cleaned[name] = plain and value or self.clean(errors.text(value))
  end
  pcall(sink, level, self.clean(message), cleaned)
  return true
end

return log
