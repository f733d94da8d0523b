-- SPDX-License-Identifier: MIT

-- The driver and brokers of others. Each row is done with each broker, and says in words what it saw; MATRIX has the
-- words that must come, and docs/conformance.md prints it.
require "spec.support.identity"
local Broker = require "spec.support.broker"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local BROKERS = { "mosquitto", "rabbitmq", "aedes" }

-- A pair of words: before version 4 of RabbitMQ (Debian 13 has it), and from then on.
local MATRIX = {
  { "QoS 0, 100 messages each way", "all come, as QoS 0", "all come, as QoS 0", "all come, as QoS 0" },
  { "QoS 1, 100 messages each way", "all come, as QoS 1", "all come, as QoS 1", "all come, as QoS 1" },
  { "QoS 2, 100 messages each way", "all come, as QoS 2", "all come, as QoS 1: it grants no more", "all come, as QoS 2" },
  { "a message of 300 KB", "it comes whole", "it comes whole", "it comes whole" },
  { "MQTT 5", "yes", { "it hangs up; the error asks whether it speaks it", "yes" }, "refused, code 1" },
  { "a subscription that was ended", "nothing comes", "nothing comes", "nothing comes" },
  { "retained, for its topic", "it comes, marked", "it comes, marked", "it comes, marked" },
  { "retained, for a filter with +", "it comes, marked", "it does not come", "it comes, marked" },
  { "retained, and taken back", "it does not come", "it does not come", "it does not come" },
  { "the will of who says goodbye", "it does not come", "it does not come", "it does not come" },
  { "the will of a program that dies", "it comes", "it comes", "it comes" },
  { "a kept session, 20 of QoS 1 meanwhile", "all come, once", "all come, once", "all come, once" },
  {
    "a restart among 300 of QoS 1", "all are acknowledged, and come", "all are acknowledged, and come",
    "all are acknowledged; it forgets the session, which is made anew",
  },
  { "two with one client id", "the older link ends", "the older link ends", "the older link ends" },
  { "a wrong password", "auth, code 5", "auth, code 4", "auth, code 4" },
  {
    "a subscription that is not allowed", "granted; nothing comes",
    { "it hangs up; the error says so", "refused, code 128" }, "refused, code 128",
  },
  {
    "a message that is not allowed", "acknowledged, and thrown away", "it hangs up; the message is dropped, alone",
    "it hangs up; the message is dropped, alone",
  },
}

local broker, sessions

