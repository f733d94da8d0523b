-- SPDX-License-Identifier: MIT

local fogcloud = require "fogcloud"
local scripted_broker = require "spec.support.scripted_broker"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a session", function()
  local sandbox, cloud
  local here = world.new({ devices = { "dev1", "dev2" } }, function(...) sandbox, cloud = ... end)
  local connect, device, keep = here.connect, here.device, here.keep

  it("connects over TLS by default, and plain when told", function()
    local session = connect()
    assert.matches("up", tostring(session))
    connect { tls = false }
    connect { version = "5.0" }
    connect { ca_file = sandbox.ca_file }
  end)

  it("hears its devices and nobody else", function()
    local session, heard = connect({}, { "dev1" }), {}
    assert.equal(1, session:subscribe("d2c/+/status", 1, function(topic, payload) heard[topic] = payload end))
    local dev1, dev2 = device "dev1", device "dev2"
    assert(dev2:report("status", "unheard"))
    assert(dev1:report("status", "heard"))
    support.serve_until(function() return heard["d2c/dev1/status"] end)
    assert.same({ ["d2c/dev1/status"] = "heard" }, heard)
  end)

  it("loses a device with its permission, and gets it back, on the live connection", function()
    local session, heard = connect({}, { "dev2" }), {}
    session:subscribe("d2c/+/status", 1, function(_, payload) heard[#heard + 1] = payload end)
    local dev1, dev2 = device "dev1", device "dev2"
    local clientid = session.credentials.clientid
    for i, change in ipairs { "grant", "revoke", "grant" } do
      assert(cloud[change](cloud, clientid, "dev1"))
      assert(dev1:report("status", "one" .. i))
      assert(dev2:report("status", "two" .. i))
      support.serve_until(function() return heard[#heard] == "two" .. i end)
    end
    assert.same({ "one1", "two1", "two2", "one3", "two3" }, heard)
  end)

  it("calls all handlers of all matching filters, in the order of subscribing", function()
    local session, calls = connect(), {}
    for _, filter in ipairs { "d2c/dev1/#", "d2c/+/status", "d2c/dev1/status", "d2c/dev1/status" } do
      session:subscribe(filter, 0, function() calls[#calls + 1] = filter end)
    end
    device("dev1"):report("status", "x", { qos = 0 })
    support.serve_until(function() return #calls >= 4 end)
    assert.same("d2c/dev1/#", calls[1])
    assert.same("d2c/+/status", calls[2])
  end)

  for qos = 0, 2 do
    it("publishes in order with QoS " .. qos .. (qos == 2 and " #qos2" or ""), function()
      local session, got = connect(), {}
      local d = device "dev1"
      assert(d.session:subscribe("c2d/dev1/#", qos, function(_, payload, message)
        got[#got + 1] = tonumber(payload)
        assert.equal(qos, message.qos)
      end))
      for i = 1, 300 do assert(session:publish("c2d/dev1/commands", tostring(i), { qos = qos })) end
      support.assert_identity(session)
      assert.is_true(session:flush(20))
      local stats = support.assert_identity(session)
      assert.equal(300, stats.acknowledged)
      support.serve_until(function() return #got == 300 end)
      for i = 1, 300 do assert.equal(i, got[i]) end
    end)
  end

  it("keeps what the broker had for it until it is resumed", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local first = assert(cloud:connect(credentials, { clean = false }))
    assert(first:subscribe("d2c/dev1/n", 1, function() end))
    assert(fogcloud.spawn(first.finish, first, 20):wait(20))
    local d, got = device "dev1", {}
    for i = 1, 20 do d.session:publish("d2c/dev1/n", tostring(i), { qos = 1 }) end
    assert(d.session:flush(20))
    local again = assert(cloud:connect(credentials, { clean = false, paused = true }))
    support.serve_until(function() return again:stats().received == 20 end)
    assert(again:subscribe("d2c/dev1/n", 1, function(_, payload) got[#got + 1] = payload end))
    fogcloud.step(0)
    assert.same({}, got)
    again:resume()
    support.serve_until(function() return #got == 20 end)
    assert.equal("1 20", got[1] .. " " .. got[20])
    again:close()
  end)

  it("finishes with everything acknowledged, sent and received, handled", function()
    local session, sent, got, handled = connect(), 0, 0, 0
    local d = device "dev1"
    assert(d.session:subscribe("c2d/dev1/#", 1, function() got = got + 1 end))
    assert(session:subscribe("d2c/dev1/#", 1, function()
      fogcloud.sleep(0.001) -- slower than they come
      handled = handled + 1
    end))
    for i = 1, 300 do d.session:publish("d2c/dev1/n", tostring(i), { qos = 1 }) end
    assert(d.session:flush(20))
    for i = 1, 300 do session:publish("c2d/dev1/n", tostring(i), { qos = 1 }) sent = i end
    local received
    assert(fogcloud.spawn(function()
      assert.is_true(session:finish(20))
      received = session:stats().received
    end):wait(20))
    assert.is_true(received > 0)
    assert.equal(received, handled)
    assert.equal(sent, session:stats().acknowledged)
    assert.equal("closed", select(2, session:publish("c2d/dev1/n", "late")).kind)
    assert.is_true(fogcloud.spawn(function() return session:finish(20) end):wait(20)) -- twice does no harm
  end)

  it("finishes in time although a handler does not", function()
    local session, handled = connect({ max_handlers = 2 }), 0
    local d = device "dev1"
    assert(session:subscribe("d2c/dev1/#", 1, function()
      handled = handled + 1
      fogcloud.sleep(60)
    end))
    for i = 1, 10 do d.session:publish("d2c/dev1/n", tostring(i), { qos = 1 }) end
    assert(d.session:flush(20))
    support.serve_until(function() return session:stats().received == 10 end)
    local done, ok, err
    fogcloud.spawn(function()
      ok, err = session:finish(0.3)
      done = true
    end)
    support.serve_until(function() return done end, 10)
    assert.equal(2, handled)
    assert.is_nil(ok)
    assert.equal("timeout", err.kind)
    assert.matches("8 messages were received and not handled in time, and 2 handlers", tostring(err))
  end)

  it("publishes and receives retained messages", function()
    local d = device "dev1"
    assert(d:report("status", "kept", { retained = true }))
    local session, seen = connect(), nil
    session:subscribe("d2c/dev1/status", 1, function(_, payload, message) seen = { payload, message.retained } end)
    support.serve_until(function() return seen end)
    assert.same({ "kept", true }, seen)
    assert(d.session:publish("d2c/dev1/status", "", { retained = true }))
    assert(d.session:flush())
  end)

  it("carries any bytes and large payloads", function()
    local session, got = connect(), nil
    local d = device "dev1"
    d.session:subscribe("c2d/dev1/#", 1, function(_, payload) got = payload end)
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    local payload = table.concat(bytes):rep(4096) -- 1 MiB
    session:publish("c2d/dev1/blob", payload, { qos = 1 })
    support.serve_until(function() return got end)
    assert.is_true(got == payload)
  end)

  it("is refused what it has no permission for", function()
    local session = connect({}, { "dev1" })
    for _, filter in ipairs { "d2c/dev2/status", "#", "c2d/dev1/#", "$SYS/#", "+/dev1/status" } do
      local granted, err = session:subscribe(filter, 1, function() end)
      assert.is_nil(granted)
      assert.equal("mqtt", err.kind)
      assert.matches("no permission", tostring(err))
    end
  end)

  it("survives a handler that throws, and says so", function()
    local session, errors_seen, after = connect(), {}, false
    session:on("error", function(err) errors_seen[#errors_seen + 1] = tostring(err) end)
    session:subscribe("d2c/dev1/status", 1, function(_, payload)
      if payload == "bad" then error("boom") end
      after = true
    end)
    local d = device "dev1"
    d:report("status", "bad")
    d:report("status", "good")
    support.serve_until(function() return after end)
    assert.equal(1, #errors_seen)
    assert.matches("boom", errors_seen[1])
    assert.matches("traceback", errors_seen[1])
  end)

  it("lets a handler yield, call and publish, while others are handled", function()
    local session, order = connect(), {}
    session:subscribe("d2c/dev1/status", 1, function(_, payload)
      if payload == "slow" then
        assert(#assert(cloud:products()) == 2)
        fogcloud.sleep(0.2)
        assert(session:subscribe("d2c/dev2/status", 1, function() end))
      end
      order[#order + 1] = payload
    end)
    local d = device "dev1"
    d:report("status", "slow")
    d:report("status", "fast")
    support.serve_until(function() return #order == 2 end)
    assert.same({ "fast", "slow" }, order)
  end)

  it("runs no handler in a blocking call", function()
    local session, handled = connect(), 0
    session:subscribe("d2c/dev1/status", 1, function() handled = handled + 1 end)
    device("dev1"):report("status", "x")
    for _ = 1, 3 do assert(cloud:products()) end
    assert(session:flush())
    assert.equal(0, handled)
    support.serve_until(function() return handled == 1 end)
  end)

  it("reconnects when the broker was killed, restores its subscriptions and sends what was queued", function()
    local session, events, got = connect { backoff_base = 0.05 }, {}, {}
    local d = device "dev1"
    d.session.opts.backoff_base = 0.05
    session:on("connect", function() events[#events + 1] = "connect" end)
    session:on("disconnect", function(err) events[#events + 1] = err.kind end)
    session:subscribe("d2c/dev1/status", 1, function(_, payload) got[#got + 1] = payload end)
    sandbox:broker "kill"
    support.serve_until(function() return events[#events] == "mqtt" end)
    for i = 1, 5 do assert(session:publish("c2d/dev1/commands", tostring(i), { qos = 1 })) end
    local commands = {}
    local stats = support.assert_identity(session)
    assert.equal(5, stats.queued)
    sandbox:broker "start"
    support.serve_until(function() return events[#events] == "connect" and d.session:connected() end)
    d.session:subscribe("c2d/dev1/#", 1, function(_, payload) commands[#commands + 1] = payload end)
    assert(session:flush(20))
    assert(d:report("status", "back"))
    support.serve_until(function() return got[1] end)
    assert.same({ "back" }, got)
    assert.equal(5, support.assert_identity(session).acknowledged)
  end)

  it("queues up to its bound and then says so", function()
    local session = connect { out_count = 10, backoff_base = 30 }
    local gone = false
    session:on("disconnect", function() gone = true end)
    sandbox:broker "kill"
    support.serve_until(function() return gone end)
    for _ = 1, 10 do assert(session:publish("c2d/dev1/x", "p", { qos = 1 })) end
    local id, err = session:publish("c2d/dev1/x", "p", { qos = 1 })
    assert.is_nil(id)
    assert.equal("overflow", err.kind)
    local ok, late = session:flush(0.05)
    assert.is_nil(ok)
    assert.equal("timeout", late.kind)
    local dropped = {}
    session:on("drop", function(drop) dropped[#dropped + 1] = drop end)
    session:close()
    fogcloud.run()
    sandbox:broker "start"
    assert.equal(10, #dropped)
    assert.equal("c2d/dev1/x", dropped[1].topic)
    assert.equal("p", dropped[1].payload)
  end)

  it("drops the oldest QoS 0 message at the inbound bound, and counts it", function()
    local session = connect { in_count = 50 }
    local got = {}
    session:subscribe("d2c/dev1/status", 0, function(_, payload) got[#got + 1] = tonumber(payload) end)
    local d = device "dev1"
    for i = 1, 200 do d.session:publish("d2c/dev1/status", tostring(i), { qos = 0 }) end
    assert(d.session:flush())
    d.session:publish("d2c/dev1/status", "201", { qos = 0 })
    support.serve_until(function() return got[#got] == 201 end)
    local stats = session:stats()
    assert.equal(201, stats.received)
    assert.equal(201, #got + stats.received_dropped)
    for i = 2, #got do assert.is_true(got[i] > got[i - 1]) end
  end)

  it("keeps the order of small and large messages of QoS 0 and 1, also past a broker that does not read", function()
    local broker = scripted_broker.start "order"
    finally(function() broker:stop() end)
    local session = assert(keep(fogcloud.connect(broker:credentials(), { tls = false })))
    local result
    session:subscribe("result", 1, function(_, payload) result = payload end)
    local count, sizes = 6000, { 2000, 10, 2000, 0, 9000, 20000, 2000 }
    for i = 1, count do
      local qos = (i % 97 == 0 or i % 31 < 2) and 1 or 0
      assert(session:publish("a/b", i .. " " .. ("x"):rep(sizes[i % #sizes + 1]), { qos = qos, wait = true }))
    end
    assert(session:publish("done", "", { qos = 1, wait = true }))
    assert(session:flush())
    support.serve_until(function() return result end)
    assert.equal(tostring(count), result)
    assert.equal(count + 1, support.assert_identity(session).acknowledged)
  end)

  it("takes messages of each version, retained, empty and with a topic of many bytes", function()
    local topic = "d2c/dev1/" .. ("ü"):rep(100)
    for _, opts in ipairs { { tls = false }, { version = "5.0" } } do
      local session, got = connect(opts), {}
      session:subscribe("d2c/dev1/#", 0, function(name, payload, message) got[#got + 1] = { name, payload, message } end)
      local d = device "dev1"
      for i = 1, 50 do assert(d.session:publish(topic, ("y"):rep(i * 5 - 5))) end
      assert(d.session:publish(topic, "kept", { retained = true }))
      support.serve_until(function() return #got == 51 end)
      for i = 1, 50 do assert.same({ topic, ("y"):rep(i * 5 - 5) }, { got[i][1], got[i][2] }) end
      local late = connect(opts)
      late:subscribe("d2c/dev1/#", 0, function(_, payload, message) got.late = message.retained and payload end)
      support.serve_until(function() return got.late end)
      assert.equal("kept", got.late)
      assert(d.session:publish(topic, "", { retained = true }))
      assert(d.session:flush())
    end
  end)

  it("ends every call after close, and close returns at once", function()
    local session = connect()
    assert(session:publish("c2d/dev1/x", "p", { qos = 1 }))
    assert(session:flush())
    session:close()
    session:close()
    local arguments = { flush = {}, publish = { "a", "p" }, subscribe = { "a", 1, print }, unsubscribe = { "a" } }
    for call, args in pairs(arguments) do
      local ok, err = session[call](session, args[1], args[2], args[3])
      assert.is_nil(ok, call)
      assert.equal("closed", err.kind)
    end
    fogcloud.run()
    assert.equal(1, support.assert_identity(session).acknowledged)
    assert.equal("closed", select(2, session:finish()).kind)
  end)

  it("ends a subscription whose broker's word nobody heard, as nginx may have it", function()
    local session, sender, got = connect(), device "dev1", {}
    local asking = fogcloud.spawn(session.subscribe, session, "d2c/dev1/a", 1, function() got[#got + 1] = "a" end)
    local ended
    fogcloud.spawn(function() ended = session:unsubscribe("d2c/dev1/a") end)
    assert.is_true(asking:wait(10))
    support.serve_until(function() return ended end)
    assert(session:subscribe("d2c/dev1/#", 1, function(topic) got[#got + 1] = topic end))
    assert(sender.session:publish("d2c/dev1/a", "x", { qos = 1 }))
    support.serve_until(function() return #got > 0 and session:stats().inbox == 0 end)
    assert.same({ "d2c/dev1/a" }, got)
    assert.is_nil(next(session.subscriptions.filters, next(session.subscriptions.filters)))
  end)

  it("talks JSON with a device", function()
    local session, status, errors_seen = connect(), nil, {}
    session:on("error", function(err) errors_seen[#errors_seen + 1] = err end)
    assert.equal(1, session:device("dev1"):on("status", function(value, topic) status = { value.power, topic } end))
    local d, command = device "dev1", nil
    assert(d:on_command(function(value, channel) command = { value.power, channel } end))
    d:report("status", "not JSON")
    d:report("status", { power = "on" })
    assert(session:device("dev1"):send("commands", { power = "off" }))
    support.serve_until(function() return status and command end)
    assert.same({ "on", "d2c/dev1/status" }, status)
    assert.same({ "off", "commands" }, command)
    assert.equal("protocol", errors_seen[1].kind)
    assert.has_error(function() session:device("dev1"):send("commands", function() end) end)
  end)
end)
