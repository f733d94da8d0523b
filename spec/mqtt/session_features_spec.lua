-- SPDX-License-Identifier: MIT

-- What a session can do beyond publishing and hearing.
local fogcloud = require "fogcloud"
local socket = require "socket"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a session", function()
  local sandbox, cloud
  local here = world.new({ sandbox = { mqtt_faults = true }, session = { tls = false } }, function(...) sandbox, cloud = ... end)
  local connect, device, keep = here.connect, here.device_session, here.keep

  for _, version in ipairs { "3.1.1", "5.0" } do
    it("leaves a will, and takes it back when it says goodbye, with " .. version, function()
      local heard = {}
      local session = connect { tls = false }
      session:subscribe("d2c/dev1/will", 1, function(_, payload, message)
        heard[#heard + 1] = payload .. message.qos
      end)
      local opts = {
        tls = false, version = version, backoff_base = 60, backoff_cap = 60,
        will = { topic = "d2c/dev1/will", payload = "gone", qos = 1, retained = false },
      }
      device("dev1", opts):close()
      local dying = device("dev1", opts)
      fogcloud.step(0.1)
      assert.same({}, heard)
      sandbox:kick("device-dev1")
      support.serve_until(function() return #heard > 0 end)
      assert.same({ "gone1" }, heard)
      dying:close()
    end)
  end

  it("leaves a will with properties", function()
    local got
    local session = connect { tls = false, version = "5.0" }
    session:subscribe("d2c/dev1/will", 1, function(_, _, message) got = message.properties end)
    device("dev1", {
      tls = false, version = "5.0", backoff_base = 60, backoff_cap = 60,
      will = { topic = "d2c/dev1/will", payload = "gone", qos = 1, properties = { content_type = "text/plain" } },
    })
    sandbox:kick("device-dev1")
    support.serve_until(function() return got end)
    assert.same({ content_type = "text/plain" }, got)
  end)

  it("shares a subscription with others: each message goes to one of them", function()
    local counts, seen = { 0, 0 }, {}
    for i = 1, 2 do
      assert(connect({ tls = false, version = "5.0" }):subscribe("$share/group/d2c/dev1/#", 1, function(topic, payload)
        assert.equal("d2c/dev1/n", topic)
        counts[i] = counts[i] + 1
        assert.is_nil(seen[payload])
        seen[payload] = true
      end))
    end
    local dev = device "dev1"
    for i = 1, 100 do assert(dev:publish("d2c/dev1/n", tostring(i), { qos = 1 })) end
    support.serve_until(function() return counts[1] + counts[2] == 100 end)
    assert.is_true(counts[1] > 0 and counts[2] > 0)
  end)

  it("shows a client certificate, and is refused without one", function()
    local strict = support.start { client_certificates = true }
    finally(function() strict:stop() end)
    local strict_cloud = support.cloud(strict)
    local credentials = support.client(strict, strict_cloud, {})
    local refused, err = strict_cloud:connect(credentials)
    assert.is_nil(refused)
    assert.is_true(err.kind == "tls" or err.kind == "network", tostring(err))
    local session = assert(strict_cloud:connect(credentials, {
      cert_file = strict.client_cert_file, key_file = strict.client_key_file,
    }))
    assert.is_true(session:connected())
    session:close()
    fogcloud.run()
  end)

  it("takes its authority as text", function()
    local credentials = support.client(sandbox, cloud, {})
    local session = assert(keep(fogcloud.connect(credentials, { ca_pem = sandbox.ca })))
    assert.is_true(session:connected())
    local refused, err = fogcloud.connect(credentials, { ca_pem = assert(io.open("spec/support/other_ca.pem")):read("*a") })
    assert.is_nil(refused)
    assert.equal("tls", err.kind)
  end)

  it("waits for room when told, and only then", function()
    local session = connect { tls = false, out_count = 10 }
    sandbox:fail_mqtt { puback = "swallow" }
    for i = 1, 10 do assert(session:publish("c2d/dev1/n", tostring(i), { qos = 1 })) end
    local id, err = session:publish("c2d/dev1/n", "11", { qos = 1 })
    assert.is_nil(id)
    assert.equal("overflow", err.kind)
    id, err = session:publish("c2d/dev1/n", "11", { qos = 1, wait = true, timeout = 0.1 })
    assert.is_nil(id)
    assert.equal("timeout", err.kind)
    local task = fogcloud.spawn(function() return session:publish("c2d/dev1/n", "11", { qos = 1, wait = true }) end)
    fogcloud.step(0.05)
    support.assert_identity(session)
    sandbox:heal_mqtt()
    sandbox:kick("*") -- the swallowed ones are sent again
    assert.is_number((select(2, task:wait())))
    assert.is_true(session:flush(20))
    assert.equal(11, support.assert_identity(session).acknowledged)
  end)

  it("unsubscribes: nothing comes any more, at the broker neither, and not after a reconnect", function()
    local session = connect({ tls = false, backoff_base = 0.01 }, { "dev1" })
    local got, other = 0, 0
    assert(session:subscribe("d2c/dev1/u", 1, function() got = got + 1 end))
    assert(session:subscribe("d2c/dev1/u", 1, function() got = got + 1 end))
    assert(session:subscribe("d2c/dev1/other", 1, function() other = other + 1 end))
    local dev1 = device "dev1"
    local function send(expected)
      assert(dev1:publish("d2c/dev1/u", "x", { qos = 1 }))
      assert(dev1:publish("d2c/dev1/other", "x", { qos = 1 })) -- comes after it
      assert(dev1:flush(10))
      support.serve_until(function() return other == expected end)
    end
    send(1)
    assert.equal(2, got)
    assert.is_true(session:unsubscribe "d2c/dev1/u")
    assert.is_true(session:unsubscribe "d2c/dev1/u") -- harmless
    assert.is_true(session:unsubscribe "never/subscribed")
    local received = session:stats().received
    send(2)
    assert.equal(2, got)
    assert.equal(received + 1, session:stats().received)
    assert.has_error(function() session:unsubscribe "a/#/b" end)
    session:close()
    assert.equal("closed", select(2, session:unsubscribe "d2c/dev1/other").kind)
  end)

  -- 100 ms for each of thousands of messages: memory stays within its bounds, what does not fit waits at the broker, and
  -- another session is handled meanwhile.
  it("lets a slow handler hold up nobody, and loses nothing of QoS 1 #hold", function()
    local slow = connect({ tls = false, clean = false, in_count = 100, max_handlers = 4, backoff_base = 0.01 }, { "dev1" })
    local fast = connect({ tls = false }, { "dev2" })
    local count, pause, handled, fast_handled, most = 2000, 0.1, {}, 0, 0
    local distinct = 0
    assert(slow:subscribe("d2c/dev1/n", 1, function(_, payload)
      if pause > 0 then fogcloud.sleep(pause) end
      if not handled[payload] then distinct = distinct + 1 end
      handled[payload] = true
    end))
    assert(fast:subscribe("d2c/dev2/n", 0, function() fast_handled = fast_handled + 1 end))
    local dev1, dev2 = device "dev1", device "dev2"
    for i = 1, count do assert(dev1:publish("d2c/dev1/n", tostring(i), { qos = 1 })) end
    for i = 1, 20 do
      assert(dev2:publish("d2c/dev2/n", "x"))
      support.serve_until(function()
        most = math.max(most, slow:stats().inbox)
        return fast_handled == i
      end)
    end
    support.serve_until(function()
      most = math.max(most, slow:stats().inbox)
      return dev1:stats().queued == 0
    end, 60)
    assert.is_true(distinct < count / 2, "the handler was not slow")
    assert.is_true(most > 0 and most <= 100, most .. " in the inbox")
    pause = 0
    support.serve_until(function() return distinct == count end, 60)
    local stats = slow:stats()
    assert.same({ 0, 1, count }, { stats.received_dropped, stats.connects, stats.received }) -- each came once
  end)

  it("lets a handler that takes long without yielding hold up nobody either", function()
    local slow, fast = connect({ tls = false }, { "dev1" }), connect({ tls = false }, { "dev2" })
    local handled, before, started = 0, nil, nil
    assert(slow:subscribe("d2c/dev1/n", 1, function()
      local until_ = socket.gettime() + 0.01
      repeat until socket.gettime() >= until_
      handled = handled + 1
    end))
    assert(fast:subscribe("d2c/dev2/n", 1, function() before = handled end))
    local dev1, dev2 = device "dev1", device "dev2"
    for i = 1, 300 do assert(dev1:publish("d2c/dev1/n", tostring(i), { qos = 1 })) end
    assert(dev2:publish("d2c/dev2/n", "x", { qos = 1 }))
    for _, dev in ipairs { dev1, dev2 } do assert(dev:flush(20)) end
    for _ = 1, 1000 do
      if slow:stats().inbox == 300 and fast:stats().inbox == 1 then break end
      fogcloud.sleep(0.01)
    end
    fogcloud.spawn(function() started = handled end)
    support.serve_until(function() return before and started end)
    assert.is_true(before < 30 and started < 30, before .. " and " .. started)
  end)

  it("tells once of many that were dropped at the inbox's bound, and who listens to the log of all that is lost", function()
    local lines = {}
    fogcloud.log(function(level, message, fields) lines[#lines + 1] = level .. ": " .. message .. " " .. tostring(fields.err) end)
    finally(function() fogcloud.log(nil) end)
    local session, drops, handled = connect({ tls = false, in_count = 10 }), {}, 0
    session:on("drop", function(drop) drops[#drops + 1] = drop end)
    assert(session:subscribe("d2c/dev1/n", 0, function() handled = handled + 1 end))
    local dev = device "dev1"
    for i = 1, 100 do assert(dev:publish("d2c/dev1/n", tostring(i))) end
    for _ = 1, 1000 do
      if session:stats().received == 100 then break end
      fogcloud.sleep(0.01)
    end
    support.serve_until(function() return drops[1] and session:stats().inbox == 0 end)
    assert.same({ 1, 90, 10, "overflow" }, { #drops, drops[1].count, handled, drops[1].err.kind })
    assert.matches("90 messages of QoS 0 were dropped", tostring(drops[1].err))
    sandbox:fail_mqtt { refuse = true }
    sandbox:kick(session.credentials.clientid)
    support.serve_until(function() return not session:connected() end)
    assert(session:publish("c2d/dev1/n", "x", { qos = 1 }))
    session:close()
    support.serve_until(function() return session.state.name == "closed" end)
    local text = table.concat(lines, "\n")
    assert.matches("warn: messages are lost 90 messages of QoS 0", text)
    assert.matches("warn: the session is disconnected", text)
    assert.matches("warn: messages are lost the message to 'c2d/dev1/n' was dropped", text)
  end)

  it("drains a whole inbox into handlers in order, whatever came and went", function()
    local session, got = connect({ tls = false }), {}
    session:subscribe("d2c/dev1/n", 1, function(_, payload) got[#got + 1] = tonumber(payload) end)
    local dev = device "dev1"
    for i = 1, 1000 do dev:publish("d2c/dev1/n", tostring(i), { qos = 1 }) end
    support.serve_until(function() return #got == 1000 end)
    for i = 1, 1000 do assert.equal(i, got[i]) end
  end)

  -- mosquitto's Debian build has no WebSockets: websockify stands before it. TLS ends there.
  local function behind_websockify(tls)
    local port = assert(socket.bind("127.0.0.1", 0))
    local number = select(2, port:getsockname())
    port:close()
    local folder = sandbox.ca_file:match("^(.*)/")
    local certificate = tls and ("%s/server.pem %s/server.key"):format(folder, folder) or ""
    -- A session of its own: it forks for each client, and they must go with it.
    local command = "setsid /usr/bin/python3 spec/support/websocket_proxy.py %d %d %s >/dev/null 2>&1 & echo $!"
    local pipe = assert(io.popen(command:format(number, sandbox.mqtt_port, certificate), "r"))
    local pid = pipe:read("*l")
    pipe:close()
    finally(function() os.execute("kill -- -" .. pid) end)
    local deadline = socket.gettime() + 20
    while not socket.connect("127.0.0.1", number) do
      assert(socket.gettime() < deadline, "websockify does not start")
      socket.sleep(0.05)
    end
    return math.floor(number)
  end

  for _, tls in ipairs { false, true } do
    it("#connection speaks MQTT over WebSockets" .. (tls and " and TLS" or ""), function()
      local port = behind_websockify(tls)
      local credentials = support.client(sandbox, cloud, { "dev1" })
      credentials.mqttport, credentials.sslport = port, port
      local opts = { tls = tls, transport = "websockets", ca_file = sandbox.ca_file }
      local session, got = assert(keep(fogcloud.connect(credentials, opts))), {}
      assert(session:subscribe("d2c/dev1/n", 1, function(_, payload) got[#got + 1] = payload end))
      local dev = device "dev1"
      local large = ("large "):rep(20000)
      for _, payload in ipairs { "small", large, "" } do assert(dev:publish("d2c/dev1/n", payload, { qos = 1 })) end
      support.serve_until(function() return #got == 3 end)
      assert.same({ "small", large, "" }, got)
      local others = support.client(sandbox, cloud, { "dev1" })
      others.mqttport, others.sslport = port, port
      local second = assert(keep(fogcloud.connect(others, opts)))
      assert(second:publish("c2d/dev1/n", "", { qos = 1 }))
      assert.is_true(second:flush(20))
      for i = 1, 12 do
        assert(session:publish("c2d/dev1/n", tostring(i), { qos = i % 3 }))
        assert.is_true(session:flush(20))
      end
      support.assert_identity(session)
    end)
  end

  it("opens a cloud with devices in one call, ready to be used", function()
    local session = assert(keep(cloud:open { app_id = sandbox.app_id, devices = { "dev1" }, session = { tls = false } }))
    local got
    assert.equal(1, session:device("dev1"):on("status", function(value) got = value end))
    assert(device("dev1"):publish("d2c/dev1/status", '{"on":true}', { qos = 1 }))
    support.serve_until(function() return got end)
    assert.same({ on = true }, got)
  end)

  it("uses other topics when given templates", function()
    local session = connect { tls = false, topics = { from_device = "d2c/{device}/x/{channel}", to_device = "c2d/{device}/y/{channel}" } }
    local got, commanded
    assert(session:device("dev1"):on("status", function(value) got = value end))
    local dev = device "dev1"
    assert(dev:subscribe("c2d/dev1/y/commands", 1, function(_, payload) commanded = payload end))
    assert(dev:publish("d2c/dev1/x/status", "[1]", { qos = 1 }))
    assert(session:device("dev1"):send("commands", { 2 }))
    support.serve_until(function() return got and commanded end)
    assert.same({ 1 }, got)
    assert.equal("[2]", commanded)
  end)

  -- Of values at 1, 2, 3, ...
  local function least_squares_slope(values)
    local mean_x, mean_y, over, under = (#values + 1) / 2, 0, 0, 0
    for _, y in ipairs(values) do mean_y = mean_y + y / #values end
    for x, y in ipairs(values) do
      over, under = over + (x - mean_x) * (y - mean_y), under + (x - mean_x) ^ 2
    end
    return over / under
  end

  -- FOG_FLAPS: links made and lost; a day of one a minute is 1440.
  it("does not grow by flapping", function()
    local flaps = tonumber(os.getenv("FOG_FLAPS") or 60)
    local session = connect { tls = false, backoff_base = 0, backoff_cap = 0 }
    assert(session:subscribe("d2c/dev1/#", 1, print))
    local back, sizes = 0, {}
    session:on("connect", function() back = back + 1 end)
    local function resident()
      collectgarbage()
      local file = io.open("/proc/self/statm")
      local pages = tonumber(file:read("*a"):match("%d+ (%d+)"))
      file:close()
      return pages * 4
    end
    for i = 1, flaps do
      assert(session:publish("c2d/dev1/n", ("x"):rep(1000), { qos = 1 }))
      assert(session:flush(20))
      sandbox:kick(session.credentials.clientid)
      support.serve_until(function() return back == i end)
      if i > flaps / 2 then sizes[#sizes + 1] = resident() end
    end
    assert(session:flush(20))
    support.assert_identity(session)
    -- What few links cost is lost among what allocators do; a sanitizer keeps what is freed for a while.
    local bound = os.getenv("FOG_LUA") and 2048 or flaps >= 1000 and 1 or 64
    local slope = least_squares_slope(sizes)
    assert.is_true(slope < bound, ("%.2f kB more with each link"):format(slope))
  end)
end)
