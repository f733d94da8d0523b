-- SPDX-License-Identifier: MIT

--- A store in an OpenResty shared dictionary: all workers of one nginx use one token. See init.lua for the contract.
--
-- Each operation on a dictionary is atomic, and none lasts. The lock is an entry that only one can add; it expires by
-- itself, so that a worker that dies does not hold up the others, and it is given up only by who holds it. The
-- token's own copy in each worker is in front (token.lua), so that a call that has a token touches nothing here.
local cjson = require "cjson"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"

---@class fogcloud.ShdictStore
local Shdict = {}
Shdict.__index = Shdict
Shdict.__name = "fogcloud.ShdictStore"
Shdict.__tostring = function(self) return ("fogcloud.ShdictStore (%s)"):format(self.name) end

-- Longer than a fetch with all its repetitions may take, so that nobody loses a lock that is needed.
local LOCK_LIFE = 60
local POLL_MIN, POLL_MAX = 0.005, 0.05

local function failure(self, what, why)
  return errors.new("protocol", ("the shared dictionary '%s' cannot %s: %s"):format(self.name, what, tostring(why)))
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
  local self = { host = host, name = name, dict = dict, random = random or math.random, shared = true, last = 0 }
  return setmetatable(self, Shdict)
end

function Shdict:get(key)
  local text, why = self.dict:get(key)
  if text == nil then
    if why then return nil, failure(self, "be read", why) end
    return nil
  end
  local ok, record = pcall(cjson.decode, text)
  if ok and type(record) == "table" then return record end
  return nil, failure(self, "be used", "an entry is damaged")
end

function Shdict:set(key, record)
  local ok, why = self.dict:safe_set(key, cjson.encode(record)) -- never at the cost of another entry
  if not ok then return nil, failure(self, "be written", why) end
  return true
end

function Shdict:delete(key, record)
  local held = self:get(key)
  if record == nil or (held and held.value == record.value) then self.dict:delete(key) end
  return true
end

-- A mark that tells this holder from all others, in this worker and elsewhere.
local function new_mark(self)
  self.last = self.last + 1
  return ("%d %s %d %.9f"):format(core.pid(), tostring({}), self.last, self.host.now() + self.random())
end

function Shdict:lock(key, deadline)
  local name, mark = "lock " .. key, new_mark(self)
  while true do
    local added, why = self.dict:safe_add(name, mark, LOCK_LIFE)
    if added then break end
    if why ~= "exists" then return nil, failure(self, "be locked", why) end
    if self.host.now() >= deadline then
      return nil, errors.new("timeout", "another worker holds the lock for too long", { retryable = true })
    end
    if not self.host.sleep(POLL_MIN + (POLL_MAX - POLL_MIN) * self.random()) then
      return nil, errors.new("cancelled", "the task was cancelled")
    end
  end
  return function()
    if self.dict:get(name) == mark then self.dict:delete(name) end
  end
end

return Shdict
