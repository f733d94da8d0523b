-- SPDX-License-Identifier: MIT

--- A store in Redis, shared by all that reach it, on any machine. See init.lua for the contract.
--
-- Commands are carried out by fogcloud.redis on a thread of its own and answered like calls of the API, so no host is
-- ever held up; each has a bound. Every command may be repeated: what sets names its owner, and what takes away
-- compares first, in one script. So one whose answer was lost with its connection is made once more, on the next.
--
-- A lock has its owner's mark and a life. A fetch that outlives it harms nothing: at worst two fetch. A lease counts
-- its fence in Redis, by Redis' clock where the count is lost: after a restart without data it goes on growing.
local errors = require "fogcloud.errors"
local hold = require "fogcloud.store.hold"
local marks = require "fogcloud.store.mark"
local records = require "fogcloud.store.record"
local redis_url = require "fogcloud.store.redis_url"

---@class fogcloud.RedisStore
local Redis = {}
Redis.__index = Redis
Redis.__name = "fogcloud.RedisStore"
Redis.__tostring = function(self) return ("fogcloud.RedisStore (%s)"):format(self.name) end

local PREFIX = "fogcloud:"
local LOCK_LIFE_MS = 35000 -- as long as others wait for it (token.lua)
local POLL_MIN, POLL_MAX = 0.05, 0.2
local GRACE = 1 -- seconds after which the thread has spoken for certain
local DEFAULT_TIMEOUT = 3

local VALUE, NOTHING = 0, 1 -- fog_redis_answer; 2: refused

-- Scripts: KEYS and ARGV as below; each answers with one text or number.
local DELETE = [[
local held = redis.call('GET', KEYS[1])
if not held then return 0 end
local ok, record = pcall(cjson.decode, held)
if ok and type(record) == 'table' and record.value == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0]]

local LOCK = [[
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1]]

local UNLOCK = [[
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0]]

-- A kept client's: the holder that has it instead, or nothing. In the place of the last argument, who is gone.
local HOLD = [[
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return '']]

local LEASE = [[
local held = redis.call('GET', KEYS[1])
if held then
  local fence, mark = string.match(held, '^(%d+) (.*)$')
  if mark ~= ARGV[1] then return '0' end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return fence
end
local time = redis.call('TIME')
local fence = time[1] * 1000 + math.floor(time[2] / 1000)
local last = tonumber(redis.call('GET', KEYS[2]) or '')
if last and last >= fence then fence = last + 1 end
fence = string.format('%.0f', fence)
redis.call('SET', KEYS[2], fence, 'EX', 8640000)
redis.call('SET', KEYS[1], fence .. ' ' .. ARGV[1], 'PX', ARGV[2])
return fence]]

