-- SPDX-License-Identifier: MIT

--- The one engine, pump and host of this Lua state, made at first use, so that `require` alone starts nothing.
local core = require "fogcloud.core"
local hosts = require "fogcloud.host"
local Pump = require "fogcloud.pump"

local runtime = {}

local pump, told

--- The host. It and the stores are told where the pump is to be had, should they need it before anybody asked for one.
function runtime.host()
  local host = hosts.get()
  if told ~= host then
    told = host
    if host.offer then host.offer(runtime.pump) end
    require("fogcloud.store").offer(runtime.pump)
  end
  return host
end

--- The pump; made, with its engine, when it is asked for first. Raises when the engine cannot be made.
function runtime.pump()
  if pump == nil then
    local host = hosts.get() -- first, for it may say that it is too early
    pump = Pump.new(assert(core.engine()), host)
    host.attach(pump)
  end
  return pump
end

return runtime
