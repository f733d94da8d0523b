-- SPDX-License-Identifier: MIT

--- What a broker has written down of its exchanges with one client (`broker_log = "all"`, topics that end in a number),
--- and what is wrong with them. The broker outlives the client, so its record is whole however often that is killed.
local record = {}

local PUBLISH = "^%d+: (%u%l+) PUBLISH %l+ (%S+) %(d(%d), q(%d), r%d, m(%d+), '[^']*/(%d+)'"
local OTHERS = {
  "^%d+: (%u%l+) (PUB%u+) %l+ (%S+) %(m(%d+)", -- what it sends
  "^%d+: (%u%l+) (PUB%u+) %l+ (%S+) %(Mid: (%d+)",
}

local function parse(line, client)
  local from, whom, dup, qos, id, n = line:match(PUBLISH)
  if from then
    return whom == client and {
      from = from, kind = "PUBLISH", dup = dup == "1", qos = tonumber(qos), id = tonumber(id), n = tonumber(n),
    } or nil
  end
  for _, pattern in ipairs(OTHERS) do
    local way, kind, who, mid = line:match(pattern)
    if who == client then return { from = way, kind = kind, id = tonumber(mid) } end
  end
  if line:find("as " .. client .. " (", 1, true) then return { kind = "link" } end
  return nil
end

--- The packets between the broker of the sandbox and the client, in their order: `from` is "Received" or "Sending".
function record.read(sandbox, client)
  local list = {}
  for line in io.lines(sandbox.ca_file:match "^(.*/)" .. "mosquitto.log") do
    list[#list + 1] = parse(line, client)
  end
  return list
end

local function fault(self, text, ...) self.faults[#self.faults + 1] = text:format(...) end

-- The rules of MQTT 4.3 and 4.4 for whoever publishes.
local taking = {}

function taking.PUBLISH(self, p)
  if p.qos == 0 then return end
  local before = self.exchanges[p.n]
  if self.open[p.id] and self.open[p.id] ~= p.n then
    fault(self, "%d with the packet id of %d, whose exchange is not at its end", p.n, self.open[p.id])
  end
  if before == nil then
    if p.n < self.last then fault(self, "%d behind %d", p.n, self.last) end
    self.last = p.n
    self.exchanges[p.n] = { id = p.id, qos = p.qos }
    self.count = self.count + 1
  elseif before.done and p.qos == 2 then
    fault(self, "%d of QoS 2 twice", p.n)
  else
    self.again = self.again + 1
    if not p.dup then fault(self, "%d again without DUP", p.n) end
    if before.id ~= p.id then fault(self, "%d again with another packet id", p.n) end
  end
  if p.qos == 2 then self.open[p.id] = p.n else self.plain[p.id] = p.n end
end

function taking.PUBACK(self, p)
  local n = self.plain[p.id]
  if n then self.exchanges[n].done = true end
end

function taking.PUBREL(self, p)
  local n = self.open[p.id]
  self.open[p.id] = nil
  if n then self.exchanges[n].done = true end
end

--- What a client has published, as the broker saw it: none of QoS 2 in two exchanges, what comes again with the same
--- packet id and DUP, first ones in order, each exchange at its end.
---@return { faults: string[], exchanges: table<integer, table>, count: integer, again: integer }
function record.published(list)
  local self = { faults = {}, exchanges = {}, open = {}, plain = {}, last = 0, count = 0, again = 0 }
  local wanted = { PUBLISH = "Received", PUBREL = "Received", PUBACK = "Sending" }
  for _, p in ipairs(list) do
    if p.from and wanted[p.kind] == p.from then taking[p.kind](self, p) end
  end
  for n, exchange in pairs(self.exchanges) do
    if not exchange.done then fault(self, "the exchange of %d is not at its end", n) end
  end
  return self
end

-- Whoever receives: what is on this link without an answer stands in `due`, in the order in which it was sent.
local giving = {}

function giving.link(self) self.due, self.first = {}, 1 end

function giving.PUBLISH(self, p)
  if p.qos == 0 then return end
  self.names[p.id] = p.n
  self.due[#self.due + 1] = p.id
  if not self.exchanges[p.n] then self.count = self.count + 1 end
  self.exchanges[p.n] = self.exchanges[p.n] or { qos = p.qos, completed = 0 }
  self.again = self.again + (p.dup and 1 or 0)
end

local function answered(self, p)
  local n = self.names[p.id]
  if self.due[self.first] ~= p.id then fault(self, "%s of %s out of order", p.kind, tostring(n)) end
  self.first = self.first + 1
  if n and not self.handled[n] then fault(self, "%d was acknowledged and not handled", n) end
  return n and self.exchanges[n]
end

function giving.PUBACK(self, p)
  local exchange = answered(self, p)
  if exchange then exchange.completed = exchange.completed + 1 end
end

function giving.PUBREC(self, p) answered(self, p) end

function giving.PUBCOMP(self, p)
  local exchange = self.exchanges[self.names[p.id]]
  if exchange then exchange.completed = exchange.completed + 1 end
end

--- What a client has received, as the broker saw it: nothing acknowledged that is not among `handled`, acknowledgements in
--- the order of arrival, each exchange at its end, and once.
---@param handled table<integer, any>
---@return { faults: string[], exchanges: table<integer, table>, count: integer, again: integer }
function record.received(list, handled)
  local self = { faults = {}, exchanges = {}, names = {}, due = {}, first = 1, handled = handled, count = 0, again = 0 }
  for _, p in ipairs(list) do
    local wanted = p.kind == "PUBLISH" and "Sending" or p.kind ~= "link" and "Received" or nil
    if giving[p.kind] and p.from == wanted then giving[p.kind](self, p) end
  end
  for n, exchange in pairs(self.exchanges) do
    if exchange.completed == 0 then fault(self, "the exchange of %d is not at its end", n) end
    if exchange.qos == 2 and exchange.completed > 1 then fault(self, "%d of QoS 2 in two exchanges", n) end
  end
  return self
end

return record