local RELEASE = [[
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^%d+ (.*)$') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0]]

-- Members by the end of their time, and in the order in which they joined, so that nobody's place changes while none
-- leaves. However many there are, the answer is three numbers.
local JOIN = [[
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
local new = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 0 or 1
if tonumber(ARGV[2]) > 0 then
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
    local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] or 0
    redis.call('ZADD', KEYS[2], last + 1, ARGV[1])
  end
  redis.call('PEXPIRE', KEYS[1], 86400000)
  redis.call('PEXPIRE', KEYS[2], 86400000)
else
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
local rank = redis.call('ZRANK', KEYS[2], ARGV[1])
return (rank and rank + 1 or 0) .. ' ' .. redis.call('ZCARD', KEYS[2]) .. ' ' .. new]]

local clients = setmetatable({}, { __mode = "v" }) -- URL -> client: one connection for all stores of a place

local function load_module(level)
  local found, module = pcall(require, "fogcloud.redis")
  if found then return module end
  local text = "option 'store': Redis needs the module fogcloud.redis (the rock fogcloud-redis): "
  error(text .. errors.text(module), level + 1)
end

-- The client of this place, made with the first command, for it needs the engine. The password is seen by nobody who
-- looks into the store.
local function connector(module, text, place, make_pump)
  local client -- held here: the list of all holds none
  return function()
    local pump = make_pump()
    client = client or clients[text]
    if client == nil then
      local why
      client, why = module.client(pump.engine:port(), place)
      if client == nil then return nil, errors.new("network", why) end
      clients[text] = client
    end
    return client, pump
  end
end

--- Raises when the URL is wrong, or this build cannot serve it.
---@param host table
---@param text string              redis://, rediss:// or redis+unix://; see docs/guide-tokens.md
---@param make_pump fun(): table    gives the pump
---@param random (fun(): number)?  spreads the tries of those that wait for a lock
---@param level integer?           whom to blame
---@return fogcloud.RedisStore
function Redis.new(host, text, make_pump, random, level)
  level = (level or 1) + 1
  local place, why = redis_url.parse(text)
  if place == nil then error(why or "option 'store': redis://, rediss:// or redis+unix:// expected", level) end
  local module = load_module(level)
  if place.tls and not module.tls then
    local wanted = "option 'store': rediss:// needs hiredis 1.0 or later, built with TLS; this is hiredis %s"
    error(wanted:format(module.version), level)
  end
  local redactor = errors.redactor()
  redactor:hide(place.password)
  return setmetatable({
    host = host, name = redis_url.name(place), random = random or math.random, shared = true, redactor = redactor,
    timeout = place.timeout or DEFAULT_TIMEOUT, connect = connector(module, text, place, make_pump),
  }, Redis)
end

-- Commands ------------------------------------------------------------------------------------------------------------

local function failure(self, kind, text, retryable)
  local line = ("Redis at %s: %s"):format(self.name, self.redactor:one_line(text))
  return errors.new(kind, line, { retryable = retryable })
end

-- What a later try may find changed.
local PASSING = { "^OOM", "^READONLY", "^LOADING", "^BUSY", "^MASTERDOWN", "^CLUSTERDOWN", "^TRYAGAIN", "^MISCONF" }

local function refusal(self, text)
  local passing = false
  for _, pattern in ipairs(PASSING) do passing = passing or text:find(pattern) ~= nil end
  return failure(self, "protocol", text, passing)
end

-- The answer's text; nil when there is nothing there; nil, err.
local function command(self, ...)
  local client, pump = self.connect()
  if client == nil then return nil, pump end
  local arguments = { ... }
  local reply, err
  for _ = 1, 2 do
    reply, err = pump:command(client, arguments, self.host.now() + 2 * self.timeout + GRACE)
    if reply or err.kind ~= "network" or not err.sent then break end
  end
  if reply == nil then
    if err.kind == "cancelled" then return nil, err end
    return nil, failure(self, err.kind, err.message, err.kind == "network" or err.kind == "timeout")
  end
  if reply.status == VALUE then return reply.body end
  if reply.status == NOTHING then return nil end
  return nil, refusal(self, reply.body)
end

local function script(self, text, keys, ...)
  local arguments = { "EVAL", text, tostring(#keys) }
  for _, key in ipairs(keys) do arguments[#arguments + 1] = key end
  for i = 1, select("#", ...) do arguments[#arguments + 1] = (select(i, ...)) end
  return command(self, (table.unpack or unpack)(arguments)) -- luacheck: ignore 113
end

-- Records -------------------------------------------------------------------------------------------------------------

function Redis:get(key)
  local text, err = command(self, "GET", PREFIX .. key)
  if text == nil then return nil, err end
  local record = records.read(text)
  if record then return record end
  return nil, failure(self, "protocol", ("what is kept as '%s' is damaged; restore it"):format(PREFIX .. key))
end

function Redis.where(_, key) return ("'%s' in Redis"):format(PREFIX .. key) end

function Redis:set(key, record)
  local done, err = command(self, "SET", PREFIX .. key, records.write(record))
  if done == nil then return nil, err end
  return true
end

function Redis:delete(key, record)
  local done, err
  if record == nil then
    done, err = command(self, "DEL", PREFIX .. key)
  else
    done, err = script(self, DELETE, { PREFIX .. key }, tostring(record.value))
  end
  if done == nil then return nil, err end
  return true
end

-- Locks and leases ----------------------------------------------------------------------------------------------------

function Redis:lock(key, deadline)
  local name, mark = PREFIX .. "lock " .. key, marks.new()
  while true do
    local taken, err = script(self, LOCK, { name }, mark, tostring(LOCK_LIFE_MS))
    if taken == nil then return nil, err end
    if taken == "1" then break end
    if self.host.now() >= deadline then
      return nil, errors.new("timeout", "another process holds the lock for too long", { retryable = true })
    end
    if not self.host.sleep(POLL_MIN + (POLL_MAX - POLL_MIN) * self.random()) then
      return nil, errors.new("cancelled", "the task was cancelled")
    end
  end
  return function() script(self, UNLOCK, { name }, mark) end -- unheard, it ends by itself
end

local function claim(self, name, mark, life, instead)
  local other, err = script(self, HOLD, { name }, mark, ("%.0f"):format(life * 1000), instead or "")
  if other == nil then return nil, err or failure(self, "protocol", "no answer to a hold") end
  return other == "", other
end

function Redis:hold(key, lost)
  local name = PREFIX .. "hold " .. key
  return hold.take {
    host = self.host, lost = lost,
    claim = function(mark, life, instead) return claim(self, name, mark, life, instead) end,
    give_up = function(mark) script(self, UNLOCK, { name }, mark) end, -- unheard, it ends with its life
  }
end

-- Both keys of a lease lie in one slot of a cluster.
local function lease_keys(key) return { PREFIX .. "{lease " .. key .. "}", PREFIX .. "{lease " .. key .. "} fence" } end

function Redis:lease(key, mark, life)
  local text, err = script(self, LEASE, lease_keys(key), mark, ("%.0f"):format(life * 1000))
  if text == nil then return nil, err or failure(self, "protocol", "no answer to a lease") end
  local fence = tonumber(text)
  if fence == nil then return nil, failure(self, "protocol", "its answer is not a lease's") end
  return fence > 0 and fence
end

function Redis:release(key, mark)
  local done, err = script(self, RELEASE, { lease_keys(key)[1] }, mark)
  if done == nil then return nil, err end
  return true
end

function Redis:join(key, mark, life)
  local name = PREFIX .. "{group " .. key .. "}"
  local text, err = script(self, JOIN, { name, name .. " order" }, mark, ("%.0f"):format(life * 1000))
  local place, count, new = (text or ""):match("^(%d+) (%d+) ([01])$")
  if place == nil then return nil, err or failure(self, "protocol", "its answer is not a group's") end
  return { place = tonumber(place), count = tonumber(count), new = new == "1" }
end

return Redis
