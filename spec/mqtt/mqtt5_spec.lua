-- SPDX-License-Identifier: MIT

local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("MQTT 5", function()
  local sandbox, cloud
  local here = world.new({
    sandbox = { mqtt_faults = true }, session = { version = "5.0", tls = false },
    scripted = { version = "5.0", backoff_base = 60, backoff_cap = 60 },
  }, function(...) sandbox, cloud = ... end)
  local connect, device, scripted = here.connect, here.device_session, here.scripted

  local PROPERTIES = {
    payload_format_indicator = 1, message_expiry_interval = 3600, content_type = "application/json",
    response_topic = "d2c/dev1/answers", correlation_data = "any\0bytes\255",
    user_properties = { { "a", "1" }, { "b", "2" }, { "a", "三" } },
  }

  for qos = 0, 2 do
    it("carries a message's properties both ways with QoS " .. qos .. (qos == 2 and " #qos2" or ""), function()
      local session, got = connect(), nil
      assert(device():subscribe("c2d/dev1/#", qos, function(_, _, message) got = message end))
      assert(session:publish("c2d/dev1/commands", "{}", { qos = qos, properties = PROPERTIES }))
      support.serve_until(function() return got end)
      assert.is_true(got.properties.message_expiry_interval <= 3600)
      assert.is_true(got.properties.message_expiry_interval > 3000)
      got.properties.message_expiry_interval = PROPERTIES.message_expiry_interval
      assert.same(PROPERTIES, got.properties)
      assert.equal(qos, got.qos)
      assert.is_true(session:flush(10))
      support.assert_identity(session)
    end)
  end

  it("carries long properties", function()
    local long, got = ("x"):rep(65535), nil
    local session = connect()
    assert(device():subscribe("c2d/dev1/#", 1, function(_, _, message) got = message end))
    local properties = { correlation_data = long, user_properties = { { ("n"):rep(300), long }, { "", "" } } }
    assert(session:publish("c2d/dev1/commands", "{}", { qos = 1, properties = properties }))
    support.serve_until(function() return got end)
    assert.same(properties, got.properties)
  end)

  it("gives a message without properties none", function()
    local session, got = connect(), nil
    assert(device():subscribe("c2d/dev1/#", 1, function(_, _, message) got = message end))
    assert(session:publish("c2d/dev1/commands", "{}", { qos = 1 }))
    support.serve_until(function() return got end)
    assert.same({ qos = 1, retained = false, dup = false }, got)
  end)

  it("tells what the broker says at connecting", function()
    local said
    local session = connect { properties = { user_properties = { { "from", "spec" } } } }
    session:on("connect", function(value) said = value end)
    sandbox:kick("*")
    support.serve_until(function() return said end)
    assert.equal("number", type(said.properties.receive_maximum))
  end)

  it("subscribes with an identifier, not to itself, and restores that", function()
    local got = {}
    local dev = device("dev1", { backoff_base = 0.01 })
    assert(dev:subscribe("c2d/dev1/#", 1, function(_, payload, message)
      got[#got + 1] = payload .. tostring(message.properties and message.properties.subscription_identifier)
    end, { no_local = true, properties = { subscription_identifier = 7 } }))
    local session = connect()
    for round = 1, 2 do
      session:publish("c2d/dev1/commands", tostring(round), { qos = 1 })
      support.serve_until(function() return #got == round end)
      if round == 1 then
        sandbox:kick(dev.credentials.clientid)
        support.serve_until(function() return dev:stats().connects == 2 and next(dev.subscriptions.asked) == nil end)
      end
    end
    assert.same({ "17", "27" }, got)
  end)

  it("keeps retained messages back, or their flag, when asked", function()
    local session = connect()
    session:publish("c2d/dev1/kept", "old", { qos = 1, retained = true })
    assert(session:flush(10))
    local got = {}
    local dev = device()
    local function handler(_, payload, message) got[#got + 1] = payload .. tostring(message.retained) end
    assert(dev:subscribe("c2d/dev1/kept", 1, handler, { retain_handling = 2, retain_as_published = true }))
    session:publish("c2d/dev1/kept", "new", { qos = 1, retained = true })
    support.serve_until(function() return #got > 0 end)
    assert.same({ "newtrue" }, got)
    session:publish("c2d/dev1/kept", "", { qos = 1, retained = true })
    assert(session:flush(10))
  end)

  it("reports a refused publish with the broker's code and its topic", function()
    local session, lost = connect(), nil
    session:on("drop", function(drop) lost = drop end)
    local id = session:publish("c2d/dev2/commands", "no", { qos = 1 })
    support.serve_until(function() return lost end)
    assert.same({ id, "c2d/dev2/commands", "no", 0x87 }, { lost.id, lost.topic, lost.payload, lost.err.code })
    assert.matches("no permission", tostring(lost.err))
    local stats = support.assert_identity(session)
    assert.same({ 1, 0 }, { stats.failed, stats.dropped })
  end)

  it("reports a refused subscription with its code", function()
    local granted, err = connect():subscribe("d2c/dev2/#", 1, print)
    assert.is_nil(granted)
    assert.same({ "mqtt", 0x87 }, { err.kind, err.code })
  end)

  -- mosquitto 2.0.11 says less than MQTT 5 lets it; these brokers say all.
  it("tells the reason and the words with which a broker ends the connection", function()
    local session, why = assert(scripted "expel"), nil
    session:on("disconnect", function(err) why = err end)
    session:publish("x", "", { qos = 1 })
    support.serve_until(function() return why end)
    assert.equal(0x8B, why.code)
    assert.same({ reason_string = "going home", server_reference = "other.host" }, why.properties)
    assert.matches("shutting down %(the broker says: going home%)", tostring(why))
    assert.equal(1, support.assert_identity(session).queued)
  end)

  it("tells the reason of a refusal", function()
    local session, err = scripted("refuse")
    assert.is_nil(session)
    assert.equal(0x97, err.code)
  end)

  it("takes the keepalive that the broker asks for, over the same link #exact", function()
    local session, pinged = assert(scripted("brisk", { keepalive = 100 })), 0
    assert(session:subscribe("pinged", 0, function() pinged = pinged + 1 end))
    support.serve_until(function() return pinged == 2 end) -- it asks for 1 s
    assert.equal(1, session:stats().connects)
  end)

  it("keeps a session at the broker with clean = false", function()
    local creds = support.client(sandbox, cloud, { "dev1" })
    local function connect_again(heard)
      local session = assert(cloud:connect(creds, { version = "5.0", tls = false, clean = false }))
      if heard then session.handlers.router:add("d2c/#", function(_, payload) heard[#heard + 1] = payload end) end
      return session
    end
    local session = connect_again()
    assert(session:subscribe("d2c/dev1/#", 1, print))
    session:close()
    fogcloud.run()
    local dev = device()
    dev:publish("d2c/dev1/status", "while away", { qos = 1 })
    assert(dev:flush(10))
    local heard = {}
    here.keep(connect_again(heard))
    support.serve_until(function() return #heard == 1 end)
    assert.same({ "while away" }, heard)
  end)

  it("never has more in flight than the broker's receive maximum", function()
    local session = connect { window = 1000 }
    local most = 0
    for i = 1, 500 do
      assert(session:publish("c2d/dev1/n", tostring(i), { qos = 1 }))
      most = math.max(most, session:stats().in_flight)
    end
    assert.is_true(session:flush(20))
    assert.is_true(most <= 20, most .. " in flight") -- mosquitto's default
  end)

  it("raises on wrong properties, with their names", function()
    local session, old = connect(), connect { version = "3.1.1" }
    local function wrong(pattern, properties)
      assert.error_matches(function() session:publish("c2d/dev1/x", "", { properties = properties }) end, pattern)
    end
    wrong("unknown property 'colour'", { colour = 1 })
    wrong("'topic_alias' cannot be set", { topic_alias = 1 })
    wrong("'content_type': string expected", { content_type = 5 })
    wrong("'content_type': UTF%-8", { content_type = "\255" })
    wrong("'content_type': UTF%-8", { content_type = "a\0b" })
    wrong("'response_topic': at most", { response_topic = ("x"):rep(65536) })
    wrong("'payload_format_indicator': a whole number", { payload_format_indicator = 2 })
    wrong("'message_expiry_interval': a whole number", { message_expiry_interval = 1.5 })
    wrong("'message_expiry_interval': number expected", { message_expiry_interval = "1" })
    wrong("'user_properties': a list", { user_properties = { a = "b", "c" } })
    wrong("'user_properties': string expected", { user_properties = { { "a" } } })
    assert.error_matches(function() old:publish("c2d/dev1/x", "", { properties = {} }) end, "needs version = '5.0'")
    assert.error_matches(function() old:subscribe("d2c/dev1/x", 0, print, { no_local = true }) end, "needs version")
    assert.error_matches(function() connect { version = "3.1.1", session_expiry = 5 } end, "needs version")
    assert.error_matches(function() connect { properties = { content_type = "x" } } end, "cannot be set")
    support.assert_identity(session)
  end)
end)
