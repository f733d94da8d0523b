-- SPDX-License-Identifier: MIT

--- Holding a kept client in a store whose entries have a life: the hold is renewed after a third of it, for as long as
-- the session goes on. When its holder dies, it ends with its life at the latest. A store that is away for a while ends
-- no session; only another one that has the client by then does.
local holders = require "fogcloud.store.holder"

local hold = {}

--- Seconds after which a hold ends whose holder is dead, and runs where nobody can see that.
hold.LIFE = 30

---@class fogcloud.HoldParts
---@field host table
---@field claim fun(mark: string, life: number, instead: string?): boolean?, any  takes or renews it, also from the
---                                      holder `instead`: true; false and the holder's mark; nil, err
---@field give_up fun(mark: string)      forgets it, if this mark has it
---@field lost fun(who: string)?         hears once that another one has it

-- The store's word may be older than a goodbye that it has heard of meanwhile: then the mark is no longer known to be
-- gone, and the store is asked once more.
local function claim(self)
  while true do
    local heard = holders.heard()
    local held, other = self.claim(self.mark, hold.LIFE)
    if held == false and holders.is_gone(other) then return self.claim(self.mark, hold.LIFE, other) end
    if held ~= false or holders.heard() == heard then return held, other end
  end
end

-- The task of a hold: renews it until it is let go.
local function keep(self)
  while not self.over do
    self.alarm:wait(self.host.now() + hold.LIFE / 3)
    if self.over then break end
    local held, other = claim(self)
    if held == false and not self.over then
      self.over = true
      if self.lost then self.lost(holders.words(other)) end
      return
    end
  end
  self.give_up(self.mark)
  holders.give_up(self.mark, true)
end

--- Takes it. May wait for the store, and never for the holder.
---@param parts fogcloud.HoldParts
---@return function? let_go  harmless twice, never waits
---@return string? who       has it
---@return fogcloud.Error? err  the store could not tell; with let_go: it is tried on
function hold.take(parts)
  local self = { mark = holders.new(), alarm = parts.host.waiter(), over = false }
  for name, value in pairs(parts) do self[name] = value end
  local held, other = claim(self)
  if held == false then return nil, holders.words(other) end
  if held == nil and other.kind == "cancelled" then return nil, nil, other end
  self.host.spawn(keep, self)
  return function()
    if self.over then return end
    self.over = true
    holders.give_up(self.mark)
    self.alarm:signal()
  end, nil, held == nil and other or nil
end

return hold
