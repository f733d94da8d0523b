-- SPDX-License-Identifier: MIT

--- A session that one of many has, and another takes over: `fogcloud.lead`, among the workers of an nginx, the
--- processes of a machine, or machines, as far as the store reaches.
--
-- Each that leads under a name asks for its lease, ten times in its life; the one that gets it makes the session. One
-- that is told to end lets its session finish first and gives the lease up then, so that the next one starts with the
-- client id free; one that dies, or is cut off from the store, loses it when its life is over.
local deadlines = require "fogcloud.task.deadline"
local errors = require "fogcloud.errors"
local Lease = require "fogcloud.store.lease"
local runtime = require "fogcloud.runtime"
local stores = require "fogcloud.store"
local Term = require "fogcloud.store.term"
local Waiters = require "fogcloud.task.waiters"

---@class fogcloud.Leader
---@field session fogcloud.Session?  while this one leads
---@field fence integer?             the number of its term: greater than those of all before it
local Leader = {}
Leader.__index = Leader
Leader.__name = "fogcloud.Leader"

---@class (exact) fogcloud.LeadOptions
---@field life number?  seconds that a lease lasts when its holder dies, 1 to 3600, default 10

local LIFE = 10
local MAX_BACKOFF = 30

local function complain(self, what) Term.report(self.host, ("the session of '%s' %s"):format(self.name, what)) end

local function serve_term(self)
  local term = Term.new {
    host = self.host, lease = self.lease, start = self.start,
    complain = function(what) complain(self, what) end,
    on_session = function(session)
      self.session, self.fence, self.failures = session, self.lease.fence, 0
      self.waiters:signal()
    end,
  }
  self.term = term
  if self.stopped then term:stop() end
  local reason = term:run()
  self.session, self.fence, self.term = nil, nil, nil
  if reason == "failed" or reason == "ended" then
    self.failures = self.failures + 1
    self.not_before = self.host.now() + math.min(MAX_BACKOFF, 2 ^ (self.failures - 1))
  end
end

-- One look: leads, for as long as it lasts, when the lease is to be had.
local function contend(self)
  if self.host.now() < self.not_before then return end
  local held, err = self.lease:take()
  local trouble = err and errors.text(err)
  if trouble and trouble ~= self.trouble then complain(self, "has no lease: " .. trouble) end
  self.trouble = trouble
  if held then serve_term(self) end
end

local function run(self)
  self.alarm = self.host.waiter()
  while not self.stopped do
    contend(self)
    if not self.stopped then self.alarm:wait(self.host.now() + self.lease.life / 10) end
  end
  self.over = true
  self.waiters:signal()
end

local function check(name, start, store, options, level)
  if type(name) ~= "string" or name == "" then error("name: a non-empty string expected", level + 1) end
  if type(start) ~= "function" then error("start: function expected, got " .. type(start), level + 1) end
  if type(store) ~= "string" and type(store) ~= "table" then
    error("store: string or table expected, got " .. type(store), level + 1)
  end
  if options ~= nil and type(options) ~= "table" then
    error("options: table expected, got " .. type(options), level + 1)
  end
  for option in pairs(options or {}) do
    if option ~= "life" then error(("unknown option '%s'"):format(errors.text(option)), level + 1) end
  end
end

-- A program that has a loop of ours goes on while it leads or wants to.
local function keep_running(self)
  if self.host.run == nil then return end
  self.host.spawn_task(function()
    while not self.over do self.waiters:wait() end
  end)
end

---@package
--- Has one of all that call it make a session and serve it. Does not wait.
---@param name string              what is led; one leader per name
---@param start fun(fence: integer): fogcloud.Session?, fogcloud.Error?   makes the session and its subscriptions; best
---                                with `paused = true`, for it is resumed when start returns
---@param store string|table       as the option of fogcloud.new
---@param options fogcloud.LeadOptions?
---@param level integer?           whom to blame
---@return fogcloud.Leader
function Leader.lead(name, start, store, options, level)
  level = (level or 1) + 1
  check(name, start, store, options, level)
  local host, life = runtime.host(), options and options.life or LIFE
  store = stores.resolve(store, host, math.random, level)
  Term.check(store, life, level)
  local self = setmetatable({
    name = name, start = start, host = host, lease = Lease.new(store, "lead " .. name, life, host), failures = 0,
    not_before = 0, waiters = Waiters.new(host),
  }, Leader)
  host.spawn(run, self)
  keep_running(self)
  if host.on_exit then host.on_exit(function() self:stop() end) end
  return self
end

--- The session, waited for if this one is about to have it. Yields in a task; elsewhere it blocks, and serves handlers
--- and tasks meanwhile as `step` does.
---@param timeout number  seconds
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: timeout (another one leads, or it does not start), closed, cancelled
function Leader:await(timeout)
  local deadline = deadlines.after(runtime.host().now(), timeout, nil, 2)
  local done = self.waiters:wait_until(function() return self.session ~= nil or self.stopped == true end, deadline)
  if self.session then return self.session end
  if done then return nil, errors.new("closed", "leader:stop() was called, or this worker is ending") end
  if done == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  return nil, errors.new("timeout", ("no session of '%s' here"):format(self.name), { retryable = true })
end

--- Lets the session finish and another one lead. Returns at once; harmless twice.
function Leader:stop()
  self.stopped = true
  if self.term then self.term:stop() end
  if self.alarm then self.alarm:signal() end
  self.waiters:signal()
end

--- Does that, and waits until it is done. Yields in a task; elsewhere it blocks, and serves handlers and tasks
--- meanwhile as `step` does.
---@param timeout number?  seconds, default the life of a lease
---@return boolean? ok
---@return fogcloud.Error? err  kinds: timeout, cancelled
function Leader:finish(timeout)
  local deadline = deadlines.after(self.host.now(), timeout, self.lease.life, 2)
  self:stop()
  local done = self.waiters:wait_until(function() return self.over end, deadline)
  if done == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  if not done then return nil, errors.new("timeout", "the session has not handed over in time") end
  return true
end

return Leader
