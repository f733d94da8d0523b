-- SPDX-License-Identifier: MIT

--- One access token: fetched at first use by one of all that wait, renewed ahead of its expiry, dropped by value when
--- refused.
--
-- Renewal is at 80 % of the stated life, less up to a tenth of it, in the background; the old token serves meanwhile,
-- and goes on to serve when renewing fails, until it expires: the next try then waits 5 to 10 minutes, or a part of
-- what is left. Life counts on the monotonic clock in a store of our own, on the wall clock in a shared one.
local errors = require "fogcloud.errors"

local Token = {}
Token.__index = Token
Token.__name = "fogcloud.Token"
Token.__tostring = function() return "fogcloud.Token [redacted]" end

local RENEW_AT, JITTER = 0.8, 0.1
local RETRY_MIN, RETRY_MAX = 300, 600
local DEFAULT_LIFE, MAX_LIFE = 604800, 10 * 365 * 86400

--- `fetch(deadline)` makes the token request with its retries: the reply's data, or nil, err.
---@param key string  what tells this account's token from others in the store
function Token.new(host, store, key, fetch, random)
  return setmetatable({ host = host, store = store, key = key, fetch = fetch, random = random or math.random }, Token)
end

local function clock(self) return self.store.shared and self.host.wall() or self.host.now() end

-- A server may state nothing, nonsense or eternity; a token of unknown life is used until it is refused.
local function life_of(data)
  local life = tonumber(data.expires_in)
  if life == nil or life ~= life or life <= 0 then return DEFAULT_LIFE end
  return math.min(life, MAX_LIFE)
end

local function record_of(self, data)
  local now, life = clock(self), life_of(data)
  return {
    value = data.access_token,
    expires = now + life,
    renew = now + life * (RENEW_AT - JITTER * self.random()),
    born = now,
  }
end

-- The stored token when it still serves. A wall clock that was put back makes it younger than new: then it is not
-- believed.
local function serving(self)
  local record = self.store:get(self.key)
  if record == nil then return nil end
  local now = clock(self)
  if now >= record.expires or now < record.born - 60 then return nil end
  return record, now >= record.renew
end

local function fetch(self, deadline)
  local data, err = self.fetch(deadline)
  if data == nil then return nil, err end
  if type(data.access_token) ~= "string" or data.access_token == "" then
    return nil, errors.new("protocol", "the reply holds no access_token", { endpoint = "token" })
  end
  local record = record_of(self, data)
  self.store:set(self.key, record)
  return record
end

-- Fetches unless somebody else did while we waited for the lock.
local function fetch_once(self, deadline, known)
  local unlock, err = self.store:lock(self.key, deadline)
  if unlock == nil then return nil, err end
  local record = serving(self)
  if record == nil or record.value == known then record, err = fetch(self, deadline) end
  unlock()
  return record, err
end

-- After a renewal that failed: when the next one is due.
local function postpone(self, record)
  local left = record.expires - clock(self)
  local wait = RETRY_MIN + (RETRY_MAX - RETRY_MIN) * self.random()
  record.renew = clock(self) + math.min(wait, left / 2)
  self.store:set(self.key, record)
end

local function renew(self, record)
  self.renewing = true
  self.host.spawn(function()
    local fresh = fetch_once(self, self.host.now() + 30, record.value)
    if fresh == nil and serving(self) then postpone(self, record) end
    self.renewing = false
  end)
end

--- The token. Waits only when there is none that serves; yields in a task, blocks elsewhere.
---@param deadline number
---@return string? token
---@return fogcloud.Error? err  the token call's, or timeout, cancelled
function Token:get(deadline)
  local record, due = serving(self)
  if record ~= nil then
    if due and not self.renewing then renew(self, record) end
    return record.value
  end
  local err
  record, err = fetch_once(self, deadline)
  if record == nil then return nil, err end
  return record.value
end

--- Drops this very token after the server refused it; one that somebody else got meanwhile stays.
function Token:drop(value) self.store:delete(self.key, { value = value }) end

return Token
