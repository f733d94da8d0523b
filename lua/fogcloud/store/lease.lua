-- SPDX-License-Identifier: MIT

--- A lease in an OpenResty shared dictionary: one holder among the workers of one nginx, old ones that are ending and
--- new ones alike.
--
-- The entry names its holder's process. It is gone when it is given up, when it was not renewed for LIFE seconds, or
-- when that process is dead: then whoever adds a mark for this very entry first may replace it.
local core = require "fogcloud.core"

---@class fogcloud.Lease
local Lease = {}
Lease.__index = Lease
Lease.__name = "fogcloud.Lease"

local LIFE = 30

--- A lease that is not held yet.
---@param dict table   the shared dictionary
---@param name string
---@return fogcloud.Lease
function Lease.new(dict, name)
  local self = { dict = dict, key = "lease " .. name }
  self.mark = ("%d %s %.9f"):format(core.pid(), tostring(self):match("%S+$"), core.now())
  return setmetatable(self, Lease)
end

local function is_dead(mark) return not core.alive(tonumber(mark:match("^%d+"))) end

-- Whether the entry, which is there, is ours to replace.
local function may_replace(self)
  local holder = self.dict:get(self.key)
  if holder == nil or holder == self.mark then return holder ~= nil end
  return is_dead(holder) and self.dict:safe_add("heir of " .. holder, true, LIFE) == true
end

--- Takes or renews the lease. True while it is ours; never at the cost of another entry, a token for one.
---@return boolean held
---@return string? why  the dictionary has no room for it
function Lease:hold()
  local done, why = self.dict:safe_add(self.key, self.mark, LIFE)
  if why == "exists" then
    if not may_replace(self) then return false end
    done, why = self.dict:safe_set(self.key, self.mark, LIFE)
  end
  return done == true, why
end

--- Gives it up if it is ours.
function Lease:release()
  if self.dict:get(self.key) == self.mark then self.dict:delete(self.key) end
end

return Lease
