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

--- Takes or renews the lease. True while it is ours.
---@return boolean held
function Lease:hold()
  if self.dict:add(self.key, self.mark, LIFE) then return true end
  local holder = self.dict:get(self.key)
  if holder ~= nil and holder ~= self.mark then
    if not is_dead(holder) or not self.dict:add("heir of " .. holder, true, LIFE) then return false end
  end
  return holder ~= nil and (self.dict:set(self.key, self.mark, LIFE)) == true
end

--- Gives it up if it is ours.
function Lease:release()
  if self.dict:get(self.key) == self.mark then self.dict:delete(self.key) end
end

return Lease
