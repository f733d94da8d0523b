-- SPDX-License-Identifier: MIT

--- The host inside libuv's loop, through luv; Neovim brings its own. A coroutine that waits has one timer, which is
--- due at its deadline, or at once when it is signalled.
local errors = require "fogcloud.errors"
local log = require "fogcloud.log"
local looped = require "fogcloud.host.looped"
local protect = require "fogcloud.task.protect"
local vim = rawget(_G, "vim")
local uv = vim and vim.loop or require "luv"

local loop = {}

function loop.inside() return looped.coroutine() ~= nil end

local function resume(co)
  local ok, err = coroutine.resume(co)
  if not ok then
    protect.note(err)
    log.report("fogcloud: " .. protect.traced(errors.text(err), co))
  end
  looped.raise_interrupt()
end

local function after(milliseconds, timer, fn) timer:start(milliseconds, 0, fn) end

function loop.thread(fn)
  local timer = uv.new_timer()
  after(0, timer, function()
    timer:close()
    resume(coroutine.create(fn))
  end)
end

local poll

function loop.watch(fd, on_readable)
  poll = poll or uv.new_poll(fd)
  poll:start("r", function()
    if not on_readable() then poll:stop() end
  end)
end

function loop.park(waiter, seconds)
  local co = looped.coroutine()
  local timer = uv.new_timer()
  waiter.timer = timer
  waiter.wake = function()
    timer:close()
    if waiter.timer ~= timer then return end -- a later wait has its own
    waiter.timer = nil
    if looped.is_parked(waiter) then resume(co) end
  end
  uv.update_time()
  after(math.ceil(math.min(seconds or math.huge, 1e6) * 1000), timer, waiter.wake)
  coroutine.yield()
end

function loop.unpark(waiter)
  if waiter.timer then after(0, waiter.timer, waiter.wake) end
end

return looped.new("luv", loop)
