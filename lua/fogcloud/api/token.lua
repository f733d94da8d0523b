-- SPDX-License-Identifier: MIT

--- One access token: fetched at first use, once for all that wait; renewed ahead of its expiry; dropped by value when
--- refused.
--
-- A fetch is a flight: one background task, joined by whoever needs its outcome, so that a caller that is cancelled
-- or out of time takes nothing from the others. Renewal is a flight that nobody waits for: it starts with the first
-- call after 80 % of the stated life, less up to a tenth of it, and the old token serves meanwhile. When it fails, the
-- old one serves until it expires; the next try waits 5 to 10 minutes, or a part of what is left.
--
-- Life counts on the monotonic clock, so a wall clock that jumps changes nothing. Only what comes from a shared store
-- is dated by the wall clock, once, when it is taken over. A machine that slept finds its token refused and fetches.
--
-- A cloud that refuses every token it gives, or the key itself, must not be asked again and again: after the second
-- refusal in a row each next fetch waits twice as long as the one before, 5 minutes at most.
local data = require "fogcloud.api.data"
local errors = require "fogcloud.errors"
local protect = require "fogcloud.task.protect"

---@class fogcloud.Token
---@field refusals integer  how many tokens in a row the server refused
local Token = {}
Token.__index = Token
Token.__name = "fogcloud.Token"
Token.__tostring = function() return "fogcloud.Token [redacted]" end

local VERSION = 1 -- of the records
local RENEW_AT, JITTER = 0.8, 0.1
local RETRY_MIN, RETRY_MAX = 300, 600
local UNKNOWN_LIFE, MAX_LIFE = 3600, 30 * 86400
local FETCH_TIME = 30 -- seconds for a flight that nobody waits for
local LOCK_SHARE = 0.75 -- of a flight's time: its holder may be stopped
local LOCK_TIME = 35 -- longer than a fetch, and yet a stopped process must not hold up all others for ever
local MAX_BACKOFF = 300
local GRACE = 0.03 -- the flight's own request ends by the same deadline and knows best why
local FUTURE = 60 -- seconds by which two machines' wall clocks may differ

---@class fogcloud.TokenParts
---@field host table
---@field store table                        see store/init.lua
---@field key string                         what tells this account's token from others in the store
---@field fetch fun(deadline: number): table?, fogcloud.Error?   makes the token call, with its repetitions
---@field random fun(): number
---@field logger fogcloud.Logger
---@field redactor fogcloud.Redactor         is told every token

---@param parts fogcloud.TokenParts
---@return fogcloud.Token
function Token.new(parts)
  local self = { refusals = 0, not_before = 0, counters = { fetches = 0, failures = 0, renewals = 0, refusals = 0 } }
  for name, value in pairs(parts) do self[name] = value end
  return setmetatable(self, Token)
end

-- Records ------------------------------------------------------------------------------------------------------------

-- A server may state nothing, nonsense or eternity: then the token serves until it is refused, and is renewed every
-- now and then.
local function life_of(reply)
  local life = tonumber(reply.expires_in)
  if life == nil or life ~= life or life <= 0 then return UNKNOWN_LIFE end
  return math.min(life, MAX_LIFE)
end

local function new_record(self, reply, asked)
  local life = life_of(reply)
  return {
    version = VERSION, value = reply.access_token, born = asked, expires = asked + life,
    renew = asked + life * (RENEW_AT - JITTER * self.random()),
  }
end

-- What is added to a time on our clock to get one on the store's.
local function offset(self) return self.store.shared and self.host.wall() - self.host.now() or 0 end

local TIMES = { "born", "expires", "renew" }

-- With what a later version may have put there besides.
local function shifted(record, by)
  local copy = {}
  for name, value in pairs(record) do copy[name] = value end
  for _, name in ipairs(TIMES) do copy[name] = record[name] + by end
  return copy
end

local function save(self, record)
  local ok, err = self.store:set(self.key, shifted(record, offset(self)))
  if not ok then self.logger:write("warn", "the token could not be stored", { err = err }) end
end

