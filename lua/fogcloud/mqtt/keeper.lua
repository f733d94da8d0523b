-- SPDX-License-Identifier: MIT

--- Keeps one session connected: a task that connects, waits until the link is gone, backs off and connects again, until
-- the session is closed or there is no sense in going on. It alone decides, and it alone changes the session's state
-- (state.lua).
--
-- Backoff: the first attempt after a stable link comes at once, then after a random time between 0 and
-- base * 2^n, at most the cap ("full jitter"). It starts anew only when a link has been stable for a while, so that a
-- broker that takes us in and throws us out again is not hammered.
--
-- What ends a session: `close`, credentials that are refused and cannot be had afresh, max_attempts. An error that is
-- final for the first attempt, whose caller can mend it, may pass for a session that runs: a certificate that is
-- renewed late, a broker in trouble.
local core = require "fogcloud.core"
local diagnosis = require "fogcloud.mqtt.diagnosis"
local errors = require "fogcloud.errors"
local link_options = require "fogcloud.mqtt.link_options"
local options = require "fogcloud.mqtt.options"
local protect = require "fogcloud.task.protect"
local retry = require "fogcloud.api.retry"
local Suspicion = require "fogcloud.mqtt.suspicion"

local Keeper = {}
Keeper.__index = Keeper

-- One source of randomness for all sessions of this Lua state: two made at the same moment have not the same jitter.
local jitter

local function new_random(host)
  jitter = jitter or retry.random(host.wall() * 1e6 + core.pid() * 7919)
  return jitter
end

---@class (exact) fogcloud.KeeperParts
---@field host table
---@field handle userdata            the core's half
---@field state fogcloud.SessionState
---@field opts table
---@field credentials fogcloud.Credentials
---@field listener table             hears note_up(event), note_lost(err), note_error(err), note_ending(err, was_up),
---                                 note_released(), note_closed(), adopt(credentials), cut_short(), blame(filter, err)

---@param parts fogcloud.KeeperParts
function Keeper.new(parts, random)
  return setmetatable({
    host = parts.host, handle = parts.handle, state = parts.state, opts = parts.opts, listener = parts.listener,
    credentials = parts.credentials,
    random = random or new_random(parts.host),
    mail = {},
    waiter = parts.host.waiter(),
    suspicion = Suspicion.new(parts.opts.stable_after),
    refreshed = false,
    failures = 0,
    short_lives = 0,
  }, Keeper)
end

