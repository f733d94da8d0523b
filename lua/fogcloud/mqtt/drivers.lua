-- SPDX-License-Identifier: MIT

--- Which code speaks MQTT for a session: "native", our own, or "paho", Eclipse Paho as packaged, a module of its own
--- that is loaded when it is asked for. What a driver cannot do it says, and an option that needs it is refused so.
local errors = require "fogcloud.errors"

local drivers = {}

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
  local name = opts.driver or (os and os.getenv and os.getenv "FOGCLOUD_MQTT_DRIVER") or "native"
  if name == "native" then return nil end
  if name ~= "paho" then error("session option 'driver': 'native' or 'paho' expected", level) end
  local found, module = pcall(require, "fogcloud.paho")
  if not found then
    error("session option 'driver': the module fogcloud.paho is not there: " .. errors.text(module), level)
  end
  refuse_what_it_cannot(module, opts, level)
  opts.capabilities = module
  return module.driver
end

return drivers
