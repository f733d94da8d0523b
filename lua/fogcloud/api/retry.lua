-- SPDX-License-Identifier: MIT

--- What may be repeated, when, and how often. Pure: the clock and the randomness are given.
--
-- Full jitter: before attempt n + 1 a wait drawn from 0 to min(cap, base * 2^(n - 1)), but never less than a sensible
-- Retry-After. A budget per cloud keeps an outage from being answered with a storm: every repetition costs one of a
-- bucket that every call refills by a tenth, so that once it is spent, at most a tenth more requests are sent than
-- calls are made.
local retry = {}

retry.BASE, retry.CAP, retry.ATTEMPTS = 0.2, 10, 4

-- Calls that do no harm when they arrive twice.
local REPEATABLE = { token = true, products = true, grant = true, revoke = true }

-- In what the TLS library says: a matter of trust or of configuration, which no repetition heals.
local LASTING_TLS = { "certificate", "verif", "wrong version", "unsupported protocol", "alert", "hostname", "CAfile" }

local function is_lasting(err)
  for _, word in ipairs(LASTING_TLS) do
    if err.message:find(word, 1, true) then return true end
  end
  return false
end

-- Kinds that say nothing of themselves: whether they may be repeated hangs on the call alone.
local PASSING = { network = true, timeout = true }

--- Whether the call may be sent again after this error. 10100 and 10101 are not decided here: they want a new token
--- first.
---@param endpoint string
---@param err fogcloud.Error
---@param allowed boolean?  the caller allows a second delivery of a call that is not repeatable by itself
---@return boolean
function retry.may_repeat(endpoint, err, allowed)
  local transport = PASSING[err.kind] or (err.kind == "tls" and not is_lasting(err))
  if not REPEATABLE[endpoint] and not allowed then return err.sent == false and (transport or err.retryable == true) end
  return transport or (err.retryable == true and err.kind ~= "cancelled" and err.kind ~= "closed")
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

-- The three forms of a date (RFC 9110, 5.6.7), and in which order each has day, month, year and time.
local FORMS = {
  { "^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$", { 1, 2, 3, 4, 5, 6 } },
  { "^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$", { 1, 2, 3, 4, 5, 6 } },
  { "^%a%a%a (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$", { 2, 1, 6, 3, 4, 5 } },
}

-- A year of two digits is of the past when it would be more than 50 years ahead.
local function whole_year(year, wall)
  if year >= 100 then return year end
  local now = 1970 + math.floor(wall / 31556952)
  year = now - now % 100 + year
  return year > now + 50 and year - 100 or year
end

--- A date of HTTP, in any of its three forms, as seconds since the epoch; nil when it is none.
---@param text string
---@param wall number  seconds since the epoch, for years of two digits
---@return number?
function retry.http_date(text, wall)
  for _, form in ipairs(FORMS) do
    local found = { text:match(form[1]) }
    local order = form[2]
    local month = found[1] and MONTHS[found[order[2]]]
    if month then
      local year = whole_year(tonumber(found[order[3]]), wall)
      local time = tonumber(found[order[4]]) * 3600 + tonumber(found[order[5]]) * 60 + tonumber(found[order[6]])
      return days(year, month, tonumber(found[order[1]])) * 86400 + time
    end
  end
  return nil
end

--- Seconds to wait by a Retry-After header (RFC 9110, 10.2.3); nil when it is missing, negative, in the past or
--- nonsense. An absurd one is handed on: the deadline then ends the call early. A date counts from the reply's own,
--- where it has one: the two machines' clocks may differ.
---@param value string?
---@param wall number   seconds since the epoch
---@param date string?  the reply's Date header
---@return number?
function retry.after(value, wall, date)
  if type(value) ~= "string" then return nil end
  local seconds = tonumber(value:match("^%s*(%d+)%s*$"))
  if seconds == nil then
    local from = date and retry.http_date(date, wall) or wall
    local at = retry.http_date(value:match("^%s*(.-)%s*$"), from)
    seconds = at and at - from
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

--- A source of randomness of our own: math.random starts alike in every process on Lua 5.1 to 5.3, and jitter that is
--- alike in all clients is none. Park and Miller's generator; good enough to spread, not to keep secrets.
---@param seed number
---@return fun(): number random  uniform in [0, 1)
function retry.random(seed)
  local state = math.floor(seed) % 2147483646 + 1
  return function()
    state = (state * 16807) % 2147483647
    return (state - 1) / 2147483646
  end
end

-- The budget -------------------------------------------------------------------------------------------------------

---@class fogcloud.Budget
---@field remaining number  repetitions that may be taken
local Budget = {}
Budget.__index = Budget
Budget.__name = "fogcloud.Budget"

local FULL, SHARE = 10, 0.1

--- A budget of repetitions: 10 at once, then one for every ten calls.
---@return fogcloud.Budget
function retry.budget() return setmetatable({ remaining = FULL }, Budget) end

--- Notes calls.
---@param calls integer?  default 1
function Budget:earn(calls) self.remaining = math.min(FULL, self.remaining + SHARE * (calls or 1)) end

--- Takes one repetition. False when there is none.
---@return boolean
function Budget:take()
  -- Ten tenths are a little less than one in binary.
  if self.remaining < 1 - 1e-9 then return false end
  self.remaining = self.remaining - 1
  return true
end

return retry
