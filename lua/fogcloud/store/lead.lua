-- SPDX-License-Identifier: MIT

--- A session that one worker of an nginx has, and another takes over: `fogcloud.lead`.
--
-- Each worker that leads under a name asks for its lease, once a second; the one that gets it makes the session. One
-- that is told to end lets its session finish first and gives the lease up then, so that the next one starts with the
-- client id free; one that dies is seen to be dead. All of this runs in timers, of which nginx fires the next at once
-- when the worker is to end.
local core = require "fogcloud.core"
local deadlines = require "fogcloud.task.deadline"
local errors = require "fogcloud.errors"
local Lease = require "fogcloud.store.lease"
local protect = require "fogcloud.task.protect"
local runtime = require "fogcloud.runtime"

---@class fogcloud.Leader
---@field session fogcloud.Session?  while this worker leads
local Leader = {}
Leader.__index = Leader
Leader.__name = "fogcloud.Leader"

local INTERVAL = 1
local FINISH_TIME = 5 -- seconds a session has for handing over
local MAX_BACKOFF = 30

local function complain(self, what)
  local ngx = rawget(_G, "ngx")
  ngx.log(ngx.ERR, ("fogcloud: the session of '%s' %s"):format(self.name, tostring(what)))
end

local function give_up(self)
  self.session = nil
  self.lease:release()
  self.failures = self.failures + 1
  self.not_before = core.now() + math.min(MAX_BACKOFF, 2 ^ (self.failures - 1))
end

local function wake(self)
  for waiter in pairs(self.waiters) do waiter:signal() end
end

local function begin(self)
  local ok, session, err = protect.call(self.start)
  self.starting = nil
  if not ok or session == nil then
    complain(self, "does not start: " .. tostring(not ok and session or err))
    return give_up(self)
  end
  if self.leaving or not self.lease:hold() then return session:close() end -- it took too long
  self.session, self.failures = session, 0
  session:resume()
  wake(self)
end

-- Ends the leading: lets the session finish, then others have their turn.
local function leave(self)
  self.leaving = true
  wake(self)
  if self.starting then self.starting:wait(FINISH_TIME) end
  if self.session then self.session:finish(FINISH_TIME) end
  self.session = nil
  self.lease:release()
end

local function check_session(self)
  if self.session == nil or self.session.ended == nil then return end
  complain(self, "ended: " .. tostring(self.session.ended))
  give_up(self)
end

local function lead_on(self)
  check_session(self)
  if core.now() < self.not_before then return end
  local held, why = self.lease:hold()
  if why and why ~= self.trouble then complain(self, "has no lease: " .. why) end
  self.trouble = why
  if held then
    if not self.session and not self.starting then self.starting = self.host.spawn_user(begin, self) end
  elseif self.session then
    complain(self, "was taken over by another worker")
    self.session:close()
    self.session = nil
  end
end

local function turn(premature, self)
  local ngx = rawget(_G, "ngx")
  if premature or self.stopped then return leave(self) end
  lead_on(self)
  local ok = ngx.timer.at(INTERVAL, turn, self)
  if not ok then leave(self) end -- the worker has been told to end meanwhile
end

---@package
--- Has one worker of this nginx make a session and serve it; see docs/guide-openresty.md. Every worker calls it, in
--- init_worker_by_lua* as a rule. Does not wait.
---@param name string              what is led; one worker per name
---@param start fun(): fogcloud.Session?, fogcloud.Error?   makes the session and its subscriptions; best with
---                                `paused = true`, for it is resumed when start returns
---@param dictionary string        a lua_shared_dict
---@param level integer?           whom to blame
---@return fogcloud.Leader
function Leader.lead(name, start, dictionary, level)
  level = (level or 1) + 1
  if type(name) ~= "string" or name == "" then error("name: a non-empty string expected", level) end
  if type(start) ~= "function" then error("start: function expected, got " .. type(start), level) end
  local host, ngx = runtime.host(), rawget(_G, "ngx")
  if host.name ~= "openresty" then error("fogcloud.lead is for nginx's workers", level) end
  local dict = ngx.shared[dictionary]
  if dict == nil then
    error(("dictionary: nginx.conf has no 'lua_shared_dict %s 1m;'"):format(tostring(dictionary)), level)
  end
  local self = setmetatable({
    name = name, start = start, host = host, lease = Lease.new(dict, name), failures = 0, not_before = 0,
    waiters = setmetatable({}, { __mode = "k" }), -- nginx may end a request that waits, without a word
  }, Leader)
  assert(ngx.timer.at(0, turn, self))
  return self
end

--- The session, waited for if this worker is about to have it. Yields.
---@param timeout number  seconds
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: timeout (another worker leads, or it does not start), closed, cancelled
function Leader:await(timeout)
  local deadline = deadlines.after(core.now(), timeout, nil, 2)
  while self.session == nil do
    if self.leaving then
      return nil, errors.new("closed", self.stopped and "leader:stop() was called" or "this worker is ending")
    end
    local waiter = self.host.waiter()
    self.waiters[waiter] = true
    local woken = waiter:wait(deadline)
    self.waiters[waiter] = nil
    if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
    if not woken then
      return nil, errors.new("timeout", ("no session of '%s' in this worker"):format(self.name), { retryable = true })
    end
  end
  return self.session
end

--- Lets the session finish and another worker lead, within a second. Returns at once.
function Leader:stop() self.stopped = true end

return Leader
