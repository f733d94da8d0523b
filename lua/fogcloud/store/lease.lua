-- SPDX-License-Identifier: MIT

--- A lease as its holder sees it: whether it is certainly held, and for how long.
--
-- A store counts the lease's life from the moment at which it was asked; the holder from the moment before. So the
-- holder's end always comes first, however long the store took to answer. Marks are never used twice: what was lost is
-- taken anew, with another fence.
local marks = require "fogcloud.store.mark"

---@class fogcloud.Lease
---@field fence integer?  of the lease while it is held
---@field err fogcloud.Error?  why it was not taken or renewed, when the store could not tell
local Lease = {}
Lease.__index = Lease
Lease.__name = "fogcloud.Lease"

--- A lease that is not held yet.
---@param store table   one with lease and release, see store/init.lua
---@param key string
---@param life number   seconds
---@param host table
---@return fogcloud.Lease
function Lease.new(store, key, life, host)
  return setmetatable({ store = store, key = key, life = life, host = host, mark = marks.new(), ends = 0 }, Lease)
end

--- Takes it, or renews it. May wait, in the host's way.
---@return integer|false|nil fence  false: another has it; nil: the store could not tell
---@return fogcloud.Error? err
function Lease:take()
  local asked = self.host.now()
  local fence, err = self.store:lease(self.key, self.mark, self.life)
  self.err = err
  if fence then
    self.fence, self.ends = fence, asked + self.life
  elseif fence == false and self.fence then
    self.fence, self.ends, self.mark = nil, 0, marks.new()
  end
  return fence, err
end

--- Seconds for which it is certainly held; 0 when it is not.
---@return number
function Lease:left() return math.max(0, self.ends - self.host.now()) end

--- Gives it up. Should the store not hear of it, it ends with its life, for us too: what is taken next is another one.
function Lease:release()
  if self.ends == 0 then return end
  local mark = self.mark
  self.fence, self.ends, self.mark = nil, 0, marks.new()
  self.store:release(self.key, mark)
end

--- The fencing number that follows the last one that is known: it grows by the clock where that is not known, as
--- after a restart without data. For stores that count here.
---@param last number?  the last one
---@param wall number   seconds since the epoch
---@return number fence
function Lease.next_fence(last, wall)
  local fence = math.floor(wall * 1000)
  if last and last >= fence then fence = last + 1 end
  return fence
end

return Lease
