-- SPDX-License-Identifier: MIT

--- Faults on demand, on HTTP: which request meets which, and what then goes over the wire.
local errors = require "fogcloud.errors"

local Faults = {}
Faults.__index = Faults

local DAY = 86400

-- Kinds of values: what is said of a field that is not one of them, and the check.
local function whole(least, most)
  return { ("a whole number from %d to %d"):format(least, most), function(value)
    return type(value) == "number" and value >= least and value <= most and value % 1 == 0
  end, "number" }
end

local function number(most)
  return { ("a number from 0 to %d"):format(most), function(value)
    return type(value) == "number" and value >= 0 and value <= most
  end, "number" }
end

local function kind(name) return { "a " .. name, function(value) return type(value) == name end, name } end

local HEADER = { "1 to 900 bytes, not all of them spaces, without control characters", function(value)
  return type(value) == "string" and #value <= 900 and value:find("%S") ~= nil and not value:find("%c")
end, "string" }

local FIELDS = {
  endpoint = kind "string", count = whole(0, 1e9), probability = number(1), code = whole(1, 1e9),
  status = whole(200, 999), delay = number(DAY), delay_max = number(DAY), cut = kind "string",
  lost = kind "boolean", body = kind "string", truncate = whole(0, 1e9), content_type = HEADER,
  size = whole(0, 2 ^ 30), trickle_ms = whole(0, DAY * 1000), retry_after = HEADER,
}
--- The type of each field's value, by name.
Faults.KINDS = {}
for name, field in pairs(FIELDS) do Faults.KINDS[name] = field[3] end

local KEPT = 100 -- of those that have met all their requests
local CUTS = { before = true, during = true, after = true }
local ENDPOINTS = { token = true, create_client = true, grant = true, revoke = true, products = true, ["*"] = true }

--- `random()` gives numbers in [0, 1).
function Faults.new(random) return setmetatable({ list = {}, over = {}, last = 0, random = random }, Faults) end

--- Whether a table describes a fault.
---@return boolean? ok
---@return string? why
function Faults.check(fault)
  if type(fault) ~= "table" then return nil, "a fault is an object" end
  for name, value in pairs(fault) do
    local field = FIELDS[name]
    if field == nil then return nil, ("unknown field '%s'"):format(errors.text(name)) end
    if not field[2](value) then return nil, ("field '%s' must be %s"):format(name, field[1]) end
  end
  if not ENDPOINTS[fault.endpoint or "*"] then return nil, "unknown endpoint" end
  if fault.cut and not CUTS[fault.cut] then return nil, "'cut' is before, during or after" end
  if fault.cut == "during" and (fault.status == 204 or fault.status == 304) then
    return nil, ("a reply of status %d has no body to be cut"):format(fault.status)
  end
  return true
end

--- Adds one; `count` (default 1, 0: without end) requests to `endpoint` (default all) meet it, each with
--- `probability` (default 1).
function Faults:add(fault)
  local copy = {}
  for name, value in pairs(fault) do copy[name] = value end
  copy.endpoint, copy.left = copy.endpoint or "*", copy.count == 0 and math.huge or copy.count or 1
  self.last = self.last + 1
  copy.id, copy.struck = self.last, 0
  self.list[#self.list + 1] = copy
  return copy.id
end

--- All of them, or the one of this number; whether there was one.
function Faults:clear(id)
  if id == nil then
    self.list, self.over = {}, {}
    return true
  end
  for _, list in ipairs { self.list, self.over } do
    for i, fault in ipairs(list) do
      if fault.id == id then return table.remove(list, i) ~= nil end
    end
  end
  return false
end

local function described(fault)
  local copy = {}
  for name, value in pairs(fault) do copy[name] = value end
  if copy.left == math.huge then copy.left = nil end
  return copy
end

--- Those that are armed, then the last hundred of those that have met all their requests: their fields, id, how often
--- they struck, and how many requests are left to them (nil: without end).
function Faults:describe()
  local all = {}
  for _, list in ipairs { self.list, self.over } do
    for _, fault in ipairs(list) do all[#all + 1] = described(fault) end
  end
  return all
end

local function retire(self, i)
  table.insert(self.over, table.remove(self.list, i))
  if #self.over > KEPT then table.remove(self.over, 1) end
end

--- The fault that a request to the endpoint meets, nil for none.
function Faults:take(endpoint)
  for i, fault in ipairs(self.list) do
    local meant = fault.endpoint == "*" or fault.endpoint == endpoint
    if meant and (fault.probability == nil or self.random() < fault.probability) then
      fault.left, fault.struck = fault.left - 1, fault.struck + 1
      if fault.left <= 0 then retire(self, i) end
      return fault
    end
  end
  return nil
end

--- What the API answers under a fault; nil where the request does not get that far. A fault that answers by itself, or
--- cuts before, leaves the state alone: `carry_out()` is not called.
function Faults.outcome(fault, carry_out)
  local outcome = nil
  if fault.lost or not (fault.code or fault.status or fault.cut == "before") then outcome = carry_out() end
  if fault.code then outcome = { code = fault.code, message = "a fault was asked for" } end
  return outcome
end

-- How long the reply is held back, in seconds.
local function delay_of(self, fault)
  local low, high = fault.delay or 0, fault.delay_max or 0
  return high > low and low + self.random() * (high - low) or low
end

local function body_of(fault, body)
  body = fault.body or body
  if fault.truncate then body = body:sub(1, fault.truncate) end
  if fault.size then body = body .. (" "):rep(fault.size - #body) end
  if fault.cut == "during" and body == "" then body = " " end -- something has to be missing
  return body
end

--- What goes over the wire, by a fault or by an empty table: status, headers, body, and the server's own fault table.
--- Status and body are the API's, or nil where the request did not get that far: then a page takes their place, as a
--- gateway's would.
function Faults:bend(fault, status, body)
  local media = "application/json"
  if body == nil then
    status = fault.status or 500
    if fault.body == nil then media = "text/plain" end
    body = ("%d, since a fault was asked for\n"):format(status)
  end
  body = body_of(fault, body)
  local headers = { "Content-Type: " .. (fault.content_type or media) }
  if fault.retry_after then headers[2] = "Retry-After: " .. fault.retry_after end
  return fault.status or status, headers, body, {
    cut = fault.lost or fault.cut == "before", hang_up = fault.cut == "after",
    cut_after = fault.cut == "during" and math.floor(#body / 2) or nil,
    trickle_ms = fault.trickle_ms, delay = delay_of(self, fault),
  }
end

return Faults
