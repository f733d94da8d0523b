-- SPDX-License-Identifier: MIT

-- The relay's faults, seen by mosquitto's clients and by bare sockets.
local socket = require "socket"
local ssl = require "ssl"
local support = require "spec.support.sandbox"

local function text(s) return string.char(math.floor(#s / 256), #s % 256) .. s end

local function varint(n)
  local out = ""
  repeat
    local more = n >= 128
    out, n = out .. string.char(n % 128 + (more and 128 or 0)), math.floor(n / 128)
  until not more
  return out
end

local function packet(first, body) return string.char(first) .. varint(#body) .. body end

-- A CONNECT as device dev1, of 3.1.1 unless a protocol name with the version is given; `properties` for version 5.
local function connect_packet(id, protocol, properties)
  return packet(0x10, (protocol or text("MQTT") .. string.char(4)) .. string.char(0xC2, 0, 60)
    .. (properties and varint(#properties) .. properties or "") .. text(id) .. text("dev1") .. text("dev1-secret"))
end
local V31, V5 = text("MQIsdp") .. string.char(3), text("MQTT") .. string.char(5)
local CONNACK_OK = string.char(0x20, 2, 0, 0)

-- A PUBLISH of QoS 1 with packet id 1, and its PUBACK.
local TOPIC = "d2c/dev1/status"
local PUBLISH = string.char(0x32, 2 + #TOPIC + 2 + 1, 0, #TOPIC) .. TOPIC .. string.char(0, 1) .. "x"
local PUBACK = string.char(0x40, 2, 0, 1)
local PING, PONG = string.char(0xC0, 0), string.char(0xD0, 0)

describe("the relay", function()
  local sandbox

  setup(function() sandbox = support.start { mqtt_faults = true } end)
  teardown(function() sandbox:stop() end)
  after_each(function() sandbox:heal_mqtt() end)

  local function dial()
    local peer = assert(socket.connect("127.0.0.1", ("%d"):format(sandbox.mqtt_port)))
    peer:settimeout(10)
    return peer
  end

  local function login(id)
    local peer = dial()
    assert(peer:send(connect_packet(id or "device-dev1")))
    assert.equal(CONNACK_OK, peer:receive(4))
    return peer
  end

  local function dial_tls()
    local peer = socket.tcp()
    peer:setoption("recv-buffer-size", 4096)
    assert(peer:connect("127.0.0.1", ("%d"):format(sandbox.tls_port)))
    peer = assert(ssl.wrap(peer, { mode = "client", protocol = "any", verify = "peer", cafile = sandbox.ca_file }))
    peer:settimeout(10)
    assert(peer:dohandshake())
    return peer
  end

  -- A device that listens, and a function that sends it a message of so many bytes.
  local function subscriber(secure)
    local credentials = support.client(sandbox, support.cloud(sandbox), { "dev1" })
    local peer = secure and dial_tls() or dial()
    assert(peer:send(connect_packet("device-dev1")))
    assert.equal(CONNACK_OK, peer:receive(4))
    peer:send(packet(0x82, "\0\1" .. text("c2d/dev1/x") .. "\0"))
    assert.equal("\144\3\0\1\0", peer:receive(5))
    return peer, function(size)
      local said, status = support.shell(("head -c %d /dev/zero | mosquitto_pub %s -i %s -u %s -P '%s' -t c2d/dev1/x -s"):format(
        size, "-h 127.0.0.1 -p " .. ("%d"):format(sandbox.mqtt_port), credentials.clientid, credentials.loginname,
        credentials.password))
      assert.equal(0, status, said)
    end
  end

  local function assert_closed(peer)
    local _, why = peer:receive(1)
    assert.equal("closed", why)
    peer:close()
  end

  local function publish(where)
    local command = "mosquitto_pub %s -i device-dev1 -u dev1 -P dev1-secret -q 1 -t d2c/dev1/status -m x"
    return support.shell(command:format(where))
  end

  local function plain() return ("-h 127.0.0.1 -p %d"):format(sandbox.mqtt_port) end

  local function tls() return ("-h localhost -p %d --cafile %s"):format(sandbox.tls_port, sandbox.ca_file) end

  it("passes everything on, plain and TLS", function()
    assert.equal(0, select(2, publish(plain())))
    assert.equal(0, select(2, publish(tls())))
    local peer = login()
    peer:send(PUBLISH .. PING)
    assert.equal(PUBACK .. PONG, peer:receive(6))
    peer:close()
  end)

  it("refuses connections on both ports", function()
    sandbox:fail_mqtt { refuse = true }
    assert.is_true(select(2, publish(plain())) ~= 0)
    assert.is_true(select(2, publish(tls())) ~= 0)
    sandbox:heal_mqtt()
    assert.equal(0, select(2, publish(plain())))
  end)

  it("answers a CONNECT with a code", function()
    sandbox:fail_mqtt { connack = 3 }
    local peer = dial()
    peer:send(connect_packet("device-dev1"))
    assert.equal(string.char(0x20, 2, 0, 3), peer:receive(4))
    assert_closed(peer)
    assert.truthy(publish(plain()):lower():find("unavailable", 1, true))
  end)

  it("answers a CONNECT of 3.1 and of 5 in their form", function()
    for protocol, case in pairs { [V31] = { 3, "\32\2\0\3" }, [V5] = { 135, "\32\3\0\135\0" } } do
      sandbox:fail_mqtt { connack = case[1] }
      local peer = dial()
      peer:send(connect_packet("device-dev1", protocol, protocol == V5 and "" or nil))
      assert.equal(case[2], peer:receive(#case[2]))
      assert_closed(peer)
    end
  end)

  it("cuts after so many packets, and in mid-packet", function()
    sandbox:fail_mqtt { cut_after = 2 }
    local peer = login()
    peer:send(PING)
    assert_closed(peer)
    sandbox:fail_mqtt { cut_after = 1, mid_packet = true }
    peer = login()
    peer:send(PING)
    assert_closed(peer)
  end)

  it("cuts after so many bytes, under TLS too", function()
    sandbox:fail_mqtt { cut_bytes = 40 }
    assert.is_true(select(2, publish(tls())) ~= 0)
  end)

  it("cuts after just so many bytes, without waiting for more, either way", function()
    local peer = login()
    sandbox:fail_mqtt { cut_bytes = #connect_packet("device-dev1") + #PING }
    peer:send(PING)
    assert_closed(peer)
    sandbox:heal_mqtt()
    for extra, size in pairs { [0] = 100, [7] = 1000 } do
      local send
      peer, send = subscriber()
      local came = #CONNACK_OK + 5 -- and the SUBACK
      local message = #packet(0x30, text("c2d/dev1/x") .. ("x"):rep(size))
      sandbox:fail_mqtt { cut_bytes = came + message - extra, count = 1 }
      send(size)
      assert.equal(message - extra, #peer:receive("*a")) -- all there is until the end
      peer:close()
    end
  end)

  it("kicks one client, and all", function()
    local one, two = login("one"), login("two")
    assert.equal(1, sandbox:kick("one"))
    assert_closed(one)
    two:send(PING)
    assert.equal(PONG, two:receive(2))
    assert.is_true(sandbox:kick() >= 1)
    assert_closed(two)
  end)

  it("kicks clients of every version, with long names and many properties", function()
    local long = ("n"):rep(1000)
    local property = "\38" .. text("name") .. text(("v"):rep(200)) -- a user property
    for _, connect in ipairs { connect_packet("old", V31), connect_packet(long), connect_packet("new", V5, property),
      connect_packet(long, V5, property:rep(10)), connect_packet("new", V5, "") } do
      local peer = dial()
      peer:send(connect)
      assert.equal("\32", peer:receive(1)) -- a CONNACK
      local id = connect:find(long, 1, true) and long or connect:match("old") or "new"
      assert.equal(0, sandbox:kick(id .. "x") + sandbox:kick(id:sub(2)))
      assert.equal(1, sandbox:kick(id))
      assert.is_truthy(peer:receive("*a")) -- the rest of the CONNACK, then the end
      peer:close()
    end
  end)

  it("answers nothing while it is half-open, and goes on afterwards", function()
    local peer = login()
    sandbox:fail_mqtt { half_open = true }
    peer:send(PING)
    peer:settimeout(0.2)
    assert.equal("timeout", select(2, peer:receive(2)))
    sandbox:heal_mqtt()
    peer:settimeout(10)
    assert.equal(PONG, peer:receive(2))
    peer:close()
  end)

  it("swallows and duplicates PUBACKs", function()
    local peer = login()
    sandbox:fail_mqtt { puback = "swallow" }
    peer:send(PUBLISH .. PING)
    assert.equal(PONG, peer:receive(2))
    sandbox:fail_mqtt { puback = "duplicate" }
    peer:send(PUBLISH .. PING)
    assert.equal(PUBACK .. PUBACK .. PONG, peer:receive(10))
    peer:close()
  end)

  it("sees packets under TLS as well", function()
    sandbox:fail_mqtt { connack = 3 }
    assert.truthy(publish(tls()):lower():find("unavailable", 1, true))
    sandbox:fail_mqtt { cut_after = 1 }
    assert.is_true(select(2, publish(tls())) ~= 0)
    sandbox:heal_mqtt()
    local listener = io.popen(("timeout 20 stdbuf -oL mosquitto_sub %s -i listener -u dev1 -P dev1-secret -t c2d/dev1/x -d 2>&1")
      :format(tls()))
    repeat local line = listener:read("*l") until line == nil or line:find("SUBACK")
    assert.equal(1, sandbox:kick("listener"))
    listener:close()
  end)

  it("holds PUBACKs alone back", function()
    local peer = login()
    sandbox:fail_mqtt { puback_delay_ms = 300 }
    peer:send(PUBLISH .. PUBLISH .. PING)
    assert.equal(PONG, peer:receive(2)) -- overtakes them
    assert.equal(PUBACK .. PUBACK, peer:receive(8))
    peer:close()
  end)

  it("meets as many connections as it is told to", function()
    sandbox:fail_mqtt { connack = 3, count = 2 }
    local failed = 0
    for _ = 1, 4 do failed = failed + (select(2, publish(plain())) ~= 0 and 1 or 0) end
    assert.equal(2, failed)
  end)

  it("does not count connections that the rules cannot touch any more", function()
    local open = login("listener")
    for _, rules in ipairs { { refuse = true }, { connack = 3 } } do
      rules.count = 1
      sandbox:fail_mqtt(rules)
      assert.is_true(select(2, publish(plain())) ~= 0)
      assert.equal(0, select(2, publish(plain())))
    end
    sandbox:fail_mqtt { puback = "swallow", count = 1 } -- this one it can
    assert.equal(0, select(2, publish(plain())))
    open:send(PUBLISH .. PING)
    assert.equal(PONG, open:receive(2))
    open:close()
  end)

  it("rests while it holds something back for a client that was reset", function()
    local function cpu() -- seconds of the sandbox's process
      local file = assert(io.open(("/proc/%d/stat"):format(sandbox.pid)))
      local user, system = file:read("*a"):match("%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
      file:close()
      return (user + system) / 100
    end
    local peer = login()
    sandbox:fail_mqtt { puback_delay_ms = 300 }
    peer:send(PUBLISH .. PING)
    assert.equal(PONG, peer:receive(2)) -- the PUBACK is held back by now
    sandbox:fail_mqtt { delay_ms = 3000 }
    peer:send(PING) -- and this, for longer
    peer:setoption("linger", { on = true, timeout = 0 })
    peer:close()
    socket.sleep(0.6) -- the PUBACK is due, and nobody there to take it
    local before = cpu()
    socket.sleep(1)
    assert.is_true(cpu() - before < 0.3, cpu() - before)
  end)

  it("meets connections with a probability, the same ones for the same seed", function()
    local function run()
      local seeded = support.start { mqtt_faults = true, rng_seed = 5 }
      seeded:fail_mqtt { refuse = true, probability = 0.5 }
      local met = ""
      for _ = 1, 20 do
        local peer = assert(socket.connect("127.0.0.1", ("%d"):format(seeded.mqtt_port)))
        peer:settimeout(10)
        peer:send(connect_packet("device-dev1"))
        met = met .. (peer:receive(4) and "." or "x")
        peer:close()
      end
      seeded:stop()
      return met
    end
    local first = run()
    assert.equal(first, run())
    assert.is_true(first:find(".", 1, true) ~= nil and first:find("x", 1, true) ~= nil, first)
  end)

  it("demands client certificates when told", function()
    local strict = support.start { mqtt_faults = true, client_certificates = true }
    finally(function() strict:stop() end)
    local where = ("-h localhost -p %d --cafile %s"):format(strict.tls_port, strict.ca_file)
    assert.is_true(select(2, publish(where)) ~= 0)
    local with = ("%s --cert %s --key %s"):format(where, strict.client_cert_file, strict.client_key_file)
    assert.same({ "", 0 }, { publish(with) })
  end)

  it("delays and throttles, and loses nothing by it", function()
    local peer = login()
    sandbox:fail_mqtt { delay_ms = 100 }
    local start = socket.gettime()
    peer:send(PING)
    assert.equal(PONG, peer:receive(2))
    assert.is_true(socket.gettime() - start >= 0.19) -- at least what was asked for, both ways
    sandbox:fail_mqtt { rate = 400 }
    start = socket.gettime()
    peer:send(PING:rep(50))
    assert.equal(PONG:rep(50), peer:receive(100))
    assert.is_true(socket.gettime() - start >= 0.15)
    peer:close()
  end)

  -- A record of TLS that did not fit into the socket has to be offered again whole, however slow it has become.
  it("throttles a TLS connection that is full already", function()
    local size, early = 6000000, 4400000 -- early: more than fits
    local peer, send = subscriber("tls")
    send(size)
    socket.sleep(0.3) -- the relay has written what fits
    sandbox:fail_mqtt { rate = 300000 }
    local left = early
    while left > 0 do
      local some, why = peer:receive(math.min(left, 100000))
      assert.is_truthy(some, why)
      left = left - #some
    end
    sandbox:heal_mqtt()
    local message = #packet(0x30, text("c2d/dev1/x") .. ("x"):rep(size))
    assert.equal(message - early, #assert(peer:receive(message - early)))
    peer:close()
  end)

  it("survives the broker's end and finds it again", function()
    sandbox:broker("kill")
    assert.is_true(select(2, publish(plain())) ~= 0)
    sandbox:broker("start")
    assert.equal(0, select(2, publish(plain())))
  end)

  it("refuses rules it does not know, and is absent unless asked for", function()
    for _, rules in ipairs { { nonsense = 1 }, { connack = 256 }, { delay_ms = -1 }, { puback = "eat" } } do
      assert.has_error(function() sandbox:fail_mqtt(rules) end)
    end
    local plain_one = support.start()
    finally(function() plain_one:stop() end)
    assert.has_error(function() plain_one:fail_mqtt { refuse = true } end)
  end)
end)
