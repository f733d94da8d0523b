-- SPDX-License-Identifier: MIT

--- A file with the messages that were accepted for publishing and have not come to their end, so that they survive the
--- death of the process. One process at a time uses it; it is locked.
--
-- The file is only appended to: "+ entry qos retained #topic #payload #properties" and the three texts for a message,
-- "- entry" for its end. A record is one write, so that a process that is killed leaves whole records and at most one
-- torn one, at the end, whose message nobody was told is accepted. When most of the file is dead it is written anew and
-- put in the old one's place. Nothing is forced to the disk per message: what the kernel took survives the process, not
-- a power cut.
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"

local Journal = {}
Journal.__index = Journal

local MAX_BYTES = 1024 * 1024 * 1024 -- of a file that is taken in
local COMPACT_BYTES = 1024 * 1024    -- dead bytes from which on writing anew is worth its while

local function failure(path, why)
  return errors.new("overflow", ("the journal %s cannot be used: %s"):format(path, tostring(why)))
end

local function record(entry, m)
  local properties = m.properties or ""
  local head = ("+ %.0f %d %d %d %d %d\n")
    :format(entry, m.qos, m.retained and 1 or 0, #m.topic, #m.payload, #properties)
  return head .. m.topic .. m.payload .. properties .. "\n" -- Lua 5.1's format would end at a NUL
end

-- The record at `at`: the entry, its message (nil for an end), and where the next one starts; nil where none is whole.
local function parse(text, at)
  local ended, after = text:match("^%- (%d+)\n()", at)
  if ended then return tonumber(ended), nil, after end
  local pattern = "^%+ (%d+) (%d) (%d) (%d+) (%d+) (%d+)\n()"
  local entry, qos, retained, topic_len, payload_len, properties_len, body = text:match(pattern, at)
  if entry == nil then return nil end
  local payload_at = body + tonumber(topic_len)
  local properties_at = payload_at + tonumber(payload_len)
  local stop = properties_at + tonumber(properties_len)
  if text:sub(stop, stop) ~= "\n" then return nil end
  local properties = text:sub(properties_at, stop - 1)
  return tonumber(entry), {
    topic = text:sub(body, payload_at - 1), payload = text:sub(payload_at, properties_at - 1), qos = tonumber(qos),
    retained = retained == "1", properties = properties ~= "" and properties or nil,
  }, stop + 1
end

-- The messages in a journal's text that have no end there, in order.
local function living(text)
  local messages, order, at = {}, {}, 1
  while true do
    local entry, message, after = parse(text, at)
    if entry == nil then break end
    if message then order[#order + 1] = entry end
    messages[entry] = message
    at = after
  end
  local list = {}
  for _, entry in ipairs(order) do
    local message = messages[entry]
    if message then
      message.entry = entry
      list[#list + 1] = message
    end
  end
  return list
end

-- Writes the file anew with these messages and opens it for appending. The new one is whole before the old one goes;
-- where that fails the old one stays, and nothing is appended before another attempt has succeeded.
local function rewrite(self, messages)
  if self.file then self.file:close() end
  self.file = nil
  local parts, sizes, live = {}, {}, 0
  for i, m in ipairs(messages) do
    parts[i] = record(m.entry, m)
    sizes[m.entry] = #parts[i]
    live = live + #parts[i]
  end
  local ok, why = core.file.write(self.path, table.concat(parts))
  if not ok then return nil, why end
  self.sizes, self.live_bytes, self.dead_bytes = sizes, live, 0
  self.file, why = io.open(self.path, "ab")
  if self.file == nil then return nil, why end
  self.file:setvbuf("no")
  return true
end

local function read_living(self)
  local text, why = core.file.read(self.path, MAX_BYTES)
  if text then return living(text) end
  if why == "absent" then return {} end
  return nil, why
end

-- The same with those of its own messages that have not ended, whatever could be written down of that.
local function renew(self)
  local messages, why = read_living(self)
  if messages == nil then return nil, why end
  local kept = {}
  for _, m in ipairs(messages) do
    if self.sizes[m.entry] then kept[#kept + 1] = m end
  end
  return rewrite(self, kept)
end

--- Opens or makes the journal at `path`.
---@param path string
---@return table? journal
---@return fogcloud.Error? err  another process uses it, or the file cannot be read or written
function Journal.open(path)
  local self = setmetatable({ path = path, last = 0, sizes = {}, entries = {} }, Journal)
  local lock, why = core.file.lock(path .. ".lock")
  if not lock then return nil, failure(path, why) end
  self.lock = lock
  local messages
  messages, why = read_living(self)
  if messages then
    for i, m in ipairs(messages) do m.entry = i end
    self.last, self.found = #messages, messages
    local ok
    ok, why = rewrite(self, messages)
    if ok then return self end
  end
  lock:unlock()
  return nil, failure(path, why)
end

--- The messages that an earlier process left, in order; given once.
function Journal:pending()
  local found = self.found
  self.found = nil
  return found or {}
end

local function append(self, text)
  local ok, why = true, nil
  if self.file == nil then ok, why = renew(self) end -- it could not be written before: perhaps now
  if ok then ok, why = self.file:write(text) end
  if ok then return true end
  -- A part of it may be there: without a whole file nothing that follows could be read again.
  if self.file then renew(self) end
  return nil, why
end

--- Writes a message down. The entry's number, or nil and why not.
function Journal:add(topic, payload, qos, retained, properties)
  local entry = self.last + 1
  local message = { topic = topic, payload = payload, qos = qos, retained = retained, properties = properties }
  local text = record(entry, message)
  local ok, why = append(self, text)
  if not ok then return nil, failure(self.path, why).message end
  self.last = entry
  self.sizes[entry] = #text
  self.live_bytes = self.live_bytes + #text
  return entry
end

local function compact(self)
  if self.dead_bytes < COMPACT_BYTES or self.dead_bytes < 2 * self.live_bytes then return end
  renew(self)
end

--- The message has come to its end.
function Journal:remove(entry)
  local size = self.sizes[entry]
  if size == nil then return end
  self.sizes[entry] = nil
  self.live_bytes = self.live_bytes - size
  self.dead_bytes = self.dead_bytes + size
  append(self, ("- %.0f\n"):format(entry)) -- should it fail, and nothing follow, the message is sent once more
  compact(self)
end

--- The core's number of the message in this entry.
function Journal:name(entry, id) self.entries[id] = entry end

--- Whether the message with this number is here.
function Journal:has(id) return self.entries[id] ~= nil end

function Journal:remove_named(id)
  local entry = self.entries[id]
  self.entries[id] = nil
  self:remove(entry)
end

function Journal:close()
  if self.lock == nil then return end
  if self.file then self.file:close() end
  self.file = nil
  self.lock:unlock()
  self.lock = nil
end

return Journal
