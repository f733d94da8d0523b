-- SPDX-License-Identifier: MIT

--- A heap of deadlines. An entry that is no longer wanted is marked; it leaves when its time comes, or when half of
--- the heap is such entries: most deadlines are never reached, and they may be far away.
--
-- A debug hook may throw between any two steps in here (task.lua). The set of what is wanted is changed in one step; a
-- heap that was left half-way is made anew from it.
local Timers = {}
Timers.__index = Timers

local FEW = 128 -- unwanted entries that do no harm

--- `due` is when to look again, nil for never: no entry is due before. It may be the time of one that was cancelled. It
--- says nothing while `torn` is true.
function Timers.new() return setmetatable({ heap = {}, n = 0, unwanted = 0, wanted = {}, torn = false }, Timers) end

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

local function is_earlier(a, b) return a.at < b.at end

-- Without the unwanted. What is in order is a heap.
local function rebuild(self)
  self.torn = true
  local heap, n, wanted = {}, 0, {}
  for entry in pairs(self.wanted) do
    if not entry.over then
      n = n + 1
      heap[n], wanted[entry] = entry, true
    end
  end
  table.sort(heap, is_earlier)
  self.heap, self.n, self.unwanted, self.due = heap, n, 0, n > 0 and heap[1].at or nil
  self.wanted = wanted
  self.torn = false
end

--- Calls fn(argument) from `fire` once `at` has come.
---@return table entry  for cancel
function Timers:add(at, fn, argument)
  local entry = { at = at, fn = fn, argument = argument }
  if self.torn then rebuild(self) end
  self.wanted[entry] = true
  self.torn = true
  local n = self.n + 1
  self.n, self.heap[n] = n, entry
  sift_up(self.heap, n)
  self.due = self.heap[1].at
  self.torn = false
  return entry
end

-- It stays among the wanted as long as in the heap: taken out and another put in for each wait, a table that is just
-- full would be made anew each time.
local function forget(self, entry)
  entry.over = true
  self.unwanted = self.unwanted + 1
end

--- The entry's function will not be called. Harmless after it was, and twice.
function Timers:cancel(entry)
  if entry.over then return end
  forget(self, entry)
  entry.argument = nil -- which may hold more than a heap should
  if self.unwanted > FEW and 2 * self.unwanted > self.n then rebuild(self) end
end

local function pop(self)
  self.torn = true
  local heap, n = self.heap, self.n
  self.wanted[heap[1]] = nil
  heap[1] = heap[n]
  heap[n] = nil
  self.n = n - 1
  self.unwanted = self.unwanted - 1
  sift_down(heap, 1, n - 1)
  self.due = n > 1 and heap[1].at or nil
  self.torn = false
end

--- `due`, also after an interruption.
function Timers:next()
  if self.torn then rebuild(self) end
  return self.due
end

--- Calls what is due: once, or twice where the first time was interrupted.
function Timers:fire(now)
  local at = self:next()
  while at ~= nil and at <= now do
    local first = self.heap[1]
    if not first.over then
      first.fn(first.argument)
      forget(self, first)
    end
    if self.heap[1] == first then pop(self) end
    at = self:next()
  end
end

return Timers