--- An event of the core's; called by the session, does not yield.
---@param name "up"|"down"|"closed"
---@param event table?
function Keeper:post(name, event)
  if name ~= "closed" and event.link ~= self.state.link then return end -- an older link's last words
  self.mail[#self.mail + 1] = { name = name, event = event }
  self.waiter:signal()
end

--- Asks the task to end the session; with a goodbye of this kind, where one is given.
---@param goodbye table?  reason, properties (as bytes)
function Keeper:close(goodbye)
  self.closing, self.goodbye = true, goodbye
  self.waiter:signal()
end

--- Has the task end the session because of `err`.
---@param err fogcloud.Error
function Keeper:fail(err)
  self.failing = err
  self:close()
end

--- Has the goodbye said now, where nobody may run the task any more. After close.
function Keeper:say_goodbye()
  local goodbye = self.goodbye or {}
  self.handle:close(goodbye.reason, goodbye.properties)
end

-- The next letter; nil when the deadline passed or the session is closing.
local function next_letter(self, deadline)
  local in_time = true
  while self.closing or #self.mail == 0 do
    if self.closing or not in_time then return nil end
    in_time = self.waiter:wait(deadline) ~= false -- one may have come with the deadline
  end
  return table.remove(self.mail, 1)
end

-- A driver has a time-out of its own for each attempt; should it forget, this much later the attempt ends all the same.
local GRACE = 5

-- One attempt. The event when the broker took us in, else nil, err.
local function attempt(self)
  local state, opts = self.state, self.opts
  state.link = state.link + 1
  self.mail = {} -- what an earlier link had left to say
  local link = link_options.link(self.credentials, opts, state)
  link.probe, link.discard = self.suspicion:wants_probe(), self.suspicion:take_verdict()
  local where = link_options.address(self.credentials, opts)
  local ok, why = self.handle:connect(link)
  if not ok then return nil, errors.new("mqtt", why) end
  local letter = next_letter(self, self.host.now() + opts.connect_timeout + GRACE)
  if letter == nil then
    if not self.closing then self.handle:leave() end -- else the end of the task does it
    if self.closing then return nil, errors.new("closed", "the session was closed") end
    return nil, errors.new("timeout", "no answer from the broker", { endpoint = where, retryable = true })
  end
  if letter.name == "up" then return letter.event end
  return nil, diagnosis.refused(letter.event, where, opts)
end

-- What the user's function gives, checked. Its errors become ours: a keeper that dies would leave its session hanging.
local function supplied(self)
  local ok, credentials, err = protect.call(function()
    local given, why = self.opts.credentials()
    if given ~= nil then options.check_credentials(given, self.opts, 1) end
    return given, why
  end)
  if ok then return credentials, err end
  return nil, errors.new("auth", "no fresh credentials: " .. errors.text(credentials))
end

-- Fresh credentials after the refusal `err`, once until a link has been stable. True when there are some; else nil and
-- the refusal, with why there are none. It may be tried again where they could not be had for a reason that passes.
local function refresh(self, err)
  if self.opts.credentials == nil or self.refreshed then return nil, err end
  local credentials, why = supplied(self)
  if credentials == nil then
    local text = ("%s; fresh credentials could not be had: %s"):format(err.message, errors.text(why))
    local passing = type(why) == "table" and why.retryable == true
    return nil, errors.copy(err, { message = text, retryable = passing })
  end
  self.refreshed, self.credentials = true, credentials
  self.listener:adopt(credentials)
  return true
end

local function backoff(self)
  local opts = self.opts
  local tries = self.failures + self.short_lives
  if tries == 0 then return 0 end
  tries = self.suspicion:failures() or tries
  return self.random() * math.min(opts.backoff_cap, opts.backoff_base * 2 ^ math.min(tries - 1, 30))
end

-- Waits for the time of the next attempt; returns early when the session is closing.
local function wait_backoff(self)
  local deadline = self.host.now() + backoff(self)
  while not self.closing and self.host.now() < deadline do
    self.mail = {}
    self.waiter:wait(deadline)
  end
  return not self.closing
end

-- Whether an attempt that failed for such a reason may be followed by another.
local function passes(self, err)
  if err.retryable then return true end
  return err.kind ~= "auth" and (self.state:was_up() or self.opts.retry == true)
end

-- What a failed attempt means: true to go on, nil, err to end.
local function judge(self, err)
  self.failures = self.failures + 1
  if err.kind == "closed" then return nil, err end
  if err.kind == "auth" then
    local fresh
    fresh, err = refresh(self, err)
    if fresh then
      self.failures = 0
      return true
    end
  end
  if not passes(self, err) or self.failures >= self.opts.max_attempts then return nil, err end
  self.listener:note_error(err)
  return not self.closing or nil, err
end

-- Stays until the link is gone. Why; nil when the session is closing.
local function stay(self)
  local since = self.host.now()
  local letter
  repeat letter = next_letter(self) until letter == nil or letter.name == "down"
  if letter == nil then return nil end
  local event = letter.event
  local stable = self.host.now() - since >= self.opts.stable_after
  self.short_lives = stable and 0 or self.short_lives + 1
  if stable then self.refreshed = false end
  local filter, err = self.suspicion:note_lost(event, self.listener:cut_short(), stable)
  if filter then self.listener:blame(filter, err) end
  return diagnosis.lost(event, self.short_lives)
end

-- Connects and stays, again and again. Returns the error that ends it, nil when the session is closing.
local function live(self)
  while true do
    local up, why = attempt(self)
    if up then
      self.failures = 0
      self.state.limits, self.state.version = up.properties or {}, up.version
      self.state:to "up"
      self.listener:note_up(up)
      local lost = stay(self)
      if lost == nil then return nil end
      self.state:to "waiting"
      self.listener:note_lost(lost)
    else
      local go_on, err = judge(self, why)
      if not go_on then return err.kind ~= "closed" and err or nil end
      self.state:to "waiting"
    end
    if not wait_backoff(self) then return nil end
  end
end

-- Not by next_letter, which has nothing to say once the user has closed the session too.
local function wait_closed(self)
  repeat
    while #self.mail == 0 do self.waiter:wait() end
  until table.remove(self.mail, 1).name == "closed"
end

--- The task: returns when the session is closed, the core has let go of it, and what had come is handled: it is
--- acknowledged, and nobody else has it.
function Keeper:run()
  local ok, err = protect.call(live, self)
  if not ok then err = errors.new("mqtt", "a mistake in fogcloud: " .. errors.text(err)) end
  err = err or self.failing
  local was_up = self.state:is_up()
  self.state:to "ending"
  self.listener:note_ending(err, was_up)
  self:say_goodbye()
  wait_closed(self)
  self.state:to "released"
  self.listener:note_released()
  self.state:to "closed"
  self.listener:note_closed()
end

return Keeper
