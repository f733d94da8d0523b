-- SPDX-License-Identifier: MIT

--- Functions that nginx runs in timers of their own, whatever its limits on timers.
--
-- What nginx was given and has not begun: beyond lua_max_pending_timers it refuses, beyond lua_max_running_timers it
-- forgets. Giving it twice is harmless.
local core = require "fogcloud.core"
local ngx = ngx -- luacheck: ignore 113

local tasks = {}

local PATIENCE = 0.5 -- seconds within which a healthy nginx begins a task
local QUIET = 60 -- seconds between two complaints

local unborn = {} -- task -> when it was given; 0 when it was refused
local refusal, complained

local give

--- Gives nginx again what it should have begun by now.
function tasks.give_again()
  local before = core.now() - PATIENCE
  for task, given in pairs(unborn) do
    if given < before and not give(task) then return end
  end
end

--- Why nginx takes no task now; nil when it does.
---@return string?
function tasks.refusal() return refusal end

local function run(_, task)
  if not unborn[task] then return end
  unborn[task] = nil
  task.fn(unpack(task, 1, task.n))
  local another = next(unborn)
  if another then give(another) end -- now that there is room
end

local function complain()
  local now = core.now()
  if ngx.worker.exiting() or (complained and now < complained + QUIET) then return end
  complained = now
  ngx.log(ngx.ERR, "fogcloud: ", refusal)
end

function give(task)
  local ok, why = ngx.timer.at(0, run, task)
  unborn[task] = ok and core.now() or 0
  refusal = not ok and ("nginx gives no timer (%s): lua_max_pending_timers are not enough"):format(why) or nil
  if refusal then complain() end
  return ok
end

--- Runs fn(...) in a timer of its own, soon.
function tasks.spawn(fn, ...) give { fn = fn, n = select("#", ...), ... } end

return tasks
