-- SPDX-License-Identifier: MIT

--- Keeps one session connected: a task that connects, waits until the link is gone, backs off and connects again, until
-- the session is closed or there is no sense in going on. It alone decides; the session's other calls only look at what
-- it says.
--
--   connecting -> up -> (lost) -> waiting -> connecting …      and from anywhere -> closed
--
-- Backoff: the first attempt after a stable link comes at once, then after a random time between 0 and
-- base * 2^n, at most the cap ("full jitter"). It starts anew only when a link has been stable for a while, so that a
-- broker that takes us in and throws us out again is not hammered.
local core = require "fogcloud.core"
local diagnosis = require "fogcloud.mqtt.diagnosis"
local errors = require "fogcloud.errors"
local options = require "fogcloud.mqtt.options"
local protect = require "fogcloud.task.protect"
local retry = require "fogcloud.api.retry"

local SUSPICIONS = 8 -- links lost with the same message or subscription on its way, before it is called the cause

local Keeper = {}
Keeper.__index = Keeper

-- One source of randomness for all sessions of this Lua state: two made at the same moment have not the same jitter.
local jitter

local function new_random(host)
  jitter = jitter or retry.random(host.wall() * 1e6 + core.pid() * 7919)
  return jitter
end

--- For `session`, which has host, handle, opts, credentials, handlers, subscriptions, and takes the note_… below.
function Keeper.new(session, random)
  return setmetatable({
    session = session,
    host = session.host,
    random = random or new_random(session.host),
    mail = {},
    waiter = session.host.waiter(),
    link = 0,
    refreshed = false,
    failures = 0,
    short_lives = 0,
    suspicions = 0,
    state = "connecting",
  }, Keeper)
end

