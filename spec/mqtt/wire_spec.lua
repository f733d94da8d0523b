-- SPDX-License-Identifier: MIT

-- What a session says on the wire, packet by packet: the spec plays the broker. The statements of the specifications
-- that each test shows are listed in docs/conformance.md.
local fogcloud = require "fogcloud"
local wire = require "spec.support.wire"

for _, version in ipairs { "3.1.1", "5.0" } do
  local five = version == "5.0"

  describe("on the wire, MQTT " .. version .. ",", function()
    local broker, session
    local begin = wire.each(version, function(made) broker, session = made, nil end, function() return session end)

    -- The first link of `session`, which the broker keeps.
    local function open(opts, properties)
      local link
      link, session = begin(opts, properties)
      return link
    end

    local function publish(payload, qos, opts)
      opts = opts or {}
      opts.qos = qos
      return assert(session:publish("t", payload, opts))
    end

    -- The payloads that handlers of "t" get.
    local function handled(link)
      local got = {}
      fogcloud.spawn(function() session:subscribe("t", 2, function(_, payload) got[#got + 1] = payload end) end)
      link:answer("SUBACK", link:expect("SUBSCRIBE").id, 2)
      return got
    end

    local function cut(link)
      link:close()
      return broker:greet(true)
    end

    it("a CONNECT comes first, and nothing more before the CONNACK", function()
      local opened = broker:connect { version = version, clean = true, keepalive = 30, client_id = "me" }
      local link = broker:accept()
      assert.same({ five and 5 or 4, true, 30, "me" },
        { link.version, link.connect.clean, link.connect.keepalive, link.connect.client_id })
      assert.equal("\0\4MQTT", link.connect.body:sub(1, 6))
      for _ = 1, 20 do fogcloud.step(0.005) end
      assert.is_nil((link.socket:receive(1)))
      assert.is_nil(opened.session)
      link:packet(0x20, five and "\0\0\0" or "\0\0")
      session = wire.wait("the session", function() return opened.session end)
    end)

    it("every CONNECT is the same client's", function()
      local link = open { client_id = "me" }
      assert.is_false(link.connect.clean)
      link = cut(link)
      assert.same({ "me", false }, { link.connect.client_id, link.connect.clean })
    end)

    it("a PINGREQ goes out when nothing else does", function()
      local link = open { keepalive = 1 }
      link:expect "PINGREQ"
      link:send "d0 00"
      link:expect "PINGREQ"
    end)

    it("QoS 0 goes out without an id and is not sent again", function()
      local link = open()
      publish("a", 0)
      local p = link:expect "PUBLISH"
      assert.same({ "t", "a", 0, false }, { p.topic, p.payload, p.qos, p.dup })
      link = cut(link)
      publish("b", 0)
      assert.equal("b", link:expect("PUBLISH").payload)
    end)

    it("QoS 1 is sent again with its id and DUP, in order, until it is acknowledged, and never after", function()
      local link = open()
      local ids = {}
      for i = 1, 3 do publish(tostring(i), 1) end
      for i = 1, 3 do
        local p = link:expect "PUBLISH"
        assert.same({ tostring(i), 1, false }, { p.payload, p.qos, p.dup })
        assert.is_true(p.id > 0 and not ids[p.id])
        ids[i], ids[p.id] = p.id, true
      end
      link:answer("PUBACK", ids[2])
      wire.wait("the PUBACK", function() return session:stats().acknowledged == 1 end)
      link = cut(link)
      for _, i in ipairs { 1, 3 } do
        local p = link:expect "PUBLISH"
        assert.same({ tostring(i), ids[i], true }, { p.payload, p.id, p.dup })
        link:answer("PUBACK", p.id)
      end
      wire.wait("both", function() return session:stats().acknowledged == 3 end)
      link = cut(link)
      publish("4", 1)
      local p = link:expect "PUBLISH"
      assert.same({ "4", false }, { p.payload, p.dup })
      link:answer("PUBACK", p.id)
      link = cut(link)
      publish("5", 1)
      assert.equal("5", link:expect("PUBLISH").payload)
    end)

    it("QoS 2 is sent again with its id and DUP until its PUBREC", function()
      local link = open()
      publish("a", 2)
      local p = link:expect "PUBLISH"
      assert.same({ "a", 2, false }, { p.payload, p.qos, p.dup })
      link = cut(link)
      local again = link:expect "PUBLISH"
      assert.same({ "a", p.id, 2, true }, { again.payload, again.id, again.qos, again.dup })
      link:answer("PUBREC", p.id)
      assert.equal(p.id, link:expect("PUBREL").id)
      link:answer("PUBCOMP", p.id)
      wire.wait("the end", function() return session:stats().acknowledged == 1 end)
    end)

    it("a PUBREL follows the PUBREC, is what is sent again, and ends with the PUBCOMP", function()
      local link = open()
      publish("a", 2)
      local id = link:expect("PUBLISH").id
      link:answer("PUBREC", id)
      assert.equal(id, link:expect("PUBREL").id)
      assert.equal(0, session:stats().acknowledged)
      link = cut(link)
      assert.equal(id, link:expect("PUBREL").id)
      link:answer("PUBCOMP", id)
      wire.wait("the end", function() return session:stats().acknowledged == 1 end)
      link = cut(link)
      publish("b", 2)
      local p = link:expect "PUBLISH"
      assert.same({ "b", false }, { p.payload, p.dup })
    end)

    it("PUBRELs follow in the order of the PUBRECs", function()
      local link = open()
      local ids = {}
      for i = 1, 3 do publish(tostring(i), 2) end
      for i = 1, 3 do ids[i] = link:expect("PUBLISH").id end
      for _, i in ipairs { 2, 3, 1 } do link:answer("PUBREC", ids[i]) end
      for _, i in ipairs { 2, 3, 1 } do assert.equal(ids[i], link:expect("PUBREL").id) end
    end)

    it("ids in use are given to nothing else", function()
      local link = open()
      local ids = {}
      publish("1", 1)
      fogcloud.spawn(function() session:subscribe("x", 1, function() end) end)
      publish("2", 2)
      for _ = 1, 3 do
        local p = link:read()
        assert.is_true(p.id > 0 and not ids[p.id])
        ids[p.id] = p.name
        if p.name == "SUBSCRIBE" then link:answer("SUBACK", p.id, 1) end
      end
    end)

    it("each filter gets its own code of a SUBACK", function()
      local link = open()
      local said, asked = {}, 0
      for _, filter in ipairs { "good/1", "bad/1", "good/2", "bad/2" } do
        fogcloud.spawn(function() said[filter] = session:subscribe(filter, 1, print) ~= nil end)
      end
      while asked < 4 do
        local p = link:expect "SUBSCRIBE"
        local codes = {}
        for i, filter in ipairs(p.filters) do codes[i] = filter:find "good" and 1 or 0x80 end
        link:answer("SUBACK", p.id, (unpack or table.unpack)(codes))
        asked = asked + #codes
      end
      wire.wait("all four", function() return said["good/1"] and said["good/2"] and said["bad/2"] ~= nil end)
      assert.same({ ["good/1"] = true, ["bad/1"] = false, ["good/2"] = true, ["bad/2"] = false }, said)
    end)

    it("what is received with QoS 0, 1 and 2 is answered so", function()
      local link = open()
      local got = handled(link)
      link:publish("t", "0", 0)
      link:publish("t", "1", 1, 7)
      assert.equal(7, link:expect("PUBACK").id)
      link:publish("t", "2", 2, 65535)
      assert.equal(65535, link:expect("PUBREC").id)
      link:answer("PUBREL", 65535)
      assert.equal(65535, link:expect("PUBCOMP").id)
      wire.wait("the messages", function() return #got == 3 end)
      assert.same({ "0", "1", "2" }, got)
    end)

    it("a message that no handler wants is acknowledged", function()
      local link = open()
      link:publish("nobody/asked", "x", 1, 3)
      assert.equal(3, link:expect("PUBACK").id)
      link:publish("nobody/asked", "x", 2, 3)
      assert.equal(3, link:expect("PUBREC").id)
      link:answer("PUBREL", 3)
      assert.equal(3, link:expect("PUBCOMP").id)
    end)

    it("a PUBLISH of QoS 2 that is repeated is acknowledged again and handled once", function()
      local link = open()
      local got = handled(link)
      link:publish("t", "a", 2, 5)
      assert.equal(5, link:expect("PUBREC").id)
      link:publish("t", "a", 2, 5, 8)
      assert.equal(5, link:expect("PUBREC").id)
      link = cut(link)
      link:publish("t", "a", 2, 5, 8)
      assert.equal(5, link:expect("PUBREC").id)
      link:answer("PUBREL", 5)
      assert.equal(5, link:expect("PUBCOMP").id)
      link:publish("t", "end", 1, 6)
      link:expect "PUBACK"
      wire.wait("the end", function() return got[#got] == "end" end)
      assert.same({ "a", "end" }, got)
    end)

    it("an id is a new message's after its PUBACK and after its PUBCOMP", function()
      local link = open()
      local got = handled(link)
      for i = 1, 2 do
        link:publish("t", "one", 1, 9, i == 2 and 8 or 0)
        link:expect "PUBACK"
      end
      for _ = 1, 2 do
        link:publish("t", "two", 2, 9)
        link:expect "PUBREC"
        link:answer("PUBREL", 9)
        link:expect "PUBCOMP"
      end
      wire.wait("the messages", function() return #got == 4 end)
      assert.same({ "one", "one", "two", "two" }, got)
    end)

    it("acknowledgements go out in the order of arrival", function()
      local link = open()
      local order = { 30, 10, 20, 65535, 1 }
      for _, id in ipairs(order) do link:publish("t", "x", 1, id) end
      for _, id in ipairs(order) do assert.equal(id, link:expect("PUBACK").id) end
      for _, id in ipairs(order) do link:publish("t", "x", 2, id) end
      for _, id in ipairs(order) do assert.equal(id, link:expect("PUBREC").id) end
    end)

    it("packets come in pieces and several at once", function()
      local link = open()
      local got = handled(link)
      local one = wire.bytes(five and "32 08 0001't' 0001 00 'ab'" or "32 07 0001't' 0001 'ab'")
      for i = 1, #one do
        assert(link.socket:send(one:sub(i, i)))
        fogcloud.step(0.002)
      end
      assert.equal(1, link:expect("PUBACK").id)
      assert(link.socket:send(one:rep(3)))
      for _ = 1, 3 do assert.equal(1, link:expect("PUBACK").id) end
      wire.wait("the messages", function() return #got == 4 end)
    end)

    it("after DISCONNECT nothing comes, and the connection is closed", function()
      local link = open()
      session:close()
      local p = link:expect "DISCONNECT"
      assert.equal(0, p.reason)
      link:expect_end()
    end)

    it("a clean session begins with nothing of the last link", function()
      local link = open { clean = true }
      local got = handled(link)
      assert.is_true(link.connect.clean)
      link:publish("t", "first", 2, 5)
      link:expect "PUBREC"
      publish("1", 1)
      link:expect "PUBLISH"
      link:close()
      link = broker:greet(false)
      assert.is_true(link.connect.clean)
      local p = link:read()
      while p.name ~= "PUBLISH" do -- it subscribes again
        if p.name == "SUBSCRIBE" then link:answer("SUBACK", p.id, 2) end
        p = link:read()
      end
      assert.same({ "1", false }, { p.payload, p.dup })
      link:publish("t", "second", 2, 5)
      wire.wait("both", function() return #got == 2 end)
      assert.same({ "first", "second" }, got)
    end)

    it("a PUBLISH before the CONNACK is not taken", function()
      local opened = broker:connect { version = version }
      local link = broker:accept()
      link:publish("t", "x", 0)
      link:expect_end()
      wire.wait("the error", function() return opened.err end)
    end)

    it("a session that the broker has lost is begun anew", function()
      local link = open()
      publish("1", 1)
      publish("2", 2)
      link:expect "PUBLISH"
      link:answer("PUBREC", link:expect("PUBLISH").id)
      link:expect "PUBREL"
      link:close()
      link = broker:greet(false)
      publish("3", 1)
      local p
      repeat
        p = link:expect "PUBLISH" -- no PUBREL: of the old session nothing is left
        assert.is_false(p.dup)
      until p.payload == "3"
    end)

    for name, packet in pairs {
      ["QoS 3"] = five and "36 06 0001't' 0001 00" or "36 05 0001't' 0001", ["packet type 0"] = "00 00",
      ["a reserved flag"] = "d1 00", ["a length of five bytes"] = "30 8080808001",
      ["a topic that is not UTF-8"] = five and "30 04 0001 ff 00" or "30 03 0001 ff",
      ["a topic with NUL"] = five and "30 04 0001 00 00" or "30 03 0001 00",
      ["a wildcard in a topic"] = five and "30 04 0001'#' 00" or "30 03 0001'#'",
      ["a second CONNACK"] = five and "20 03 00 00 00" or "20 02 00 00",
      ["packet id 0"] = five and "32 06 0001't' 0000 00" or "32 05 0001't' 0000",
      ["a PINGREQ"] = "c0 00",
    } do
      it("the link ends with " .. name, function()
        local link = open()
        link:send(packet)
        local p = link:read()
        while p and p.name == "PINGREQ" do p = link:read() end
        if p then
          assert.same({ five, "DISCONNECT", true }, { true, p.name, p.reason >= 0x80 })
          link:expect_end()
        end
        link = broker:greet(true)
        publish("on it goes", 1)
        assert.equal("on it goes", link:expect("PUBLISH").payload)
      end)
    end
  end)
end
