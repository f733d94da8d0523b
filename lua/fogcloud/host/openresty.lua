-- SPDX-License-Identifier: MIT

--- The host inside nginx (OpenResty, or nginx with its Lua module).
--
-- nginx resumes a coroutine only in the request or timer that it belongs to, so whoever waits does so on a semaphore of
-- its own. One timer per worker, the pump's, reads the engine's wake-up socket and posts them; it exists while a call
-- waits or a session is open, and nothing polls. Every task is a timer of its own, whose memory nginx frees at its end.
--
-- A worker that is told to end fires all its timers at once, as premature. One of them is kept for that while sessions
-- are open: they then hand over what they hold and close, the pump ends with the last of them, and the worker may go.
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local Task = require "fogcloud.task.task"
local Waiter = require "fogcloud.host.openresty_waiter"
local protect = require "fogcloud.task.protect"
local tasks = require "fogcloud.host.openresty_tasks"
local ngx = ngx -- luacheck: ignore 113

local openresty = { name = "openresty", now = core.now, wall = core.wall }

local READ_MS = 1e9 -- the wake-up socket's time-out: nothing is read by the clock
local WATCH = 3600 -- seconds that the timer which hears of the end may outlive the last session
local EXIT_TIME = 5 -- seconds a session has for handing over when its worker ends
local SLICE = 0.004 -- seconds of handlers before other requests have a turn
local TURN = 0.001 -- how long that is; as packaged for Debian, nginx grumbles about 0

local pump
local serving = false
local slice_ends = 0

--- Raises in init_by_lua*: nginx forks its workers afterwards, and nothing of ours survives a fork.
function openresty.check()
  if ngx.get_phase() == "init" then
    error("fogcloud: nginx has no workers yet: begin in init_worker_by_lua*, in a timer or in a request", 0)
  end
end

-- Tasks ---------------------------------------------------------------------------------------------------------------

openresty.spawn = tasks.spawn

local function report(message) ngx.log(ngx.ERR, message) end

openresty.report = report

function openresty.spawn_task(fn, ...)
  local task = Task.new(openresty, report, fn, ...)
  tasks.spawn(task.run, task)
  return task
end

openresty.spawn_user = openresty.spawn_task

--- nginx fires its timers at once, as premature, when the worker is to end.
function openresty.on_exit(fn)
  local function look(premature)
    if premature or ngx.worker.exiting() then return fn() end
    return ngx.timer.at(WATCH, look) or fn() -- refused: the worker is ending, or as good as that
  end
  look()
end

-- Serving -------------------------------------------------------------------------------------------------------------

local leaving = setmetatable({}, { __mode = "k" })

local function leave()
  for _, session in pairs(pump.sessions) do
    if not leaving[session] then tasks.spawn(session.finish, session, EXIT_TIME) end
    leaving[session] = true
  end
end

-- Called when the worker is told to end, or now and then; wakes all pumps of the worker to look again.
local function look() core.unwatch() end

local owed = false -- the watch is ours, and nginx has given no timer for it yet

local function keep_watch()
  if pump.open == 0 then return end
  if ngx.worker.exiting() then return leave() end
  if not owed and not core.watch() then return end
  local before = owed
  owed = not ngx.timer.at(WATCH, look)
  if owed and not before then
    report "fogcloud: sessions do not hear of the worker's end: lua_max_pending_timers are not enough"
  end
end

-- A socket on which the engine's wake-ups arrive.
local function connect()
  local path, why = pump.engine:listen()
  if path == nil then return nil, why end
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, READ_MS)
  local ok
  ok, why = socket:connect("unix:" .. path)
  if ok then ok, why = pump.engine:mirror() end
  if not ok then return nil, why end
  return socket
end

-- Returns when it is no longer needed; what keeps it from serving, if anything.
local function serve_until_idle()
  local socket, why = connect()
  if socket == nil then return why end
  while true do
    slice_ends = core.now() + SLICE
    pump:collect()
    tasks.give_again()
    if pump:idle() then break end
    keep_watch()
    local _, gone = socket:receiveany(64)
    if gone and gone ~= "timeout" then break end -- by worker_shutdown_timeout
  end
  serving = false -- before closing, which lets others run
  socket:close()
end

local function serve()
  local _, why = protect.call(serve_until_idle)
  if why == nil then return end
  serving = false -- the next that waits tries again
  report("fogcloud: the wake-up socket is not served: " .. errors.text(why))
  pump:fail("nginx has no wake-up socket in TMPDIR: " .. errors.text(why):match("^[^\n]*"))
end

-- What keeps us from being served, if anything.
local function ensure_served()
  tasks.give_again()
  if not serving and pump ~= nil and not pump:idle() then
    serving = true
    tasks.spawn(serve)
  end
  return tasks.refusal()
end

function openresty.attach(attached)
  pump = attached
  pump.engine:background()
end

-- Waiting -------------------------------------------------------------------------------------------------------------

function openresty.waiter() return Waiter.new(ensure_served) end

function openresty.sleep(seconds)
  local done, why = openresty.waiter():wait(core.now() + math.max(seconds, TURN))
  if done == nil then return nil, why end
  return true
end

function openresty.pause()
  if core.now() < slice_ends then return end
  ngx.sleep(TURN)
  slice_ends = core.now() + SLICE
end

return openresty
