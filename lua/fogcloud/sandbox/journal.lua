-- SPDX-License-Identifier: MIT

--- The requests that the API received, newest last; secrets are redacted and long texts cut before they come in. The
--- oldest go when there are too many, or too many bytes of them.
local Journal = {}
Journal.__index = Journal

local LIMIT, BYTES = 100000, 64 * 1024 * 1024
local TEXT = 4096 -- of one text, at most
local FIELD, ENTRY = 64, 256 -- about what they take besides their texts
local SECRET = { client_secret = true, password = true, access_token = true }

--- What a filter may name.
Journal.FIELDS = {
  time = true, endpoint = true, method = true, path = true, code = true, status = true, request_id = true,
  content_type = true, connection = true,
}

function Journal.new()
  return setmetatable({ first = 1, last = 0, ever = 0, bytes = 0, entries = {}, sizes = {} }, Journal)
end

local function cut(value)
  if type(value) ~= "string" or #value <= TEXT then return value end
  return value:sub(1, TEXT) .. "..."
end

-- A copy that is fit to be kept, and about how many bytes it takes.
local function kept(fields)
  local copy, bytes = {}, 0
  for name, value in pairs(fields) do
    local size, key = 0, name
    if type(name) == "string" then
      if SECRET[name:lower()] then value = "[redacted]" end
      key = cut(name)
    end
    if type(value) == "table" then
      value, size = kept(value)
    else
      value = cut(value)
    end
    copy[key] = value
    bytes = bytes + FIELD + #tostring(key) + (type(value) == "string" and #value or size)
  end
  return copy, bytes
end

local function drop_oldest(self)
  self.bytes = self.bytes - self.sizes[self.first]
  self.entries[self.first], self.sizes[self.first] = nil, nil
  self.first = self.first + 1
end

local GIVEN = { "method", "path", "request_id", "content_type" } -- by the client, of any length

--- Notes a request, and takes the entry over: time, endpoint, method, path, params, code, status, request_id,
--- content_type, connection (a number).
function Journal:note(entry)
  local bytes
  entry.params, bytes = kept(entry.params or {})
  bytes = bytes + ENTRY
  for _, name in ipairs(GIVEN) do
    entry[name] = cut(entry[name])
    bytes = bytes + #(entry[name] or "")
  end
  self.last, self.ever, self.bytes = self.last + 1, self.ever + 1, self.bytes + bytes
  self.entries[self.last], self.sizes[self.last] = entry, bytes
  while self.last - self.first >= LIMIT or (self.bytes > BYTES and self.first < self.last) do drop_oldest(self) end
end

local function equal(has, wanted)
  if type(has) == "number" then return has == tonumber(wanted) end
  return has == wanted
end

local function matches(entry, filter)
  for name, wanted in pairs(filter) do
    if not equal(entry[name], wanted) then return false end
  end
  return true
end

--- Those that have all of the filter's fields, e.g. { endpoint = "token", code = "0" }: texts, as a query has them.
function Journal:select(filter)
  local found = {}
  for i = self.first, self.last do
    if matches(self.entries[i], filter) then found[#found + 1] = self.entries[i] end
  end
  return found
end

--- How many those are.
function Journal:count(filter)
  local n = 0
  for i = self.first, self.last do
    if matches(self.entries[i], filter) then n = n + 1 end
  end
  return n
end

--- How many there have ever been.
function Journal:total() return self.ever end

function Journal:clear() self.first, self.last, self.bytes, self.entries, self.sizes = 1, 0, 0, {}, {} end

return Journal
