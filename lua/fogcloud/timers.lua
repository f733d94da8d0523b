-- SPDX-License-Identifier: MIT

--- A heap of deadlines. An entry that is no longer wanted is marked and leaves when it comes up.
local Timers = {}
Timers.__index = Timers

function Timers.new() return setmetatable({ n = 0 }, Timers) end

local function swap(heap, i, j) heap[i], heap[j] = heap[j], heap[i] end

local function sift_up(heap, i)
  while i > 1 do
    local parent = (i - i % 2) / 2
    if heap[parent].at <= heap[i].at then return end
    swap(heap, parent, i)
    i = parent
  end
end

local function sift_down(heap, i, n)
  while true do
    local least, left = i, 2 * i
    if left <= n and heap[left].at < heap[least].at then least = left end
    if left + 1 <= n and heap[left + 1].at < heap[least].at then least = left + 1 end
    if least == i then return end
    swap(heap, least, i)
    i = least
  end
end

--- Calls fn(argument) from `fire` once `at` has come.
---@return table entry  set entry.cancelled to be left alone
function Timers:add(at, fn, argument)
  local entry = { at = at, fn = fn, argument = argument }
  self.n = self.n + 1
  self[self.n] = entry
  sift_up(self, self.n)
  return entry
end

local function pop(self)
  local first = self[1]
  self[1] = self[self.n]
  self[self.n] = nil
  self.n = self.n - 1
  sift_down(self, 1, self.n)
  return first
end

--- When the next entry is due; nil without one.
function Timers:next()
  while self.n > 0 and self[1].cancelled do pop(self) end
  return self.n > 0 and self[1].at or nil
end

--- Calls what is due.
function Timers:fire(now)
  local at = self:next()
  while at ~= nil and at <= now do
    local entry = pop(self)
    entry.fn(entry.argument)
    at = self:next()
  end
end

return Timers
