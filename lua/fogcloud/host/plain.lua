-- SPDX-License-Identifier: MIT

--- The host of plain scripts and of frame loops: a call blocks in the engine outside of tasks and yields inside.
local core = require "fogcloud.core"
local log = require "fogcloud.log"
local protect = require "fogcloud.task.protect"
local Scheduler = require "fogcloud.task.scheduler"

local plain = { name = "plain", now = core.now, wall = core.wall }

local pump, make_pump

-- Until there is a pump.
local function poll(timeout) return make_pump().poll(timeout) end

local scheduler = Scheduler.new(core.now, poll, log.report)
plain.scheduler = scheduler

function plain.attach(attached) pump, scheduler.poll = attached, attached.poll end

function plain.offer(make) make_pump = make end

plain.waiter = scheduler.new_waiter

if protect.must_try then
  function plain.try_wait() scheduler:try_wait() end
end

function plain.spawn(fn, ...) return scheduler:spawn(fn, true, false, ...) end

--- Handlers do not keep `run` going: their sessions do.
function plain.spawn_user(fn, ...) return scheduler:spawn(fn, false, true, ...) end

function plain.spawn_task(fn, ...) return scheduler:spawn(fn, false, false, ...) end

function plain.sleep(seconds) return scheduler:sleep(seconds) end

plain.pause = scheduler.pause

local function work_left() return scheduler:busy() or (pump ~= nil and pump:busy()) end

-- A signal that comes just before a wait does not interrupt it: it is seen this much later, at the latest.
local LOOK = 0.5

-- As run, and until a signal that ends programs has come: its name.
local function run_until_told()
  while work_left() do
    scheduler:turn(core.now() + LOOK, true)
    local signal = core.signals_caught()
    if signal then return signal end
  end
end

--- Serves handlers and tasks until no task is left and no session is open. With `signals`, SIGTERM and SIGINT end it,
--- too, and nothing else, while it runs.
---@param signals boolean?
---@return string? signal  "SIGTERM" or "SIGINT"
function plain.run(signals)
  if not signals or not core.signals_catch() then
    while work_left() do scheduler:turn(nil, true) end
    return nil
  end
  local ok, told = pcall(run_until_told)
  core.signals_release()
  if not ok then error(told, 0) end
  return told
end

--- True while a task runs: it cannot serve the others.
function plain.in_task() return scheduler:in_task() end

local spending = {} -- of the turn under way, one table for all: an idle frame leaves no garbage

--- One turn: waits until the deadline at most for something to do, and does it within the budget.
---@param deadline number
---@param budget table?  events: messages at most; time: seconds at most
function plain.step(deadline, budget)
  if budget ~= nil then
    spending.used, spending.events, spending.until_ = 0, budget.events, budget.time and core.now() + budget.time
    budget = spending
  end
  scheduler:turn(deadline, true, budget)
  if pump then pump.engine:send() end -- what handlers published: the next wait may be a frame away
end

return plain
