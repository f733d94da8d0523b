-- SPDX-License-Identifier: MIT

--- A store in an OpenResty shared dictionary: all workers of one nginx use one token. See init.lua for the contract.
--
-- Each operation on a dictionary is atomic, and none lasts. The lock is an entry that only one can add; it expires by
-- itself, so that a worker that dies does not hold up the others, and it is given up only by who holds it. The
-- token's own copy in each worker is in front (token.lua), so that a call that has a token touches nothing here.
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local Lease = require "fogcloud.store.lease"
local hold = require "fogcloud.store.hold"
local marks = require "fogcloud.store.mark"
local members = require "fogcloud.store.members"
local records = require "fogcloud.store.record"

---@class fogcloud.ShdictStore
local Shdict = {}
Shdict.__index = Shdict
Shdict.__name = "fogcloud.ShdictStore"
Shdict.__tostring = function(self) return ("fogcloud.ShdictStore (%s)"):format(self.name) end

-- Longer than a fetch with all its repetitions may take, so that nobody loses a lock that is needed.
local LOCK_LIFE = 60
local POLL_MIN, POLL_MAX = 0.005, 0.05

local function failure(self, what, why)
  return errors.new("protocol", ("the shared dictionary '%s' cannot %s: %s"):format(self.name, what, errors.text(why)))
end

--- Raises when nginx has no such dictionary (`lua_shared_dict NAME 1m;`).
---@param host table
---@param name string
---@param random (fun(): number)?
---@param level integer?
---@return fogcloud.ShdictStore
function Shdict.new(host, name, random, level)
  local ngx = rawget(_G, "ngx")
  local dict = ngx and ngx.shared and ngx.shared[name]
  if dict == nil then
    error(("option 'store': there is no shared dictionary '%s'; nginx.conf needs 'lua_shared_dict %s 1m;'"):format(name,
      name), (level or 1) + 1)
  end
  local self = { host = host, name = name, dict = dict, random = random or math.random, shared = true }
  return setmetatable(self, Shdict)
end

function Shdict:where(key) return ("the shared dictionary '%s' at '%s'"):format(self.name, key) end

function Shdict:get(key)
  local text, why = self.dict:get(key)
  if text == nil then
    if why then return nil, failure(self, "be read", why) end
    return nil
  end
  local record = records.read(text)
  if record then return record end
  return nil, failure(self, "be used", "an entry is damaged")
end

function Shdict:set(key, record)
  local ok, why = self.dict:safe_set(key, records.write(record)) -- never at the cost of another entry
  if not ok then return nil, failure(self, "be written", why) end
  return true
end

function Shdict:delete(key, record)
  local held = self:get(key)
  if record == nil or (held and held.value == record.value) then self.dict:delete(key) end
  return true
end

function Shdict:lock(key, deadline)
  local name, mark = "lock " .. key, marks.new()
  while true do
    local added, why = self.dict:safe_add(name, mark, LOCK_LIFE)
    if added then break end
    if why ~= "exists" then return nil, failure(self, "be locked", why) end
    if self.host.now() >= deadline then
      local text = ("another worker holds the lock of '%s' for too long"):format(key)
      return nil, errors.new("timeout", text, { retryable = true })
    end
    if not self.host.sleep(POLL_MIN + (POLL_MAX - POLL_MIN) * self.random()) then
      return nil, errors.new("cancelled", "the task was cancelled")
    end
  end
  return function()
    if self.dict:get(name) == mark then self.dict:delete(name) end
  end
end

-- Takes or renews it, also in the place of the holder `instead`, which is gone: of several that see that, one may.
local function claim(self, name, mark, life, instead)
  local added, why = self.dict:safe_add(name, mark, life)
  if added then return true end
  if why ~= "exists" then return nil, failure(self, "be written", why) end
  local other = self.dict:get(name)
  if other ~= mark and (other ~= instead or not self.dict:safe_add("heir of " .. other, true, life)) then
    return false, other
  end
  local done
  done, why = self.dict:safe_set(name, mark, life)
  return done or nil, not done and failure(self, "be written", why) or nil
end

function Shdict:hold(key, lost)
  local name = "hold " .. key
  return hold.take {
    host = self.host, lost = lost,
    claim = function(mark, life, instead) return claim(self, name, mark, life, instead) end,
    give_up = function(mark)
      if self.dict:get(name) == mark then self.dict:delete(name) end
    end,
  }
end

-- The entry of a lease is its fence and its holder's mark; until the fence is drawn, 0. It is gone when it is given up,
-- or was not renewed; when its holder's process is dead, whoever adds a mark for this very entry first may replace it.

local function may_replace(self, entry, life)
  local pid = tonumber(entry:match("^%d+ (%d+)"))
  return not (pid and core.alive(pid)) and self.dict:safe_add("heir of " .. entry, true, life) == true
end

-- The next number, for one who holds the lease: what others draw later is greater.
local function draw(self, key)
  local name = "fence " .. key
  local last = self.dict:get(name)
  local fence = Lease.next_fence(last, self.host.wall())
  local ok, why = self.dict:safe_set(name, fence)
  if ok then return fence end
  return nil, failure(self, "be written", why)
end

local function begin_lease(self, key, name, mark, life)
  local fence, err = draw(self, key)
  if fence == nil or self.dict:get(name) ~= "0 " .. mark then -- it is lost already
    if self.dict:get(name) == "0 " .. mark then self.dict:delete(name) end
    return fence and false, err
  end
  local ok, why = self.dict:safe_set(name, ("%.0f %s"):format(fence, mark), life)
  if ok then return fence end
  return nil, failure(self, "be written", why)
end

--- Never at the cost of another entry, a token for one.
function Shdict:lease(key, mark, life)
  local name = "lease " .. key
  local done, why = self.dict:safe_add(name, "0 " .. mark, life)
  if done then return begin_lease(self, key, name, mark, life) end
  if why ~= "exists" then return nil, failure(self, "be leased", why) end
  local entry = self.dict:get(name)
  if entry == nil then return false end -- it ended just now
  local fence, holder = entry:match("^(%d+) (.*)$")
  if holder ~= mark and not may_replace(self, entry, life) then return false end
  if holder ~= mark or fence == "0" then
    done, why = self.dict:safe_set(name, "0 " .. mark, life)
    if done then return begin_lease(self, key, name, mark, life) end
  else
    done, why = self.dict:safe_set(name, entry, life)
    if done then return tonumber(fence) end
  end
  return nil, failure(self, "be leased", why)
end

function Shdict:release(key, mark)
  local name = "lease " .. key
  local entry = self.dict:get(name)
  if entry and entry:match("^%d+ (.*)$") == mark then self.dict:delete(name) end
  return true
end

function Shdict:join(key, mark, life)
  key = "group " .. key
  local unlock, err = self:lock(key, self.host.now() + 1)
  if unlock == nil then return nil, err end
  local standing, record = members.update(self:get(key), mark, life, self.host.now())
  local kept
  kept, err = self:set(key, record)
  unlock()
  if not kept then return nil, err end
  return standing
end

return Shdict
