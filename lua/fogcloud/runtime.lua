-- SPDX-License-Identifier: MIT

--- The one engine, pump and host of this Lua state, made at first use, so that `require` alone starts nothing.
local core = require "fogcloud.core"
local hosts = require "fogcloud.host"
local Pump = require "fogcloud.pump"
local stores = require "fogcloud.store"

local runtime = {}

local pump

--- The host; told where the pump is to be had, should it have to wait before anybody asked for one.
function runtime.host()
  local host = hosts.get()
  if host.offer then host.offer(runtime.pump) end
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

stores.offer(runtime.pump)

return runtime
