-- SPDX-License-Identifier: MIT

--- Faults on demand, on HTTP: which request meets which, and what then goes over the wire.
local Faults = {}
Faults.__index = Faults

local DAY = 86400

-- Kinds of values: what is said of a field that is not one of them, and the check.
local function whole(least, most)
  return { ("a whole number from %d to %d"):format(least, most), function(value)
    return type(value) == "number" and value >= least and value <= most and value % 1 == 0
  end }
end

local function number(most)
  return { ("a number from 0 to %d"):format(most), function(value)
    return type(value) == "number" and value >= 0 and value <= most
  end }
end

local function kind(name) return { "a " .. name, function(value) return type(value) == name end } end

local FIELDS = {
  endpoint = kind "string", count = whole(0, 1e9), probability = number(1), code = whole(0, 1e9),
  status = whole(100, 999), delay = number(DAY), delay_max = number(DAY), cut = kind "string",
  lost = kind "boolean", body = kind "string", truncate = whole(0, 1e9), content_type = kind "string",
  size = whole(0, 2 ^ 30), trickle_ms = whole(0, DAY * 1000), retry_after = kind "string",
}
local CUTS = { before = true, during = true, after = true }
local ENDPOINTS = { token = true, create_client = true, grant = true, revoke = true, products = true, ["*"] = true }

--- `random()` gives numbers in [0, 1).
function Faults.new(random) return setmetatable({ list = {}, random = random }, Faults) end

--- Whether a table describes a fault.
---@return boolean? ok
---@return string? why
function Faults.check(fault)
  if type(fault) ~= "table" then return nil, "a fault is an object" end
  for name, value in pairs(fault) do
    local field = FIELDS[name]
    if field == nil then return nil, ("unknown field '%s'"):format(tostring(name)) end
    if not field[2](value) then return nil, ("field '%s' must be %s"):format(name, field[1]) end
  end
  if not ENDPOINTS[fault.endpoint or "*"] then return nil, "unknown endpoint" end
  if fault.cut and not CUTS[fault.cut] then return nil, "'cut' is before, during or after" end
  return true
end

--- Adds one; `count` (default 1, 0: without end) requests to `endpoint` (default all) meet it, each with
--- `probability` (default 1).
function Faults:add(fault)
  local copy = {}
  for name, value in pairs(fault) do copy[name] = value end
  copy.endpoint, copy.left = copy.endpoint or "*", copy.count == 0 and math.huge or copy.count or 1
  self.list[#self.list + 1] = copy
end

function Faults:clear() self.list = {} end

--- The fault that a request to the endpoint meets, nil for none.
function Faults:take(endpoint)
  for i, fault in ipairs(self.list) do
    local meant = fault.endpoint == "*" or fault.endpoint == endpoint
    if meant and (fault.probability == nil or self.random() < fault.probability) then
      fault.left = fault.left - 1
      if fault.left <= 0 then table.remove(self.list, i) end
      return fault
    end
  end
  return nil
end

--- Whether the request is carried out at all: a fault that answers by itself, or cuts before, leaves the state alone.
function Faults.carries_out(fault)
  return fault.lost == true or not (fault.code or fault.status or fault.cut == "before")
end

--- How long the reply is held back, in seconds.
function Faults:delay(fault)
  local low = fault.delay or 0
  return low + self.random() * math.max(0, (fault.delay_max or low) - low)
end

--- What goes over the wire in the place of a reply: status, headers, body, and the server's own fault table.
function Faults.bend(fault, status, headers, body)
  status = fault.status or status
  if fault.body then body = fault.body end
  if fault.truncate then body = body:sub(1, fault.truncate) end
  if fault.size then body = body .. (" "):rep(fault.size - #body) end
  if fault.content_type then headers[1] = "Content-Type: " .. fault.content_type end
  if fault.retry_after then headers[#headers + 1] = "Retry-After: " .. fault.retry_after end
  local wire = { trickle_ms = fault.trickle_ms }
  if fault.lost or fault.cut == "before" or fault.cut == "after" then
    wire.cut = true
  elseif fault.cut == "during" then
    wire.cut_after = math.max(1, math.floor(#body / 2))
  end
  return status, headers, body, wire
end

return Faults