local function connect(id, more, password)
  local opts = { backoff_base = 0.02, backoff_cap = 0.5 }
  for name, value in pairs(more or {}) do opts[name] = value end
  local credentials
  credentials, opts = broker:login(id, opts.transport, opts)
  credentials.password = password or credentials.password
  local session, err = fogcloud.connect(credentials, opts)
  sessions[#sessions + 1] = session
  return session, err
end

-- What comes on `filter`, as payloads, and behind it how each came.
local function hear(session, filter, qos)
  local heard = { how = {} }
  local granted = assert(session:subscribe(filter, qos, function(_, payload, message)
    heard[#heard + 1] = payload
    heard.how[#heard] = message
  end))
  return heard, granted
end

local function comes(heard, n) support.serve_until(function() return #heard >= n end, 60) end

-- How many different ones.
local function distinct(heard)
  local seen, n = {}, 0
  for _, payload in ipairs(heard) do
    if not seen[payload] then seen[payload], n = true, n + 1 end
  end
  return n
end

local function send(session, topic, from, to, qos)
  for i = from, to do assert(session:publish(topic, "m" .. i, { qos = qos })) end
end

local EACH = 100

local function both_ways(qos, transport)
  local one, two = assert(connect("one", { transport = transport })), assert(connect("two", { transport = transport }))
  local there, granted = hear(two, "there/+", 2)
  local back = hear(one, "back/#", 2)
  send(one, "there/a", 1, EACH, qos)
  send(two, "back/a/b", 1, EACH, qos)
  assert.is_true(one:flush(30) and two:flush(30))
  comes(there, EACH)
  comes(back, EACH)
  for _, heard in ipairs { there, back } do
    assert.equal(EACH, #heard)
    for i = 1, EACH do assert.equal("m" .. i, heard[i]) end
  end
  local stats = one:stats()
  assert.same({ EACH, 0, 0 }, { stats.acknowledged, stats.failed, stats.dropped })
  one:close() -- over the other transport the same two come
  two:close()
  local came = there.how[1].qos
  return ("all come, as QoS %d%s"):format(came, came < qos and granted == came and ": it grants no more" or "")
end

-- By name. Each says what it saw.
local ROWS = {}

for qos = 0, 2 do
  ROWS[("QoS %d, 100 messages each way"):format(qos)] = function()
    local plain = both_ways(qos, "tcp")
    assert.equal(plain, both_ways(qos, "websockets"))
    return plain
  end
end

ROWS["a message of 300 KB"] = function()
  for _, transport in ipairs { "tcp", "websockets" } do
    local session = assert(connect("large", { transport = transport }))
    local heard = hear(session, "large", 1)
    assert(session:publish("large", ("0123456789"):rep(30000), { qos = 1 }))
    comes(heard, 1)
    assert.is_true(heard[1] == ("0123456789"):rep(30000))
    session:close()
  end
  return "it comes whole"
end

ROWS["MQTT 5"] = function()
  local session, err = connect("five", { version = "5.0" })
  if not session then
    if err.code then return ("refused, code %d"):format(err.code) end
    assert.truthy(err.message:find("does it speak MQTT 5", 1, true))
    return "it hangs up; the error asks whether it speaks it"
  end
  local heard = hear(session, "five", 1)
  assert(session:publish("five", "m", { qos = 1, properties = { user_properties = { { "a", "b" } } } }))
  comes(heard, 1)
  assert.same({ { "a", "b" } }, heard.how[1].properties.user_properties)
  return "yes"
end

ROWS["a subscription that was ended"] = function()
  local session = assert(connect "ends")
  local heard = hear(session, "ends/#", 1)
  assert(session:publish("ends/1", "a", { qos = 1 }))
  comes(heard, 1)
  assert(session:unsubscribe("ends/#"))
  local fence = hear(session, "fence", 1)
  assert(session:publish("ends/2", "b", { qos = 1 }))
  assert(session:publish("fence", "c", { qos = 1 }))
  comes(fence, 1)
  return #heard == 1 and "nothing comes" or "more comes"
end

-- What a newcomer is told of what stands at kept/a, where something may have been put before.
local function kept(filter, ...)
  local keeper, newcomer = assert(connect "keeper"), assert(connect "newcomer")
  for _, payload in ipairs { ... } do assert(keeper:publish("kept/a", payload, { qos = 1, retained = true })) end
  assert.is_true(keeper:flush(20))
  local heard = hear(newcomer, filter, 1)
  assert(keeper:publish("kept/a", "live", { qos = 1 }))
  support.serve_until(function() return heard[#heard] == "live" end)
  if #heard == 1 then return "it does not come" end
  assert.same({ "new", "live" }, { heard[1], heard[2] })
  return heard.how[1].retained and "it comes, marked" or "it comes"
end

ROWS["retained, for its topic"] = function() return kept("kept/a", "old", "new") end
ROWS["retained, for a filter with +"] = function() return kept("kept/+", "new") end
ROWS["retained, and taken back"] = function() return kept("kept/a", "new", "") end

ROWS["the will of who says goodbye"] = function()
  local witness = assert(connect "witness")
  local heard = hear(witness, "will/#", 1)
  local polite = assert(connect("polite", { will = { topic = "will/polite", payload = "gone", qos = 1 } }))
  assert(polite:finish(10))
  assert(witness:publish("will/fence", "fence", { qos = 1 }))
  comes(heard, 1)
  return heard[1] == "fence" and "it does not come" or "it comes"
end

local DIES = [[
local fogcloud = require "fogcloud"
local session = assert(fogcloud.connect({ clientid = "dying", loginname = "user", password = "secret",
  mqtthost = "127.0.0.1", mqttport = %d }, { tls = false, will = { topic = "will/dying", payload = "gone", qos = 1 } }))
error "it dies"
]]

ROWS["the will of a program that dies"] = function()
  local heard = hear(assert(connect "witness"), "will/#", 1)
  local said = script.run(DIES:format(broker.port))
  assert.truthy(said:find("it dies", 1, true))
  comes(heard, 1)
  assert.equal("gone", heard[1])
  return "it comes"
end

ROWS["a kept session, 20 of QoS 1 meanwhile"] = function()
  local first = assert(connect("kept", { clean = false }))
  assert(first:subscribe("mine/#", 1, function() end))
  assert(first:finish(10))
  local other = assert(connect "other")
  send(other, "mine/a", 1, 20, 1)
  assert.is_true(other:flush(20))
  local present
  local again = assert(connect("kept", { clean = false, paused = true }))
  again:on("connect", function(link) present = link.session_present end)
  local heard = hear(again, "mine/#", 1)
  again:resume()
  comes(heard, 20)
  assert.is_true(present)
  return distinct(heard) == 20 and #heard == 20 and "all come, once" or "all come"
end

ROWS["a restart among 300 of QoS 1"] = function()
  local here, there = assert(connect "here"), assert(connect("there", { clean = false }))
  local heard, links = hear(there, "restart/#", 1), {}
  there:on("connect", function(link) links[#links + 1] = link end)
  send(here, "restart/a", 1, 150, 1)
  comes(heard, 20)
  broker:restart(function() send(here, "restart/a", 151, 300, 1) end)
  assert.is_true(here:flush(60))
  local stats = here:stats()
  assert.same({ 300, 0, 0 }, { stats.acknowledged, stats.failed, stats.dropped })
  support.serve_until(function() return links[2] end)
  if not links[2].session_present then
    support.serve_until(function() -- what comes before it has subscribed again is nobody's
      assert(here:publish("restart/a", "fence", { qos = 1 }))
      return heard[#heard] == "fence"
    end)
    return "all are acknowledged; it forgets the session, which is made anew"
  end
  support.serve_until(function() return distinct(heard) == 300 end)
  return "all are acknowledged, and come"
end

ROWS["two with one client id"] = function()
  local lost
  local older = assert(connect("twin", { backoff_base = 60, backoff_cap = 60 }))
  older:on("disconnect", function(err) lost = err end)
  local newer = assert(connect "twin")
  support.serve_until(function() return lost end)
  local heard = hear(newer, "twin", 1)
  assert(newer:publish("twin", "m", { qos = 1 }))
  comes(heard, 1)
  return older:connected() and "both stay" or "the older link ends"
end

ROWS["a wrong password"] = function()
  local session, err = connect("stranger", nil, "wrong")
  assert.is_nil(session)
  return ("%s, code %d"):format(err.kind, err.code)
end

ROWS["a subscription that is not allowed"] = function()
  local session, forbidden = assert(connect "curious"), 0
  local granted, err = session:subscribe("forbidden/#", 1, function() forbidden = forbidden + 1 end)
  local heard = hear(session, "allowed", 1) -- the session goes on
  if granted then assert(session:publish("forbidden/a", "m", { qos = 1 })) end
  assert(session:publish("allowed", "m", { qos = 1 }))
  comes(heard, 1)
  if granted then return forbidden == 0 and "granted; nothing comes" or "granted" end
  if err.code then return ("refused, code %d"):format(err.code) end
  assert.truthy(err.message:find("hangs up on the subscription", 1, true))
  return "it hangs up; the error says so"
end

ROWS["a message that is not allowed"] = function()
  local session, dropped = assert(connect "bold"), {}
  session:on("drop", function(message) dropped[#dropped + 1] = message.topic end)
  session:on("error", function() end)
  local heard = hear(session, "allowed", 1)
  assert(session:publish("forbidden/a", "m", { qos = 1 }))
  assert(session:publish("allowed", "m", { qos = 1 }))
  comes(heard, 1)
  support.serve_until(function() return session:stats().queued == 0 end)
  if #dropped == 0 then return "acknowledged, and thrown away" end
  assert.same({ "forbidden/a" }, dropped)
  return "it hangs up; the message is dropped, alone"
end

for column, name in ipairs(BROKERS) do
  describe("with " .. name, function()
    setup(function()
      if name == "aedes" then
        local said, status = support.shell "scripts/npm.sh"
        assert.equal(0, status, said)
      end
      broker = Broker.begin(name)
      broker:ready()
    end)

    teardown(function() broker:stop() end)

    before_each(function() sessions = {} end)

    after_each(function()
      for _, session in pairs(sessions) do session:close() end
      fogcloud.run()
    end)

    for _, row in ipairs(MATRIX) do
      it(row[1], function()
        local words = row[column + 1]
        if type(words) == "table" then words = words[Broker.rabbitmq_since(4) and 2 or 1] end
        assert.equal(words, ROWS[row[1]]())
      end)
    end
  end)
end

it("docs/conformance.md has the matrix", function()
  local file = assert(io.open "docs/conformance.md")
  local page = file:read "*a"
  file:close()
  local lines = { "", "| | mosquitto 2 | RabbitMQ | aedes 0 |", "|---|---|---|---|" }
  for _, row in ipairs(MATRIX) do
    local cells = {}
    for column, words in ipairs(row) do
      cells[column] = type(words) == "table" and ("3: %s; 4: %s"):format(words[1], words[2]) or words
    end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  lines[#lines + 1] = ""
  local table_of_it = table.concat(lines, "\n")
  assert(page:find(table_of_it, 1, true), "it should be:\n" .. table_of_it)
end)
