-- SPDX-License-Identifier: MIT

--- All that happens, in its order: calls of the API, what the broker saw, and what was done to the sandbox itself. The
--- oldest go when there are too many, or too many bytes of them.
local Timeline = {}
Timeline.__index = Timeline

local LIMIT, BYTES = 10000, 16 * 1024 * 1024
local ENTRY, FIELD = 256, 64 -- about what they take besides their texts

function Timeline.new() return setmetatable({ first = 1, last = 0, bytes = 0, entries = {}, sizes = {} }, Timeline) end

local function size_of(value)
  if type(value) == "string" then return #value end
  if type(value) ~= "table" then return 0 end
  local bytes = 0
  for name, inner in pairs(value) do bytes = bytes + FIELD + size_of(name) + size_of(inner) end
  return bytes
end

--- Takes an entry over: a table with `kind` and `time`, which gets its number, `id`.
function Timeline:add(entry)
  local bytes = ENTRY + size_of(entry)
  self.last, self.bytes = self.last + 1, self.bytes + bytes
  entry.id = self.last
  self.entries[self.last], self.sizes[self.last] = entry, bytes
  while self.last - self.first >= LIMIT or (self.bytes > BYTES and self.first < self.last) do
    self.bytes = self.bytes - self.sizes[self.first]
    self.entries[self.first], self.sizes[self.first] = nil, nil
    self.first = self.first + 1
  end
  return entry
end

--- Those after a number, oldest first, `most` at most: of more, the last ones.
---@param upto integer?  the last number that is wanted
function Timeline:since(id, most, upto)
  upto = math.min(upto or self.last, self.last)
  local list = {}
  for i = math.max(self.first, id + 1, most and upto - most + 1 or 1), upto do list[#list + 1] = self.entries[i] end
  return list
end

return Timeline