--- An event of the core for the link in force; called by the session, does not yield.
function Keeper:post(name, link, code, third, fourth, properties)
  if name ~= "closed" and link ~= self.link then return end -- an older link's last words
  self.mail[#self.mail + 1] = { name = name, code = code, third = third, fourth = fourth, properties = properties }
  self.waiter:signal()
end

--- Asks the task to end the session.
function Keeper:close()
  self.closing = true
  self.waiter:signal()
end

-- The next event; nil when the deadline passed or the session is closing.
local function next_event(self, deadline)
  local in_time = true
  while #self.mail == 0 do
    if self.closing or not in_time then return nil end
    in_time = self.waiter:wait(deadline) ~= false -- an event may have come with the deadline
  end
  return table.remove(self.mail, 1)
end

-- One attempt. The event with the broker's word when it took us in, else nil, err.
local function attempt(self)
  local session = self.session
  self.link = self.link + 1
  self.mail = {} -- what an earlier link had left to say
  self.state = "connecting"
  local link_options = options.link(session.credentials, session.opts, self.link)
  local ok, why = session.handle:connect(link_options)
  if not ok then return nil, errors.new("mqtt", why) end
  -- Paho has a time-out of its own; should it forget (traps: P9), this one ends the attempt.
  local event = next_event(self, self.host.now() + session.opts.connect_timeout + 5)
  if event == nil then
    session.handle:leave()
    if self.closing then return nil, errors.new("closed", "the session was closed") end
    local text = ("no answer from the broker at %s"):format(link_options.uri)
    return nil, errors.new("timeout", text, { retryable = true })
  end
  if event.name == "connected" then return event end
  if event.name == "refused" then
    return nil, diagnosis.refused(event.code, event.third, event.fourth, link_options.uri)
  end
  return nil, diagnosis.lost(event.code, event.third, nil, event.properties)
end

-- What the user's function gives, checked. Its errors become ours: a keeper that dies would leave its session hanging.
local function supplied(session)
  local ok, credentials, err = protect.call(function()
    local given, why = session.opts.credentials()
    if given ~= nil then options.check_credentials(given, session.opts, 1) end
    return given, why
  end)
  if ok then return credentials, err end
  return nil, errors.new("auth", "no fresh credentials: " .. tostring(credentials))
end

-- Fresh credentials after the refusal `err`, once until a link has been stable. True when there are some; else nil and
-- the refusal, with why there are none. It may be tried again where they could not be had for a reason that passes.
local function refresh(self, err)
  local session = self.session
  if session.opts.credentials == nil or self.refreshed then return nil, err end
  local credentials, why = supplied(session)
  if credentials == nil then
    local text = ("%s; fresh credentials could not be had: %s"):format(err.message, tostring(why))
    local passing = type(why) == "table" and why.retryable == true
    return nil, errors.copy(err, { message = text, retryable = passing })
  end
  self.refreshed = true
  session:adopt(credentials)
  return true
end

local function backoff(self)
  local opts = self.session.opts
  if self.left and self.failures == 0 then return 0 end
  if self.failures + self.short_lives == 0 then return 0 end
  local exponent = math.min(self.failures + self.short_lives - 1, 30)
  return self.random() * math.min(opts.backoff_cap, opts.backoff_base * 2 ^ exponent)
end

-- Waits for the time of the next attempt; returns early when the session is closing.
local function wait_backoff(self)
  local deadline = self.host.now() + backoff(self)
  self.state = "waiting"
  while not self.closing and self.host.now() < deadline do
    self.mail = {}
    self.waiter:wait(deadline)
  end
  return not self.closing
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
  if not err.retryable or self.failures >= self.session.opts.max_attempts then return nil, err end
  self.session:note_error(err)
  return true
end

-- What was on its way when the link was lost soon after it came up, and no answer to it ever came: after a few times in
-- a row it is the cause, and trying for ever would keep everything else from being sent. Its diagnosis, else nil.
local function poison(self, stable, code)
  local session = self.session
  if not diagnosis.may_blame_packet(code) then return nil end
  local filter = session.subscriptions:unanswered()
  local id, topic, size = session.handle:oldest_in_flight()
  local suspect = filter or id
  if suspect == nil or stable or suspect ~= self.suspect then
    self.suspect, self.suspicions = suspect, suspect and 1 or 0
    return nil
  end
  self.suspicions = self.suspicions + 1
  if self.suspicions < SUSPICIONS then return nil end
  return diagnosis.poison(self.suspicions, filter, id, topic, size)
end

-- Stays until the link is gone. Returns why (nil when the session is closing), and true when there is no sense in
-- connecting again.
local function stay(self)
  local since = self.host.now()
  local event
  repeat event = next_event(self) until event == nil or event.name == "lost"
  if event == nil then return nil end
  self.left = event.fourth == "left" -- because Lua did not keep up, which says nothing of the network
  if self.left then return diagnosis.lost(event.code, event.third) end
  local stable = self.host.now() - since >= self.session.opts.stable_after
  self.short_lives = stable and 0 or self.short_lives + 1
  if stable then self.refreshed = false end
  local poisoned = poison(self, stable, event.code)
  if poisoned then return poisoned, true end
  return diagnosis.lost(event.code, event.third, self, event.properties)
end

-- Left because Lua did not keep up: coming back before half of the room is free would only lead to leaving again.
local function wait_room(self)
  local opts, handlers = self.session.opts, self.session.handlers
  if handlers:when_room(opts.in_count / 2, opts.in_bytes / 2, self.waiter) then return end
  self.session.subscriptions:settle_paused()
  while handlers.room ~= nil and not self.closing do self.waiter:wait() end
end

-- The broker may ask for a shorter keepalive (MQTT 5, 3.2.2.3.14), and Paho does not listen. True when the link in
-- force was given up for it.
local function adopt_keepalive(self, properties)
  local opts, asked = self.session.opts, properties and properties.server_keep_alive
  if asked == nil or asked == 0 or (opts.keepalive > 0 and opts.keepalive <= asked) then return false end
  opts.keepalive = asked
  self.session.handle:leave()
  repeat local event = next_event(self) until event == nil or event.name == "lost"
  return true
end

-- Connects and stays, again and again. Returns the error that ends it, nil when the session is closing.
local function live(self)
  while true do
    local up, why = attempt(self)
    if up and not up.third then self.session.subscriptions:doubt() end
    if up and not adopt_keepalive(self, up.properties) then
      self.state, self.failures = "up", 0
      self.session:note_up(up.third, up.properties)
      local lost, final = stay(self)
      self.state = "waiting"
      if lost == nil or final then return lost end
      self.session:note_lost(lost)
      wait_room(self)
    elseif not up then
      local go_on, err = judge(self, why)
      if not go_on then return err.kind ~= "closed" and err or nil end
    end
    if not wait_backoff(self) then return nil end
  end
end

-- Not by next_event, which has nothing to say once the user has closed the session too.
local function wait_closed(self)
  repeat
    while #self.mail == 0 do self.waiter:wait() end
  until table.remove(self.mail, 1).name == "closed"
end

--- The task: returns when the session is closed, the core has let go of it, and what had come is handled: it is
--- acknowledged, and nobody else has it.
function Keeper:run()
  local ok, err = protect.call(live, self)
  if not ok then err = errors.new("mqtt", "a mistake in fogcloud: " .. tostring(err)) end
  self.state = "closed"
  self.session:note_ending(err)
  self.session.handle:close()
  wait_closed(self)
  self.session:note_left()
  local outcome = self.session.outcome -- of finish, where that waits for handlers
  self.session.handlers:drain(outcome ~= nil and outcome.point == "gone")
  self.session:note_closed()
end

return Keeper