local function is_record(record)
  if not data.is_token(record.value) then return false end -- another program may have put it there
  for _, name in ipairs(TIMES) do
    if type(record[name]) ~= "number" then return false end
  end
  return true
end

-- The stored token when it still serves. One from the future was stored before the wall clock was put back: how long
-- it will serve cannot be told.
local function load(self)
  local stored, err = self.store:get(self.key)
  if err then self.logger:write("warn", "the stored token is not used", { err = err }) end
  if stored == nil or not is_record(stored) or stored.value == self.rejected then return nil end
  local record, now = shifted(stored, -offset(self)), self.host.now()
  if now >= record.expires or record.born > now + FUTURE or record.expires - record.born > MAX_LIFE then return nil end
  self.redactor:hide(record.value, "token")
  return record
end

local function serving(self)
  local record = self.record
  if record ~= nil and self.host.now() < record.expires then return record end
  local loaded = load(self)
  record = self.record -- a store may wait, and a flight land meanwhile
  if record == nil or self.host.now() >= record.expires then self.record = loaded end
  return self.record
end

-- Flights ------------------------------------------------------------------------------------------------------------

local function back_off(self)
  self.refusals = self.refusals + 1
  if self.refusals < 2 then return end
  local longest = math.min(MAX_BACKOFF, 2 ^ (self.refusals - 2))
  self.not_before = self.host.now() + longest * (0.5 + 0.5 * self.random())
end

-- True when a fetch may be made now; it waits for that where the deadline allows.
local function wait_turn(self, deadline)
  local now = self.host.now()
  if now >= self.not_before then return true end
  if self.denial then return nil, self.denial end
  if self.not_before >= deadline then
    local text = "the cloud refuses one new access token after another: is the access key still enabled?"
    local fields = { endpoint = "token", retryable = true, retry_after = self.not_before - now }
    return nil, errors.new("auth", text, fields)
  end
  return self.host.sleep(self.not_before - now)
end

local function fetch(self, deadline)
  local allowed, why = wait_turn(self, deadline)
  if not allowed then return nil, errors.is(why) and why or errors.new("cancelled", "the task was cancelled") end
  local asked = self.host.now()
  self.counters.fetches = self.counters.fetches + 1
  local reply, err = self.fetch(deadline)
  self.denial = nil
  if reply == nil then
    self.counters.failures = self.counters.failures + 1
    if err.kind == "auth" then
      self.denial = err
      back_off(self)
    end
    return nil, err
  end
  self.redactor:hide(reply.access_token, "token")
  local record = new_record(self, reply, asked)
  save(self, record)
  self.logger:write("debug", "a token came", { life = record.expires - record.born })
  return record
end

-- After a renewal that failed: when the next one is due, for the others that share the store too.
local function postpone(self, record)
  local now = self.host.now()
  local wait = RETRY_MIN + (RETRY_MAX - RETRY_MIN) * self.random()
  local left = record.expires - now
  record.renew = now + math.min(wait, left * (0.3 + 0.2 * self.random()))
  save(self, record)
end

-- The holder of the lock looks again: somebody else may have fetched, or tried in vain, while it waited.
local function obtain(self, deadline)
  local old = load(self)
  if old and self.host.now() < old.renew then return old end
  local record, err = fetch(self, deadline)
  if record == nil and old and old.value ~= self.rejected then
    postpone(self, old)
    self.logger:write("warn", "the token was not renewed; the old one serves on", { err = err })
    return old
  end
  return record, err
end

-- The lock; nil, err without it. A flight may have less time than the holder's fetch, so the time to wait counts on
-- from one to the next; but a flight keeps a part of its time for a fetch of its own.
local function lock(self, deadline)
  local now = self.host.now()
  if self.lock_by == nil or now > self.lock_by + LOCK_TIME then self.lock_by = now + LOCK_TIME end
  local unlock, why = self.store:lock(self.key, math.min(now + LOCK_SHARE * (deadline - now), self.lock_by))
  if unlock or self.host.now() >= self.lock_by then self.lock_by = nil end
  return unlock, why
end

