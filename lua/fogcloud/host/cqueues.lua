-- SPDX-License-Identifier: MIT

--- The host inside cqueues. A task belongs to the controller in which it is spawned.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local looped = require "fogcloud.host.looped"

local loop = {}

function loop.inside() return cqueues.running() ~= nil end

function loop.running() return (cqueues.running()) end

local function controller()
  return cqueues.running()
    or error("fogcloud: no cqueues controller runs: begin in controller:wrap(function() ... end)", 0)
end

function loop.thread(fn) controller():wrap(fn) end

function loop.watch(fd, on_readable)
  local readable = { pollfd = fd, events = "r" }
  controller():wrap(function()
    repeat cqueues.poll(readable) until not on_readable()
  end)
end

function loop.park(waiter, seconds)
  waiter.condition = waiter.condition or condition.new()
  waiter.condition:wait(seconds)
end

function loop.unpark(waiter) waiter.condition:signal() end

return looped.new("cqueues", loop)
