-- SPDX-License-Identifier: MIT

--- The face of fogcloud: what a user requires. See README.md.
local runtime = require "fogcloud.runtime"

local fogcloud = { _VERSION = "0.1.0-dev" }

--- A client of one FogCloud account.
---@param options table?  see config.lua; what is missing comes from FOGCLOUD_* variables, then from the profile file
---@return fogcloud.Cloud? cloud
---@return fogcloud.Error? err
function fogcloud.new(options) return require("fogcloud.cloud").new(options, runtime.host(), runtime.pump()) end

--- Connects to a broker with credentials that are at hand, without an account. See session.lua.
function fogcloud.connect(credentials, options) return require("fogcloud.session").connect(credentials, options, 2) end

--- Starts fn(...) as a task: every call of fogcloud in it yields instead of blocking.
---@return fogcloud.Task task  with cancel() and wait(timeout)
function fogcloud.spawn(fn, ...)
  if type(fn) ~= "function" then error("fn: function expected, got " .. type(fn), 2) end
  return runtime.host().spawn_task(fn, ...)
end

local function serve(name, ...)
  local host = runtime.host()
  if host[name] == nil then error(("fogcloud.%s: the host '%s' has a loop of its own"):format(name, host.name), 3) end
  runtime.pump()
  return host[name](...)
end

--- Serves handlers and tasks until no task is left and no session is open. Plain host only.
function fogcloud.run() return serve("run") end

--- The same, once: waits at most `timeout` seconds (0: not at all) and does what is ready, within a budget. For a
--- frame loop.
---@param timeout number
---@param budget table?  events: messages at most; time: seconds at most
function fogcloud.step(timeout, budget)
  runtime.pump().engine:background() -- no TLS handshake on the frame's thread
  return serve("step", timeout or 0, budget)
end

--- Lets at least `seconds` pass; others go on meanwhile.
---@return boolean? ok  nil, "cancelled" when the task was cancelled
function fogcloud.sleep(seconds)
  if type(seconds) ~= "number" then error("seconds: number expected, got " .. type(seconds), 2) end
  runtime.pump()
  return runtime.host().sleep(seconds)
end

--- Chooses the host by name: "cqueues", "luv", "copas", "openresty", "plain". Before anything else.
function fogcloud.use(name)
  require("fogcloud.host").use(name)
  return fogcloud
end

--- Hears what the library tells beside its results: fn(level, message, fields), or the least level to write to stderr
--- ("debug", "info", "warn", "error"); nil for silence, the default unless FOGCLOUD_LOG names a level.
---@param sink function|string|nil
function fogcloud.log(sink) return require("fogcloud.log").to(sink) end

--- Versions of all that fogcloud stands on.
---@return table info  fogcloud, lua, host, curl, tls, paho, cjson
function fogcloud.info()
  local versions = require("fogcloud.core").versions
  return {
    fogcloud = fogcloud._VERSION,
    lua = rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION,
    host = runtime.host().name,
    curl = versions.curl, tls = versions.tls, paho = versions.paho,
    cjson = require("cjson")._VERSION,
  }
end

return fogcloud
