-- SPDX-License-Identifier: MIT

--- The plain host and its pump with clocks that a spec moves: real requests to a real sandbox, on virtual days.
local fogcloud = require "fogcloud"
local runtime = require "fogcloud.runtime"

local shifted = {}

--- A host whose clocks are `host.shift` and `host.wall_shift` seconds ahead of the real ones, and its pump.
function shifted.new()
  assert(fogcloud)
  local real, host = runtime.host(), { name = "shifted", shift = 0, wall_shift = 0 }
  for name, value in pairs(real) do
    if host[name] == nil then host[name] = value end
  end
  function host.now() return real.now() + host.shift end
  function host.wall() return real.wall() + host.wall_shift end
  function host.waiter()
    local waiter = real.waiter()
    return {
      wait = function(_, deadline) return waiter:wait(deadline and deadline - host.shift) end,
      signal = function() waiter:signal() end,
    }
  end
  local pump = {}
  function pump.request(_, name, opts, params, deadline)
    return runtime.pump():request(name, opts, params, deadline - host.shift)
  end
  return host, pump
end

return shifted
