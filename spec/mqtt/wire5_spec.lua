-- SPDX-License-Identifier: MIT

-- What only MQTT 5 asks for on the wire, packet by packet: the spec plays the broker. The statements of the
-- specification that each test shows are listed in docs/conformance.md.
local fogcloud = require "fogcloud"
local wire = require "spec.support.wire"

describe("on the wire, of MQTT 5 alone,", function()
  local broker, session
  local begin = wire.each("5.0", function(made) broker, session = made, nil end, function() return session end)

  -- The first link of `session`, which the broker keeps, with what the broker says in its CONNACK.
  local function open(opts, properties)
    local link
    link, session = begin(opts, wire.bytes(properties or ""))
    return link
  end

  local function cut(link, properties)
    link:close()
    return broker:greet(true, wire.bytes(properties or ""))
  end

  local function publish(payload, qos, opts)
    opts = opts or {}
    opts.qos = qos
    return session:publish("t", payload, opts)
  end

  -- What goes out next is this message: so nothing else was sent before.
  local function fence(link)
    assert(session:publish("t", "fence", { qos = 0 }))
    assert.equal("fence", link:expect("PUBLISH").payload)
  end

  it("the broker's keepalive is taken over on the link that is up", function()
    local link = open({ keepalive = 600 }, "13 0001")
    link:expect "PINGREQ"
  end)

  it("nothing goes out above the broker's maximum QoS", function()
    local link = open(nil, "24 01")
    local id, err = publish("two", 2)
    assert.is_nil(id)
    assert.matches("QoS", tostring(err))
    fence(link)
    assert(publish("one", 1))
    assert.equal("one", link:expect("PUBLISH").payload)
  end)

  it("nothing retained goes out where the broker keeps nothing", function()
    local link = open(nil, "25 00")
    local id, err = publish("kept", 1, { retained = true })
    assert.is_nil(id)
    assert.matches("retain", tostring(err))
    fence(link)
  end)

  it("nothing goes out above the broker's maximum packet size", function()
    local link = open(nil, "27 00000020")
    local id, err = publish(("x"):rep(100), 1)
    assert.is_nil(id)
    assert.matches("size", tostring(err))
    fence(link)
    assert(publish(("x"):rep(32 - 8), 1)) -- 2 for the header, 3 the topic, 2 the id, 1 no properties
    assert.equal(24, #link:expect("PUBLISH").payload)
  end)

  it("what was queued for a broker that took it is dropped alone by one that does not", function()
    local link = open()
    link:close()
    local dropped
    session:on("drop", function() dropped = true end)
    wire.wait("the loss", function() return not session:connected() end)
    assert(publish("two", 2))
    assert(publish("one", 1))
    link = broker:greet(true, wire.bytes "24 01")
    assert.equal("one", link:expect("PUBLISH").payload)
    wire.wait("the notice", function() return dropped end)
  end)

  it("no more is in flight than the broker's receive maximum, and all else goes on", function()
    local link = open(nil, "21 0002")
    for i = 1, 4 do assert(publish(tostring(i), i % 2 + 1)) end
    local first, second = link:expect "PUBLISH", link:expect "PUBLISH"
    assert.same({ "1", "2" }, { first.payload, second.payload })
    fogcloud.spawn(function() session:subscribe("x", 1, function() end) end)
    link:answer("SUBACK", link:expect("SUBSCRIBE").id, 1)
    link:publish("x", "in", 1, 40)
    assert.equal(40, link:expect("PUBACK").id)
    link:answer("PUBREC", first.id)
    assert.equal(first.id, link:expect("PUBREL").id)
    link:answer("PUBACK", second.id)
    assert.equal("3", link:expect("PUBLISH").payload)
    link:answer("PUBCOMP", first.id)
    assert.equal("4", link:expect("PUBLISH").payload)
  end)

  it("a refused message is not sent again", function()
    local link = open()
    assert(publish("1", 1))
    assert(publish("2", 2))
    link:answer("PUBACK", link:expect("PUBLISH").id, 0x87)
    link:answer("PUBREC", link:expect("PUBLISH").id, 0x97)
    wire.wait("the refusals", function() return session:stats().failed == 2 end)
    link = cut(link)
    fence(link)
  end)

  it("a session that the broker has and we have not ends the link", function()
    local opened = broker:connect { version = "5.0", clean = true, max_attempts = 1 }
    local link = broker:accept()
    link:send "20 03 01 00 00"
    local p = link:read()
    if p then
      assert.equal("DISCONNECT", p.name)
      link:expect_end()
    end
    wire.wait("the error", function() return opened.err or opened.session end)
    assert.is_nil(opened.session)
  end)

  it("no alias goes out unless the broker takes some", function()
    local link = open()
    for _ = 1, 5 do
      assert(session:publish("a/long/topic/that/repeats", "x", { qos = 0 }))
      local p = link:expect "PUBLISH"
      assert.same({ "a/long/topic/that/repeats", "" }, { p.topic, p.properties })
    end
  end)

  it("aliases go out within the broker's maximum, and mean something on their own link alone", function()
    local link = open(nil, "22 0002")
    local names, topics = {}, { "topic/number/one", "topic/number/two", "topic/number/three" }
    local function resolved()
      local p = link:expect "PUBLISH"
      local alias = p.properties:match("^#(..)$")
      if alias then
        assert.is_true(alias == "\0\1" or alias == "\0\2")
        if p.topic ~= "" then names[alias] = p.topic end
        return names[alias]
      end
      return p.topic
    end
    for _ = 1, 2 do
      names = {}
      for _ = 1, 3 do
        for _, topic in ipairs(topics) do
          assert(session:publish(topic, "x", { qos = 0 }))
          assert.equal(topic, resolved())
        end
      end
      link = cut(link, "22 0002")
    end
  end)

  it("aliases that come are resolved up to the maximum that was told, on their own link alone", function()
    local got = {}
    local link = open { properties = { topic_alias_maximum = 3 } }
    assert.is_truthy(link.connect.properties:find('"\0\3', 1, true))
    fogcloud.spawn(function() session:subscribe("#", 0, function(topic) got[#got + 1] = topic end) end)
    link:answer("SUBACK", link:expect("SUBSCRIBE").id, 0)
    link:publish("one", "", 0, nil, 0, "#\0\3")
    link:publish("", "", 0, nil, 0, "#\0\3")
    link:publish("two", "", 0, nil, 0, "#\0\3")
    link:publish("", "", 0, nil, 0, "#\0\3")
    wire.wait("the messages", function() return #got == 4 end)
    assert.same({ "one", "one", "two", "two" }, got)
    link = cut(link)
    link:publish("", "", 0, nil, 0, "#\0\3")
    assert.is_true(link:expect("DISCONNECT").reason >= 0x80)
    link:expect_end()
    link = broker:greet(true)
    link:publish("four", "", 0, nil, 0, "#\0\4")
    assert.equal(0x94, link:expect("DISCONNECT").reason)
    link:expect_end()
  end)

  it("an alias where none was offered ends the link", function()
    local link = open { properties = { topic_alias_maximum = 0 } }
    link:publish("t", "", 0, nil, 0, "#\0\1")
    assert.equal(0x94, link:expect("DISCONNECT").reason)
    link:expect_end()
  end)

  it("a DISCONNECT before the CONNACK is a refusal", function()
    local opened = broker:connect { version = "5.0" }
    local link = broker:accept()
    link:send "e0 01 8b"
    link:expect_end()
    wire.wait("the error", function() return opened.err end)
  end)

  it("a goodbye that is larger than the broker takes goes without its words", function()
    local link = open(nil, "27 00000020")
    session:close { reason = 4, properties = { reason_string = ("x"):rep(50), user_properties = { { "a", "b" } } } }
    local p = link:expect "DISCONNECT"
    assert.same({ 4, "" }, { p.reason, p.properties })
    link:expect_end()
  end)

  for name, case in pairs {
    ["QoS 3"] = { "36 06 0001't' 0001 00", 0x81 }, ["a reserved flag"] = { "d1 00", 0x81 },
    ["a property twice"] = { "30 08 0001't' 04 01 00 01 00", 0x82 },
    ["a property of another packet"] = { "30 07 0001't' 03 21 0001", 0x81 },
    ["an empty topic without an alias"] = { "30 03 0000 00", 0x82 },
    ["topic alias 0"] = { "30 07 0001't' 03 23 0000", 0x94 },
    ["a session expiry in a DISCONNECT"] = { "e0 07 00 05 11 00000001", 0x82 },
    ["an AUTH that nothing asked for"] = { "f0 06 18 04 15 0001'm'", 0x82 },
  } do
    it(("a broker is told 0x%02X for %s"):format(case[2], name), function()
      local link, lost = open(), nil
      session:on("disconnect", function(err) lost = err end)
      link:send(case[1])
      assert.equal(case[2], link:expect("DISCONNECT").reason)
      link:expect_end()
      wire.wait("the error", function() return lost end)
      assert.equal(case[2], lost.code)
      assert.matches("^the broker sent a [%w ]+ that must not be: ", lost.message)
    end)
  end

  it("a packet above the maximum that was told ends the link with 0x95", function()
    local link = open { properties = { maximum_packet_size = 100 } }
    link:packet(0x30, "\0\1t\0" .. ("x"):rep(94))
    wire.wait("the message", function() return session:stats().received == 1 end)
    link:packet(0x30, "\0\1t\0" .. ("x"):rep(95))
    assert.equal(0x95, link:expect("DISCONNECT").reason)
    link:expect_end()
  end)

  it("a packet above it is not waited for", function()
    local link = open { properties = { maximum_packet_size = 100 } }
    link:send "30 ffffff7f"
    assert.equal(0x95, link:expect("DISCONNECT").reason)
    link:expect_end()
  end)

  it("more messages than the receive maximum that was told end the link with 0x93", function()
    local link = open { receive_maximum = 2, paused = true }
    for id = 1, 3 do link:publish("t", "x", 2, id) end
    assert.equal(0x93, link:expect("DISCONNECT").reason)
    link:expect_end()
  end)

  it("an exchange of AUTH goes on with the method of the CONNECT", function()
    local opened = broker:connect {
      version = "5.0", authentication = { method = "m", data = "1", respond = function(data) return data .. "!" end },
    }
    local link = broker:accept()
    assert.is_truthy(link.connect.properties:find(wire.bytes "15 0001'm'", 1, true))
    link:send "f0 0a 18 08 15 0001'm' 16 0001'2'"
    local p = link:expect "AUTH"
    assert.equal(0x18, p.reason)
    assert.is_truthy(p.properties:find(wire.bytes "15 0001'm'", 1, true))
    assert.is_truthy(p.properties:find(wire.bytes "16 0002'2!'", 1, true))
    link:send "20 07 00 00 04 15 0001'm'"
    session = wire.wait("the session", function() return opened.session or opened.err end)
    assert.is_table(session)
  end)

  it("an AUTH of another method ends the link", function()
    local opened = broker:connect {
      version = "5.0", max_attempts = 1, authentication = { method = "m", respond = function() return "!" end },
    }
    local link = broker:accept()
    link:send "f0 06 18 04 15 0001'x'"
    link:expect_end()
    wire.wait("the error", function() return opened.err end)
  end)

  it("no AUTH goes out without a method in the CONNECT", function()
    local link = open()
    link:send "f0 06 18 04 15 0001'm'"
    assert.equal("DISCONNECT", link:expect("DISCONNECT").name)
    link:expect_end()
  end)

  it("a message that has begun is brought to its end although its time is over", function()
    local link = open()
    assert(publish("old", 2, { properties = { message_expiry_interval = 1 } }))
    local id = link:expect("PUBLISH").id
    local since = fogcloud.sleep and require("fogcloud.core").now()
    wire.wait("two seconds", function() return require("fogcloud.core").now() - since > 2 end)
    link = cut(link)
    assert.equal(id, link:expect("PUBLISH").id)
    link:answer("PUBREC", id)
    assert.equal(id, link:expect("PUBREL").id)
    link:answer("PUBCOMP", id)
    wire.wait("its end", function() return session:stats().acknowledged == 1 end)
  end)

  it("a goodbye has a reason that a client may give", function()
    open()
    for _, code in ipairs { 0x01, 0x18, 0x87, 0x8B, 0x9A, 0xFF, -1, 4.5 } do
      assert.error_matches(function() session:close { reason = code } end, "close option 'reason'")
    end
    session:close { reason = 0x97 }
    assert.equal(0x97, broker.links[1]:expect("DISCONNECT").reason)
  end)

  it("the end that a broker says closes the connection", function()
    local link = open()
    link:send "e0 01 8b"
    link:expect_end()
  end)

  it("a refusal in the CONNACK closes the connection", function()
    local opened = broker:connect { version = "5.0" }
    local link = broker:accept()
    link:send "20 03 00 86 00"
    link:expect_end()
    wire.wait("the error", function() return opened.err end)
  end)
end)
