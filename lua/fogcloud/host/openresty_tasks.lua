-- SPDX-License-Identifier: MIT

--- Functions that nginx runs in timers of their own, whatever its limits on timers.
--
-- What nginx was given and has not begun: beyond lua_max_pending_timers it refuses, beyond lua_max_running_timers it
-- forgets. Giving it twice is harmless.
local core = require "fogcloud.core"
local ngx = ngx -- luacheck: ignore 113

local tasks = {}

local PATIENCE = 0.5 -- seconds within which a healthy nginx begins a task

local unborn = {}

local give

--- Gives nginx again what it should have begun by now.
function tasks.give_again()
  local before = core.now() - PATIENCE
  for task, given in pairs(unborn) do
    if given < before then give(task) end
  end
end

local function run(_, task)
  if not unborn[task] then return end
  unborn[task] = nil
  task.fn(unpack(task, 1, task.n))
  local another = next(unborn)
  if another then give(another) end -- now that there is room
end

function give(task)
  unborn[task] = core.now()
  ngx.timer.at(0, run, task)
end

--- Runs fn(...) in a timer of its own, soon.
function tasks.spawn(fn, ...) give { fn = fn, n = select("#", ...), ... } end

return tasks
