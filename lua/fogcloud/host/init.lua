-- SPDX-License-Identifier: MIT

--- How to wait.
--
-- A host is where the library's waiting happens: a plain script, OpenResty, an event loop. An adapter is one file that
-- returns a table with these functions; nothing above it knows which host it is.
--
--   host.name                 a word for errors and for fogcloud.info()
--   host.now()                monotonic seconds, as a float
--   host.wall()               seconds since the epoch, as a float
--   host.waiter()             a waiter w, for one waiting task at a time:
--       w:wait(deadline)      true when signalled; false when host.now() reached the deadline (nil: for ever), and
--                             then what kept the host from serving us, where it knows of anything;
--                             nil, "cancelled" when the waiting task was cancelled
--       w:signal()            wakes the task that waits, or lets the next wait return at once. Kept, not counted:
--                             two signals before a wait are one. Callable from any coroutine of the host.
--       w:is_abandoned()      may be missing: true when the host has ended the one that waits, without a word
--   host.spawn(fn, ...)       runs fn(...) in a coroutine of its own, soon; for the library's own work, which
--                             goes on in blocking calls too
--   host.spawn_user(fn, ...)  the same for work that calls the user's functions; returns a task (task/task.lua)
--   host.spawn_task(fn, ...)  the same for fogcloud.spawn; returns a task
--   host.sleep(seconds)       lets at least so much time pass for the calling coroutine; true, or nil, "cancelled"
--   host.pause()              called after each handled message: lets others run if it is their turn
--   host.attach(pump)         called once, before the first wait: from now on, whenever the engine's descriptor
--                             is readable, pump:collect() has to be called
--
--   host.try_wait()           may be missing: raises where a wait would, on a Lua that cannot tell before (Lua 5.1)
--   host.offer(make)          may be missing: told before anything else that make() gives the pump, which it attaches;
--                             for a host that may have to wait before anybody needed the engine
--   host.report(line)         may be missing: tells whoever runs the program of an error that nobody handles; stderr
--   host.on_exit(fn)          may be missing: calls fn(), in a coroutine that may wait, once the process has been told
--                             to end, where the host hears of that
--   host.check()              may be missing: raises where it is too early for anything of ours
--
-- and, where there is no loop but ours, for fogcloud.run and fogcloud.step:
--
--   host.run()                serves until no task is left and no session is open
--   host.step(deadline, budget)  waits in pump.poll for something to do until the deadline, and does it within the
--                             budget; a host that has it can have sessions without a thread, so engine:send() is last
--   host.in_task()            true while a task runs; else a wait blocks, and nothing of the user's runs meanwhile
--
-- All of them are idempotent where that makes sense. None may raise for a reason of the host's, but for two that say
-- where they are called wrongly: check(), and waiter() where nothing can wait.
local errors = require "fogcloud.errors"

local host = {}

local current

--- The host in force: the one chosen with `host.use`, else OpenResty inside nginx, else plain. Decided once.
---@return table host
function host.get()
  if current == nil then
    local ngx = rawget(_G, "ngx")
    local inside_nginx = type(ngx) == "table" and ngx.get_phase ~= nil
    current = require(inside_nginx and "fogcloud.host.openresty" or "fogcloud.host.plain")
  end
  if current.check then current.check() end
  return current
end

--- Chooses the host by name, before anything has waited.
---@param name string  "plain", "openresty", "cqueues", "luv" or "copas" (4 and later); or yours, a module
---                     fogcloud.host.NAME
---@return table host
function host.use(name)
  if type(name) ~= "string" then error("name: string expected, got " .. type(name), 3) end
  local found, chosen = pcall(require, "fogcloud.host." .. name)
  if not found then
    local absent = errors.text(chosen):find("module 'fogcloud.host." .. name .. "' not found", 1, true)
    error(("name: no host '%s'%s"):format(name, absent and "" or ": " .. errors.text(chosen)), 3)
  end
  if type(chosen) ~= "table" or chosen.waiter == nil then -- a part of one, or something else
    error(("name: no host '%s'"):format(name), 3)
  end
  if current ~= nil and current ~= chosen then
    error("fogcloud.use must come before anything else of fogcloud is used", 3)
  end
  current = chosen
  return chosen
end

return host
