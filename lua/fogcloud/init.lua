-- SPDX-License-Identifier: MIT

--- The face of fogcloud: what a user requires. See README.md.
local check = require "fogcloud.check"
local deadlines = require "fogcloud.task.deadline"
local runtime = require "fogcloud.runtime"

---@class fogcloud
local fogcloud = { _VERSION = require "fogcloud.version" }

--- A client of one FogCloud account. Sends nothing yet. What the options do not say comes from FOGCLOUD_* variables,
--- then from the profile file; wrong or missing options raise.
---@param options fogcloud.Options?
---@return fogcloud.Cloud cloud
function fogcloud.new(options) return require("fogcloud.api.cloud").new(options, runtime.host(), runtime.pump()) end

--- Connects to a broker with credentials that are at hand, without an account. Yields in a task, blocks elsewhere.
---@param credentials fogcloud.Credentials
---@param options fogcloud.SessionOptions?
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: auth, mqtt, network, timeout, tls, protocol, overflow (the journal), cancelled
function fogcloud.connect(credentials, options)
  local session, err = require("fogcloud.mqtt.session").connect(credentials, options, 2)
  return session, err -- no tail call, which would take the frame that the level counts
end

--- Starts fn(...) as a task, at the next step: every call of fogcloud in it yields instead of blocking. An error in a
--- task that nobody waits for goes to fogcloud.log, and to stderr where nobody listens.
---@param fn function
---@param ... any
---@return fogcloud.Task task
function fogcloud.spawn(fn, ...)
  if type(fn) ~= "function" then error("fn: function expected, got " .. type(fn), 2) end
  return runtime.host().spawn_task(fn, ...)
end

-- The host, where it is ours to serve.
local function served(name)
  local host = runtime.host()
  if host[name] == nil then error(("fogcloud.%s: the host '%s' has a loop of its own"):format(name, host.name), 3) end
  if host.in_task() then error(("fogcloud.%s: call it outside of tasks"):format(name), 3) end
  return host
end

---@class (exact) fogcloud.RunOptions
---@field signals boolean?  true: SIGTERM and SIGINT end run, so that `finish` can follow; they do nothing else

--- Serves handlers and tasks until no task is left and no session is open. Plain host only; elsewhere it raises, for
--- the host has a loop of its own.
---@param options fogcloud.RunOptions?
---@return "SIGTERM"|"SIGINT"|nil signal  what ended it, where that was a signal
function fogcloud.run(options)
  local wrong = check.options({ signals = "boolean" }, options or {}, "run")
  if wrong then error(wrong, 2) end
  local host = served "run"
  runtime.pump()
  return host.run(options ~= nil and options.signals)
end

---@class (exact) fogcloud.StepBudget
---@field events integer?  messages handled at most
---@field time number?     seconds at most

local function not_negative(value)
  if type(value) == "number" and value >= 0 then return nil end
  return "a number, not negative, expected"
end

local BUDGET = { events = not_negative, time = not_negative }

local function check_budget(budget)
  if type(budget) ~= "table" then error("budget: table expected, got " .. type(budget), 3) end
  local wrong = check.fields(BUDGET, budget, "budget: unknown field '%s'", "budget.%s: %s")
  if wrong then error(wrong, 3) end
end

-- No TLS handshake on the frame's thread, of calls that tasks have begun in this step or elsewhere.
local function free_frames(pump)
  if pump:is_calling() then pump.engine:background() end
end

--- The same, once: waits at most `timeout` seconds (0: not at all) and does what is ready, within a budget. For a
--- frame loop: from the first step with a call under way, requests and their TLS handshakes go on in a thread of their
--- own.
---@param timeout number?  seconds, default 0
---@param budget fogcloud.StepBudget?
function fogcloud.step(timeout, budget)
  local host = served "step"
  local deadline = deadlines.after(host.now(), timeout, 0, 2)
  if budget ~= nil then check_budget(budget) end
  local pump = runtime.pump()
  free_frames(pump)
  host.step(deadline, budget)
  free_frames(pump)
end

--- Lets at least `seconds` pass; others go on meanwhile. Yields in a task, blocks elsewhere.
---@param seconds number
---@return boolean? ok     true
---@return string? reason  "cancelled" when the task was cancelled
function fogcloud.sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds then
    error("seconds: number expected, got " .. (seconds ~= seconds and "nan" or type(seconds)), 2)
  end
  runtime.pump()
  return runtime.host().sleep(seconds)
end

--- Has one of all that call it make a session and serve it, and another take it over when that one ends, dies or is cut
--- off: workers of an nginx, processes, machines, as far as the store reaches. Does not wait. See docs/guide-fleet.md.
---@param name string         what is led; one leader per name
---@param start function      start(fence) makes the session and its subscriptions, and returns it, or nil, err; best
---                           with `paused = true`. The number grows from leader to leader
---@param store string|table  as the option of fogcloud.new: "shdict:NAME", "file", "redis://HOST", …
---@param options fogcloud.LeadOptions?
---@return fogcloud.Leader leader  with session, fence, await(timeout), stop(), finish(timeout)
function fogcloud.lead(name, start, store, options)
  local leader = require("fogcloud.store.lead").lead(name, start, store, options, 2)
  return leader -- no tail call, which would take the frame that the level counts
end

--- Has this program take its share of an application's devices, with all others that call it, on any machine; what one
--- that dies has not handled, another gets. Does not wait. See docs/guide-fleet.md.
---@param options fogcloud.FleetOptions
---@return fogcloud.Fleet fleet  with stats(), session_of(device), refresh(), stop(), finish(timeout)
function fogcloud.fleet(options)
  local fleet = require("fogcloud.fleet").new(options, runtime.host(), 2)
  return fleet -- no tail call, which would take the frame that the level counts
end

--- Chooses the host, before anything else; later it raises. OpenResty is found out by itself.
---@param name "plain"|"openresty"|"cqueues"|"luv"|"copas"|string
---@return fogcloud fogcloud  so that `require("fogcloud").use "luv"` gives the library
function fogcloud.use(name)
  require("fogcloud.host").use(name)
  return fogcloud
end

--- Hears what the library tells beside its results: fn(level, message, fields), or the least level to write to stderr
--- ("debug", "info", "warn", "error"); nil for silence, the default unless FOGCLOUD_LOG names a level.
---@param sink function|string|nil
function fogcloud.log(sink) return require("fogcloud.log").to(sink) end

---@class fogcloud.Info
---@field fogcloud string
---@field lua string
---@field host string  the host's name: "plain", "openresty", …
---@field curl string
---@field tls string   the TLS library
---@field mqtt string  the driver of our own
---@field cjson string

--- Versions of all that fogcloud stands on.
---@return fogcloud.Info
function fogcloud.info()
  local versions = require("fogcloud.core").versions()
  return {
    fogcloud = fogcloud._VERSION,
    lua = rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION,
    host = runtime.host().name,
    curl = versions.curl, tls = versions.tls, mqtt = versions.mqtt,
    cjson = require("fogcloud.cjson")._VERSION,
  }
end

return fogcloud
