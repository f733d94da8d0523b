-- SPDX-License-Identifier: MIT

--- Which code speaks MQTT for a session: "native", our own, or "paho", Eclipse Paho as packaged, a module of its own
--- that is loaded when it is asked for. What a driver cannot do it says, and an option that needs it is refused so.
local errors = require "fogcloud.errors"
local folders = require "fogcloud.folders"

local drivers = {}

-- The most that a driver without `exact` can say in four bytes: it takes them for a signed number (traps: P17).
local MOST = 2147483647

-- What an option needs of a driver, and how to say it.
local NEEDS = {
  { "hold", function(o) return o.hold end, "option 'hold'" },
  { "hold", function(o) return o.acknowledge == "handled" end, "acknowledge = \"handled\"" },
  { "durable", function(o) return o.journal end, "option 'journal'" },
  { "authenticate", function(o) return o.authentication end, "option 'authentication'" },
  { "connection", function(o) return o.proxy end, "option 'proxy'" },
  { "connection", function(o) return o.alpn end, "option 'alpn'" },
  { "connection", function(o) return o.server_name end, "option 'server_name'" },
  { "connection", function(o) return o.path end, "option 'path'" },
  { "connection", function(o) return o.headers end, "option 'headers'" },
  { "connection", function(o) return o.transport == "websockets" end, "transport = \"websockets\"" },
  { "callers_thread", function(o) return o.thread == false end, "option 'thread' = false" },
  { "exact", function(o) return (o.session_expiry or 0) > MOST end, "session_expiry above 2147483647" },
}

local function refuse_what_it_cannot(module, opts, level)
  for _, need in ipairs(NEEDS) do
    local capability, asked, what = need[1], need[2], need[3]
    if asked(opts) and not module.can[capability] then
      error(("session %s: %s cannot do that"):format(what, module.why_not), level + 1)
    end
  end
end

--- The driver that the options ask for, as the core takes it; nil is our own. Unknown ones, and options that it cannot
--- keep, raise at `level`.
---@param opts table
---@return userdata?
function drivers.find(opts, level)
  local name = opts.driver or folders.getenv "FOGCLOUD_MQTT_DRIVER" or "native"
  if name == "native" then return nil end
  if name ~= "paho" then error("session option 'driver': 'native' or 'paho' expected", level) end
  local found, module = pcall(require, "fogcloud.paho")
  if not found then
    error("session option 'driver': the module fogcloud.paho is not there: " .. errors.text(module), level)
  end
  refuse_what_it_cannot(module, opts, level)
  opts.capabilities, opts.why_not = module.can, module.why_not
  return module.driver
end

--- The host. Raises at `level` where it would not serve a session without a thread: one that has a loop of its own
--- waits on descriptors, and not in the engine.
---@return table host
function drivers.check_host(opts, host, level)
  if opts.thread or host.step then return host end
  error(("session option 'thread': false is for where fogcloud.step serves; the host '%s' has a loop of "
    .. "its own: leave the option out"):format(host.name), level + 1)
end

--- Why the driver of these options does not take this QoS; nil: it does.
---@return string?
function drivers.wrong_qos(opts, qos)
  if qos < 2 or opts.capabilities == nil or opts.capabilities.qos2 then return nil end
  return ("qos: %s loses and doubles messages of QoS 2, and does not take it"):format(opts.why_not)
end

--- The longest that a driver can say that a session is to be kept; 2^32 - 1 is for ever (MQTT 5, 3.1.2.11.2).
function drivers.for_ever(opts) return opts.capabilities and MOST or 4294967295 end

return drivers
