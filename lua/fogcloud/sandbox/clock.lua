-- SPDX-License-Identifier: MIT

--- The sandbox's time: the wall clock, moved and frozen at will. Token expiry follows it.
local core = require "fogcloud.sandbox.core"

local Clock = {}
Clock.__index = Clock

function Clock.new() return setmetatable({ offset = 0 }, Clock) end

--- Seconds since the epoch.
function Clock:now() return self.frozen or (core.wall() + self.offset) end

--- Moves the time by so many seconds, backwards too.
function Clock:advance(seconds)
  self.offset = self.offset + seconds
  if self.frozen then self.frozen = self.frozen + seconds end
end

function Clock:freeze() self.frozen = self:now() end

function Clock:thaw()
  if self.frozen then self.offset = self.frozen - core.wall() end
  self.frozen = nil
end

function Clock:reset() self.offset, self.frozen = 0, nil end

return Clock
