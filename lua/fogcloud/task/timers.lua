-- SPDX-License-Identifier: MIT

--- A heap of deadlines. An entry that is no longer wanted is marked; it leaves when its time comes, or when half of
--- the heap is such entries: most deadlines are never reached, and they may be far away.
local Timers = {}
Timers.__index = Timers

local FEW = 64 -- unwanted entries that do no harm

function Timers.new() return setmetatable({ n = 0, unwanted = 0 }, Timers) end

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

local function push(self, entry)
  local n = self.n + 1
  self.n, self[n] = n, entry
  sift_up(self, n)
end

--- Calls fn(argument) from `fire` once `at` has come.
---@return table entry  for cancel
function Timers:add(at, fn, argument)
  local entry = { at = at, fn = fn, argument = argument }
  push(self, entry)
  return entry
end

-- What is left is nearly in order, so that pushing it again moves little.
local function purge(self)
  local n = self.n
  self.n, self.unwanted = 0, 0
  for i = 1, n do
    local entry = self[i]
    self[i] = nil
    if not entry.over then push(self, entry) end
  end
end

--- The entry's function will not be called. Harmless after it was, and twice.
function Timers:cancel(entry)
  if entry.over then return end
  entry.over, entry.argument = true, nil -- which may hold more than a heap should
  self.unwanted = self.unwanted + 1
  if self.unwanted > FEW and 2 * self.unwanted > self.n then purge(self) end
end

local function pop(self)
  self[1] = self[self.n]
  self[self.n] = nil
  self.n = self.n - 1
  sift_down(self, 1, self.n)
end

--- When to look again, nil for never: no entry is due before. It may be the time of one that was cancelled.
function Timers:next()
  local first = self[1]
  return first and first.at
end

--- Calls what is due.
function Timers:fire(now)
  local first = self[1]
  while first ~= nil and first.at <= now do
    pop(self)
    if first.over then
      self.unwanted = self.unwanted - 1
    else
      first.over = true
      first.fn(first.argument)
    end
    first = self[1]
  end
end

return Timers
