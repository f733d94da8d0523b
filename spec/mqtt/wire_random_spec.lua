-- SPDX-License-Identifier: MIT

-- A session against a model of a broker that keeps it, over links that are cut at any time, in random order: what is
-- lost, doubled or out of order, and what goes over the wire that must not. The seeds are fixed.
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"
local wire = require "spec.support.wire"

local STEPS, RUNS = 400, 3

-- A generator of our own: the same numbers on every Lua.
local function random_from(seed)
  local state = seed
  return function(n)
    state = (state * 16807) % 2147483647
    return state % n + 1
  end
end

local Model = {}
Model.__index = Model

function Model.new()
  return setmetatable({
    published = {}, -- what the client asked for, in order: { payload, qos }
    arrived = {}, -- what has come here
    waiting = {}, -- ids of QoS 2 that have come and are not released
    flying = {}, -- the client's, by id: what a PUBLISH of it said, and whether its PUBREL has come
    sent = {}, -- ours that have not ended, in order
    told = {}, -- all that we have sent, in order: { payload, qos }
    gone = {}, -- the last message of each id that has ended here; the client may not know it yet
    last_id = 0,
  }, Model)
end

-- What the client sends ---------------------------------------------------------------------------------------------

function Model:PUBLISH(p)
  if p.qos == 0 then
    assert(not p.dup, "DUP with QoS 0")
    self.arrived[#self.arrived + 1] = p.payload
    return
  end
  local known = self.flying[p.id]
  if known then
    assert(known.payload == p.payload and known.qos == p.qos, "an id in use was given to another message")
    assert(p.dup, "sent again without DUP")
    assert(known.link ~= self.link, "sent twice over one link")
    assert(not known.released, "a PUBLISH after its PUBREL")
  end -- else it may have been sent over a link that was cut before it was read
  self.flying[p.id] = { payload = p.payload, qos = p.qos, link = self.link, released = false }
  if not self.waiting[p.id] then self.arrived[#self.arrived + 1] = p.payload end
  if p.qos == 2 then self.waiting[p.id] = true end
  self:owe(p.qos == 1 and "PUBACK" or "PUBREC", p.id)
end

function Model:PUBREL(p)
  local known = self.flying[p.id]
  assert(known and known.answered or self.gone[p.id], "a PUBREL of nothing, or before its PUBREC")
  if known then known.released = true end
  self.waiting[p.id] = nil
  self:owe("PUBCOMP", p.id)
end

local function first_with(list, id)
  for i, m in ipairs(list) do
    if m.id == id then return i, m end
  end
end

-- Answers come in the order of arrival: what is answered is the first that can be.
local function answered(self, p, qos, state)
  for i, m in ipairs(self.sent) do
    if m.qos == qos and m.state == state and m.link == self.link then
      assert(m.id == p.id, "an acknowledgement out of order")
      return i, m
    end
  end
  error "an acknowledgement of nothing"
end

function Model:PUBACK(p)
  local i = answered(self, p, 1, "sent")
  table.remove(self.sent, i)
end

function Model:PUBREC(p)
  local _, m = answered(self, p, 2, "sent")
  m.state = "received"
  self:owe("PUBREL", p.id)
end

function Model:PUBCOMP(p)
  local i, m = first_with(self.sent, p.id)
  assert(m and m.state == "released", "a PUBCOMP of nothing")
  table.remove(self.sent, i)
end

function Model:PINGREQ() self.wire:send "d0 00" end

-- What we send ------------------------------------------------------------------------------------------------------

function Model:owe(name, id) self.owed[#self.owed + 1] = { name, id } end

-- Some of what is owed, in its order.
function Model:pay(most)
  for _ = 1, math.min(most, #self.owed) do
    local name, id = (unpack or table.unpack)(table.remove(self.owed, 1))
    if name == "PUBREC" and self.flying[id] then self.flying[id].answered = true end
    if name == "PUBACK" or name == "PUBCOMP" then
      if self.flying[id] then self.gone[id] = self.flying[id].payload end
      self.flying[id] = nil
    end
    if name == "PUBREL" then
      local _, m = first_with(self.sent, id)
      m.state = "released"
    end
    self.wire:answer(name, id)
  end
end

function Model:tell(payload, qos)
  local m = { payload = payload, qos = qos, state = "sent", link = self.link }
  self.told[#self.told + 1] = m
  if qos > 0 then
    if #self.sent >= 20 then return table.remove(self.told) end
    repeat
      self.last_id = self.last_id % 65535 + 1
    until not first_with(self.sent, self.last_id)
    m.id = self.last_id
    self.sent[#self.sent + 1] = m
  end
  self.wire:publish("t", payload, qos, m.id)
end

-- Reads what is there now; true once the link has ended.
function Model:hear()
  while self.wire:ready() do
    local p = self.wire:read()
    if p == nil then return true end
    local run = self[p.name]
    if p.name == "SUBSCRIBE" then
      self.wire:answer("SUBACK", p.id, 2)
      self.subscribed = true
    end
    if run then run(self, p) end
  end
end

-- A new link: what has not ended goes out again. Of the answers that were owed the client has heard nothing.
function Model:begin(link)
  self.wire, self.link, self.owed = link, (self.link or 0) + 1, {}
  for id, m in pairs(self.flying) do
    if m.qos == 1 then self.gone[id], self.flying[id] = m.payload, nil end -- may be sent again, or be done
  end
  for _, m in ipairs(self.sent) do
    m.link = self.link
    if m.state == "sent" then
      link:publish("t", m.payload, m.qos, m.id, 8)
    else
      m.state = "released"
      link:answer("PUBREL", m.id)
    end
  end
end

-- The first of each payload, in order; how often each came.
local function firsts(list)
  local order, times = {}, {}
  for _, payload in ipairs(list) do
    if not times[payload] then order[#order + 1] = payload end
    times[payload] = (times[payload] or 0) + 1
  end
  return order, times
end

local function compare(asked, came, dropped)
  local order, times = firsts(came)
  local place = {}
  for i, payload in ipairs(order) do place[payload] = i end
  local last = 0
  for _, m in ipairs(asked) do
    if m.qos > 0 and not dropped[m.payload] then
      assert(times[m.payload], m.payload .. " is lost")
      assert(m.qos == 1 or times[m.payload] == 1, m.payload .. " came twice")
      assert(place[m.payload] > last, m.payload .. " is out of order")
      last = place[m.payload]
    else
      assert((times[m.payload] or 0) <= 1, m.payload .. " came twice")
    end
  end
end

for _, version in ipairs { "3.1.1", "5.0" } do
  describe("in random order, MQTT " .. version .. ",", function()
    local broker, session

    before_each(function() broker = wire.broker() end)
    after_each(function()
      if session then session:close() end
      session = nil
      broker:stop()
      fogcloud.run()
    end)

    local function cut(model)
      model.wire:close()
      model:begin(broker:greet(true))
    end

    local function hear(model)
      if model:hear() then cut(model) end
    end

    -- One of all the things that can happen; one in `cuts` of the last kind is a cut.
    local function act(model, random, step, cuts)
      local what = random(20)
      if what <= 7 then
        local m = { payload = "c" .. step, qos = random(3) - 1 }
        if session:publish("t", m.payload, { qos = m.qos }) then model.published[#model.published + 1] = m end
      elseif what <= 12 then
        model:tell("b" .. step, random(3) - 1)
      elseif what <= 18 then
        fogcloud.step(0)
        hear(model)
        model:pay(random(6) - 1)
      elseif what == 19 then
        fogcloud.step(0.002)
      elseif random(cuts) == 1 then
        cut(model)
      end
    end

    -- A run with the session's options; every third handler yields for so long.
    local function run(seed, opts, yields, cuts)
      local random = random_from(1000 * seed + (version == "5.0" and 7 or 1))
      local model = Model.new()
      local link
      opts.version, opts.clean = version, false
      session, link = broker:open(opts)
      model:begin(link)
      local got, told = {}, {} -- told: a broker that hangs up on a message again and again is thought to refuse it
      session:on("drop", function(notice) told[notice.payload or ""] = true end)
      fogcloud.spawn(function()
        session:subscribe("t", 2, function(_, payload)
          got[#got + 1] = payload
          if yields and #got % 3 == 0 then fogcloud.sleep(yields) end
        end)
      end)
      wire.wait("the subscription", function()
        model:hear()
        return model.subscribed
      end)
      for step = 1, STEPS do act(model, random, step, cuts) end
      wire.wait("the end", function()
        hear(model)
        model:pay(1000)
        return #model.sent == 0 and #model.owed == 0 and session:stats().queued == 0
      end)
      fogcloud.step(0.05)
      support.assert_identity(session)
      compare(model.published, model.arrived, told)
      compare(model.told, got, {})
    end

    for seed = 1, RUNS do
      it("nothing is lost, doubled or out of order, seed " .. seed, function() run(seed, {}, nil, 4) end)

      it("nor where there is little room, handlers wait and links hardly last, seed " .. seed, function()
        run(seed, { in_count = 5, window = 3, max_handlers = 3 }, 0.001, 2)
      end)
    end
  end)
end