local function obtain_locked(self, deadline)
  local unlock, why = lock(self, deadline)
  if not unlock then self.logger:write("warn", "the token is fetched without its lock", { err = why }) end
  local ok, record, err = protect.call(obtain, self, deadline)
  if unlock then unlock() end
  if not ok then
    local text = "the token could not be fetched: " .. self.redactor:one_line(errors.text(record):match("^[^\n]*"))
    return nil, errors.new("protocol", text, { endpoint = "token" })
  end
  if err and not unlock and why.kind == "timeout" then err.message = err.message .. "; before that, " .. why.message end
  return record, err
end

local function launch(self, deadline)
  local flight = { waiters = {}, deadline = deadline }
  self.flight = flight
  flight.task = self.host.spawn(function()
    flight.record, flight.err = obtain_locked(self, deadline)
    self.flight, flight.done = nil, true
    if flight.record then self.record = flight.record end
    for waiter in pairs(flight.waiters) do waiter:signal() end
  end)
  return flight
end

-- The flight that is under way. One whose task was ended, by an error that a debug hook threw, never lands.
local function under_way(self)
  local flight = self.flight
  if flight and type(flight.task) == "table" and flight.task.done and not flight.done then self.flight = nil end
  return self.flight
end

-- True when the flight has landed by the deadline.
local function join(self, flight, deadline)
  local waiter = self.host.waiter()
  flight.waiters[waiter] = true
  local woken, why = waiter:wait(deadline + GRACE)
  flight.waiters[waiter] = nil
  if flight.done then return true end
  local fields = { endpoint = "token", retryable = woken ~= nil }
  if woken == nil then return nil, errors.new("cancelled", "the task was cancelled", fields) end
  return nil, errors.new("timeout", "the access token did not come in time" .. (why and ": " .. why or ""), fields)
end

-- The face -----------------------------------------------------------------------------------------------------------

--- The token in hand, where it is not yet to be renewed: as nearly always.
---@param now number
---@return string? token
function Token:at_hand(now)
  local record = self.record
  if record ~= nil and now < record.renew and now < record.expires then return record.value end
  return nil
end

--- The token. Waits only when there is none that serves; yields in a task, blocks elsewhere.
---@param deadline number
---@return string? token
---@return fogcloud.Error? err  the token call's; timeout, cancelled. The caller's own copy
function Token:get(deadline)
  local now = self.host.now()
  local token = self:at_hand(now)
  if token ~= nil then return token end
  local record = serving(self)
  if record ~= nil then
    if now >= record.renew and under_way(self) == nil then
      self.counters.renewals = self.counters.renewals + 1
      launch(self, self.host.now() + FETCH_TIME)
    end
    return record.value
  end
  while true do
    local flight = under_way(self) or launch(self, deadline)
    local landed, err = join(self, flight, deadline)
    if not landed then return nil, err end
    if flight.record then return flight.record.value end
    -- A flight that somebody with less time began says little of what we can get.
    if not (flight.err.retryable and flight.deadline + 1 < deadline) then return nil, errors.copy(flight.err) end
  end
end

--- Drops this very token after the server refused it, from the store too; one that somebody else got meanwhile stays.
---@param value string
function Token:drop(value)
  if self.record == nil or self.record.value ~= value then return end
  self.record, self.rejected = nil, value
  self.counters.refusals = self.counters.refusals + 1
  back_off(self)
  self.logger:write("info", "the cloud refused the token; a new one is fetched")
  local gone, err = self.store:delete(self.key, { value = value })
  if not gone then self.logger:write("warn", "the refused token could not be forgotten", { err = err }) end
end

--- How long the token in hand has served, and will serve; nil when there is none.
---@return number? age   seconds
---@return number? left  seconds
function Token:age()
  local record, now = self.record, self.host.now()
  if record == nil or now >= record.expires then return nil end
  return math.max(0, now - record.born), record.expires - now
end

--- Notes that the server took this token.
---@param value string
function Token:accept(value)
  if self.record ~= nil and self.record.value == value then self.refusals = 0 end
end

return Token
