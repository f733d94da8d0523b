-- SPDX-License-Identifier: MIT

--- What may be repeated, when, and how often. Pure: the clock and the randomness are given.
--
-- Full jitter: before attempt n + 1 a wait drawn from 0 to min(cap, base * 2^(n - 1)), but never less than a sensible
-- Retry-After. A budget per cloud keeps an outage from being answered with a storm: every repetition costs a token of
-- a bucket that successes refill a little, so that in the long run at most a tenth more requests are sent than calls
-- are made.
local retry = {}

retry.BASE, retry.CAP, retry.ATTEMPTS = 0.2, 10, 4

-- Calls that do no harm when they arrive twice.
local REPEATABLE = { token = true, products = true, grant = true, revoke = true }

--- Whether a call may be sent again after this error. 10100 and 10101 are not decided here: they want a new token
--- first.
---@param endpoint string
---@param err fogcloud.Error
---@return boolean
function retry.may_repeat(endpoint, err)
  if err.kind == "tls" or err.kind == "cancelled" or err.kind == "overflow" or err.kind == "closed" then
    return false
  end
  if not REPEATABLE[endpoint] then return err.kind == "network" and err.sent == false end
  if err.kind == "network" or err.kind == "timeout" then return true end
  return err.retryable == true
end

local MONTHS = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}

-- Days from 1970-01-01 to a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local leap = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leap + math.floor((153 * (month - 3) + 2) / 5) + day - 1 - 719468
end

-- An IMF-fixdate (RFC 9110, 5.6.7) as seconds since the epoch.
local function http_date(text)
  local pattern = "^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  local day, month, year, hour, minute, second = text:match(pattern)
  if day == nil or MONTHS[month] == nil then return nil end
  return ((days(tonumber(year), MONTHS[month], tonumber(day)) * 24 + hour) * 60 + minute) * 60 + second
end

--- Seconds to wait by a Retry-After header (RFC 9110, 10.2.3); nil when it is missing, negative, in the past or
--- nonsense.
---@param value string?
---@param wall number  seconds since the epoch
---@return number?
function retry.after(value, wall)
  if value == nil then return nil end
  local seconds = tonumber(value:match("^%s*(%d+)%s*$"))
  if seconds == nil then
    local date = http_date(value:match("^%s*(.-)%s*$"))
    seconds = date and date - wall
  end
  if seconds == nil or seconds <= 0 then return nil end
  return seconds
end

--- How long to wait before the next attempt.
---@param attempt integer       how many were made
---@param random fun(): number  uniform in [0, 1)
---@param retry_after number?   seconds the server asked for
---@return number seconds
function retry.delay(attempt, random, retry_after)
  local jittered = random() * math.min(retry.CAP, retry.BASE * 2 ^ (attempt - 1))
  return math.max(jittered, retry_after or 0)
end

local Budget = {}
Budget.__index = Budget

local FULL, REFILL = 10, 0.1

--- A budget of repetitions: 10 at once, then one for every ten calls that succeeded.
function retry.budget() return setmetatable({ tokens = FULL }, Budget) end

--- Takes one repetition. False when there is none.
function Budget:take()
  if self.tokens < 1 then return false end
  self.tokens = self.tokens - 1
  return true
end

--- Notes a call that succeeded.
function Budget:refill() self.tokens = math.min(FULL, self.tokens + REFILL) end

return retry
