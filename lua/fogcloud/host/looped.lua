-- SPDX-License-Identifier: MIT

--- What the hosts with an event loop of their own have in common. An adapter says how its loop lets a coroutine wait,
--- and this makes a host of it that keeps the contract in host/init.lua.
--
-- The engine's descriptor is watched only while an event may come that somebody waits for, so that a loop which ends
-- when nothing is left to do ends with us too.
local Task = require "fogcloud.task.task"
local core = require "fogcloud.core"
local log = require "fogcloud.log"
local protect = require "fogcloud.task.protect"

local looped = {}

local SLICE = 0.004 -- seconds of handlers before the loop has a turn
local TURN = 0.001 -- how long that is at least
local FRAMES = 8 -- of an adapter's, between the yield and the wait, at most

local Waiter = {}
Waiter.__index = Waiter

-- Coroutine -> the number of the wait that it is in. Numbers, for a value that holds its key would keep it.
local waits = setmetatable({}, { __mode = "k" })
local OUTSIDE = {} -- in the place of a coroutine, for a loop that can wait outside of any
local last_wait = 0

function Waiter:signal()
  self.signalled = true
  if looped.is_parked(self) then self.loop.unpark(self) end
end

--- Lets the wait look whether its task was cancelled.
function Waiter:interrupt()
  if looped.is_parked(self) then self.loop.unpark(self) end
end

-- true, false or nil, "cancelled" as the wait's result; nothing while it goes on.
local function outcome(self, task, deadline)
  if self.signalled then return true end
  if task and task.cancelled then return nil, "cancelled" end
  if deadline and core.now() >= deadline then return false end
  return nil
end

--- The coroutine that the loop knows and resumes; nil outside of any. On Lua 5.1 a protected call runs in an inner one.
function looped.coroutine()
  local co, is_main = coroutine.running()
  if is_main then return nil end
  while protect.parent[co] do co = protect.parent[co] end
  return co
end

-- Raises inside a function that does not let a coroutine yield. Outside of any it is the loop that knows how to wait.
local function check_yieldable()
  if looped.coroutine() ~= nil and not protect.can_yield() then error(protect.CANNOT_YIELD, 0) end
end

-- Suspends the running coroutine. The loop's part may raise, where Lua cannot yield; what it armed must wake nothing
-- then, neither the next wait nor a yield of the program's own.
local function park(self, seconds)
  check_yieldable() -- the waiter may have been made elsewhere
  local co = looped.coroutine() and coroutine.running() or OUTSIDE
  last_wait = last_wait + 1
  self.co, self.wait_number = co, last_wait
  waits[co] = last_wait
  self.loop.park(self, seconds)
  waits[co] = nil
end

function Waiter:wait(deadline)
  self.before_wait()
  local task = Task.current()
  local result, why = outcome(self, task, deadline)
  while result == nil and why == nil do
    if task then task.waiter = self end
    park(self, deadline and math.max(0, deadline - core.now()))
    if task then task.waiter = nil end
    result, why = outcome(self, task, deadline)
  end
  if result then self.signalled = false end
  return result, why
end

-- Whether the coroutine is suspended in here. One that an error has gone through may be suspended elsewhere.
local function is_suspended_here(co)
  if co == OUTSIDE then return true end
  if coroutine.status(co) ~= "suspended" then return false end
  local debug = rawget(_G, "debug")
  if debug == nil or debug.getinfo == nil then return true end
  local level = 0
  local frame = debug.getinfo(co, level, "f")
  while frame ~= nil do
    if frame.func == park then return true end
    level = level + 1
    frame = level < FRAMES and debug.getinfo(co, level, "f") or nil
  end
  return false
end

--- Whether a waiter's coroutine is suspended in the wait for which it was parked last: then it may be resumed, and not
--- otherwise. An adapter that resumes coroutines itself asks this first.
---@param waiter table
---@return boolean
function looped.is_parked(waiter)
  local co = waiter.co
  return co ~= nil and waits[co] == waiter.wait_number and is_suspended_here(co)
end

-- Watches the descriptor from now on if an event may come, until none may; in each of the loops in which somebody
-- waits, for one may be given up with its watch.
local function serving(loop, on_events)
  local pump
  local watched = setmetatable({}, { __mode = "k" }) -- loop -> true
  local function watch(here)
    watched[here] = true
    loop.watch(pump.engine:fd(), function()
      watched[here] = nil -- should this raise, the next one that waits watches again
      on_events()
      pump:collect()
      if not pump:idle() then
        watched[here] = true
      elseif next(watched) then
        pump.engine:wake() -- so that the others see it too
      end
      return watched[here] ~= nil
    end)
  end
  local function ensure_served()
    if pump == nil then return end
    if pump.collecting then pump:collect() end -- an error ended it, and the loop was told of those events already
    if pump:idle() then return end
    local here = loop.running and loop.running() or loop
    if not watched[here] then watch(here) end
  end
  local function attach(attached)
    pump = attached
    pump.engine:background() -- no TLS handshake on the loop's thread
  end
  return attach, ensure_served
end

--- Raises a Ctrl-C that came up in a task or a handler, to whoever runs the loop.
function looped.raise_interrupt()
  local interrupted = protect.take_interrupt()
  if interrupted then error(interrupted, 0) end
end

--- Makes a host.
---@param name string
---@param loop table  park(waiter, seconds): suspends the running coroutine for so long (nil: for ever) or until
---                   unpark(waiter), and may return early; unpark: never resumes at once, harmless when nothing is
---                   parked; thread(fn): runs fn() in a coroutine of the loop, soon; watch(fd, fn): calls fn()
---                   whenever fd is readable, until it returns false; inside(): true where park works; running():
---                   which loop it is that runs, where there may be several
---@return table host
function looped.new(name, loop)
  local host = { name = name, now = core.now, wall = core.wall }
  local slice_ends = 0
  local before_wait
  host.attach, before_wait = serving(loop, function() slice_ends = core.now() + SLICE end)

  function host.waiter()
    if not loop.inside() then
      error(("fogcloud: %s cannot wait here: make the call in fogcloud.spawn(function() ... end)"):format(name), 0)
    end
    check_yieldable()
    return setmetatable({ loop = loop, before_wait = before_wait, signalled = false }, Waiter)
  end

  function host.spawn_task(fn, ...)
    local task = Task.new(host, log.report, fn, ...)
    loop.thread(function()
      task:run()
      looped.raise_interrupt()
    end)
    return task
  end
  host.spawn, host.spawn_user = host.spawn_task, host.spawn_task

  if protect.must_try then
    function host.try_wait() host.sleep(0) end
  end

  function host.sleep(seconds)
    local done, why = host.waiter():wait(core.now() + math.max(seconds, TURN))
    if done == nil then return nil, why end
    return true
  end

  function host.pause()
    if core.now() < slice_ends then return end
    host.sleep(TURN)
    slice_ends = core.now() + SLICE
  end

  return host
end

return looped
