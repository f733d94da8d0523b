-- SPDX-License-Identifier: MIT

--- The requests that the API received, newest last, bounded; secrets are redacted before they come in.
local Journal = {}
Journal.__index = Journal

local LIMIT = 100000
local SECRET = { client_secret = true, password = true, access_token = true }

function Journal.new() return setmetatable({ first = 1, last = 0, entries = {} }, Journal) end

local function redacted(params)
  local copy = {}
  for name, value in pairs(params) do copy[name] = SECRET[name] and "[redacted]" or value end
  return copy
end

--- Notes a request: time, endpoint, method, path, params, code, status, request_id,
--- content_type, connection (a number).
function Journal:note(entry)
  entry.params = redacted(entry.params or {})
  self.last = self.last + 1
  self.entries[self.last] = entry
  if self.last - self.first >= LIMIT then
    self.entries[self.first] = nil
    self.first = self.first + 1
  end
end

--- Those that have all of the filter's fields, e.g. { endpoint = "token", code = 0 }.
function Journal:select(filter)
  local found = {}
  for i = self.first, self.last do
    local entry, match = self.entries[i], true
    for name, value in pairs(filter) do
      if tostring(entry[name]) ~= tostring(value) then match = false end
    end
    if match then found[#found + 1] = entry end
  end
  return found
end

function Journal:clear() self.first, self.last, self.entries = 1, 0, {} end

return Journal
