-- SPDX-License-Identifier: MIT

--- What a call inside nginx waits by: a flag, and a semaphore for as long as somebody waits. The flag is the truth; a
--- post too many only lets the one who waits look once more.
local core = require "fogcloud.core"
local Task = require "fogcloud.task.task"
local protect = require "fogcloud.task.protect"
local semaphore = require "ngx.semaphore"
local ngx = ngx -- luacheck: ignore 113

local LONGEST = 1e6 -- seconds that nginx can surely wait at a time
local TROUBLED = 0.1 -- the same, while something keeps it from serving us

local WAITING_PHASES = {
  rewrite = true, server_rewrite = true, access = true, content = true, timer = true, preread = true,
  ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

local Waiter = {}
Waiter.__index = Waiter

-- Before nginx has it in a queue: from there it would be resumed, wherever it is then.
local function check_yieldable()
  if not protect.can_yield() then error(protect.CANNOT_YIELD, 0) end
end

--- `before_wait` is called each time before nginx waits, and says what keeps it from being served, if anything.
function Waiter.new(before_wait)
  local phase = ngx.get_phase()
  if not WAITING_PHASES[phase] then
    error(("fogcloud: nginx cannot wait in %s_by_lua*: make the call in fogcloud.spawn(function() ... end)")
      :format(phase), 0)
  end
  check_yieldable()
  return setmetatable({ signalled = false, before_wait = before_wait }, Waiter)
end

function Waiter:signal()
  if self.signalled then return end
  self.signalled = true
  if self.semaphore then self.semaphore:post(1) end
end

--- Lets the wait look whether its task was cancelled.
function Waiter:interrupt()
  if self.semaphore then self.semaphore:post(1) end
end

--- True when nginx has ended the one that waits, with its request, and did not say so.
function Waiter:is_abandoned() return self.semaphore ~= nil and not self.signalled and self.semaphore:count() >= 0 end

-- Sleeps until posted or, in whole milliseconds and never too early, until the deadline. nil when that has passed.
local function sleep_until(self, deadline, longest)
  local left = deadline and deadline - core.now() or LONGEST
  if left <= 0 then return nil end
  self.semaphore:wait(math.min(math.ceil(left * 1000) / 1000, longest))
  return true
end

function Waiter:wait(deadline)
  check_yieldable()
  local task = Task.current()
  self.semaphore = semaphore.new(0)
  if task then task.waiter = self end
  local result, why
  repeat
    local trouble = self.before_wait()
    if self.signalled then
      result = true
    elseif task and task.cancelled then
      why = "cancelled"
    elseif not sleep_until(self, deadline, trouble and TROUBLED or LONGEST) then
      result = self.signalled -- at the last moment, perhaps
      why = not result and trouble or nil
    end
  until result ~= nil or why
  if task then task.waiter = nil end
  self.semaphore = nil
  if result then self.signalled = false end
  return result, why
end

return Waiter
