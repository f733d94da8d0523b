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
local Joinable = require "fogcloud.joinable"
local ngx = ngx -- luacheck: ignore 113

if ngx.get_phase() == "init" then
  error("fogcloud: nginx has not started its workers yet, and nothing of fogcloud's survives a fork: begin in"
    .. " init_worker_by_lua*, in a timer or in a request", 0)
end

local semaphore = require "ngx.semaphore"

local openresty = { name = "openresty", now = core.now, wall = core.wall }

local LONGEST = 1e6 -- seconds that nginx can surely wait at a time
local WATCH = 60 -- how long the timer that hears of the end outlives the last session
local EXIT_TIME = 5 -- seconds a session has for handing over when its worker ends
local SLICE = 0.002 -- seconds of handlers before other requests have a turn

local pump
local serving, watching = false, false
local slice_ends = 0

-- Tasks ---------------------------------------------------------------------------------------------------------------

local backlog = {} -- what nginx had no timer for

local function run(_, fn, ...)
  fn(...)
  local next_one = table.remove(backlog, 1)
  if next_one then next_one() end
end

function openresty.spawn(fn, ...)
  local ok, why = ngx.timer.at(0, run, fn, ...)
  if ok then return end
  ngx.log(ngx.WARN, "fogcloud: a task waits for another to end: ", why, " (lua_max_pending_timers)")
  local args, n = { ... }, select("#", ...)
  backlog[#backlog + 1] = function() openresty.spawn(fn, unpack(args, 1, n)) end
end

local function report(message) ngx.log(ngx.ERR, message) end

function openresty.spawn_task(fn, ...)
  local task = Joinable.new(openresty, report)
  openresty.spawn(task.run, task, fn, ...)
  return task
end

openresty.spawn_user = openresty.spawn_task

-- Serving -------------------------------------------------------------------------------------------------------------

local function leave()
  for _, session in pairs(pump.sessions) do openresty.spawn(session.finish, session, EXIT_TIME) end
end

local function watch(premature)
  watching = false
  if premature then leave() end
end

local function keep_watch()
  if watching or pump.open == 0 then return end
  if ngx.worker.exiting() then return leave() end
  watching = ngx.timer.at(WATCH, watch)
end

-- A socket on which the engine's wake-ups arrive.
local function connect()
  local path, why = pump.engine:listen()
  if path == nil then return nil, why end
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, LONGEST * 1000)
  local ok
  ok, why = socket:connect("unix:" .. path)
  if ok then ok, why = pump.engine:mirror() end
  if not ok then return nil, why end
  return socket
end

local function serve()
  local socket, why = connect()
  while socket do
    slice_ends = core.now() + SLICE
    pump:collect()
    if pump:idle() then break end
    keep_watch()
    local _, gone = socket:receiveany(64)
    if gone and gone ~= "timeout" then break end
  end
  serving = false
  if socket then return socket:close() end
  ngx.log(ngx.ERR, "fogcloud: no wake-up socket: ", why)
end

local function ensure_served()
  if serving or pump == nil or pump:idle() then return end
  serving = true
  openresty.spawn(serve)
end

function openresty.attach(attached)
  pump = attached
  pump.engine:background()
end

-- Waiting -------------------------------------------------------------------------------------------------------------

local WAITING_PHASES = {
  rewrite = true, server_rewrite = true, access = true, content = true, timer = true, preread = true,
  ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

local Waiter = {}
Waiter.__index = Waiter

function openresty.waiter()
  local phase = ngx.get_phase()
  if not WAITING_PHASES[phase] then
    error(("fogcloud: nginx cannot wait in %s_by_lua*: make the call in fogcloud.spawn(function() ... end)")
      :format(phase), 0)
  end
  return setmetatable({ signalled = false }, Waiter)
end

function Waiter:signal()
  if self.signalled then return end
  self.signalled = true
  if self.semaphore then self.semaphore:post(1) end
end

--- Lets the wait look whether its task was cancelled.
function Waiter:interrupt() self.semaphore:post(1) end

-- Sleeps until posted or, in whole milliseconds and never too early, until the deadline. nil when that has passed.
local function sleep_until(self, deadline)
  local left = deadline and deadline - core.now() or LONGEST
  if left <= 0 then return nil end
  self.semaphore:wait(math.min(math.ceil(left * 1000) / 1000, LONGEST))
  return true
end

function Waiter:wait(deadline)
  local task = Joinable.current()
  ensure_served()
  self.semaphore = semaphore.new(0)
  if task then task.waiter = self end
  local result, why
  repeat
    if self.signalled then
      result = true
    elseif task and task.cancelled then
      why = "cancelled"
    elseif not sleep_until(self, deadline) then
      result = self.signalled -- at the last moment, perhaps
    end
  until result ~= nil or why
  if task then task.waiter = nil end
  self.semaphore = nil
  if result then self.signalled = false end
  return result, why
end

function openresty.sleep(seconds)
  if seconds <= 0 then
    ngx.sleep(0)
    return true
  end
  local done, why = openresty.waiter():wait(core.now() + seconds)
  if done == nil then return nil, why end
  return true
end

function openresty.pause()
  if core.now() < slice_ends then return end
  ngx.sleep(0)
  slice_ends = core.now() + SLICE
end

return openresty
