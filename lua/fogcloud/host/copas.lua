-- SPDX-License-Identifier: MIT

--- The host inside Copas, 4 and later: those before 3 have neither timers nor a way to wake a coroutine.
local copas = require "copas"
local looped = require "fogcloud.host.looped"

if copas.pauseforever == nil then
  error(("this Copas (%s) is too old: 4 is needed"):format(tostring(copas._VERSION)), 0)
end

local loop = {}

function loop.inside() return copas.running and looped.coroutine() ~= nil end

function loop.thread(fn) copas.addthread(fn) end

-- What Copas takes for a socket, read as soon as the descriptor is readable: it waits when a first read finds nothing.
local Readable = {}
Readable.__index = Readable

function Readable:getfd() return self.fd end

function Readable.dirty() return false end

function Readable:receive()
  self.waited = not self.waited
  if self.waited then return nil, "timeout", "" end
  return "", nil
end

function loop.watch(fd, on_readable)
  local readable = setmetatable({ fd = fd }, Readable)
  copas.addthread(function()
    repeat copas.receive(readable) until not on_readable()
  end)
end

function loop.park(waiter, seconds)
  waiter.thread = looped.coroutine()
  if seconds then copas.pause(seconds) else copas.pauseforever() end
  waiter.thread = nil
end

function loop.unpark(waiter)
  if waiter.thread then copas.wakeup(waiter.thread) end -- looped asks is_parked first
end

return looped.new("copas", loop)
