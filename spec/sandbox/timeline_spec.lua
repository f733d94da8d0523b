-- SPDX-License-Identifier: MIT

-- The timeline: all that happens in its order, live and afterwards; devices that the sandbox plays; and who is whose at
-- the broker. Seen from outside, by sockets, curl and mosquitto's clients.
local Timeline = require "fogcloud.sandbox.timeline"
local cjson = require "cjson"
local socket = require "socket"
local support = require "spec.support.sandbox"

describe("the timeline", function()
  it("keeps ten thousand entries, and sixteen mebibytes", function()
    local line = Timeline.new()
    for i = 1, 10500 do line:add { kind = "control", n = i } end
    local kept = line:since(0)
    assert.same({ 10000, 501, 10500 }, { #kept, kept[1].id, kept[#kept].n })
    assert.same({ 10499, 10500 }, { line:since(0, 2)[1].id, line:since(0, 2)[2].id })
    assert.same({ 600, 601 }, { line:since(599, nil, 601)[1].id, line:since(599, nil, 601)[2].id })
    assert.same({}, line:since(10500))
    local text = ("x"):rep(1024 * 1024)
    for _ = 1, 20 do line:add { kind = "message", payload = text } end
    assert.is_true(#line:since(0) < 17 and #line:since(0) > 10)
  end)
end)

describe("what happens", function()
  local sandbox, port

  setup(function()
    sandbox = support.start()
    port = tonumber(sandbox.url:match ":(%d+)$")
  end)
  teardown(function() sandbox:stop() end)
  before_each(function() sandbox:reset() end)

  local function post(path, body, method)
    local said = support.shell(("curl -s -X %s -d '%s' '%s/_sandbox/%s'"):format(method or "POST", cjson.encode(body), sandbox.url, path))
    return cjson.decode(said)
  end

  local function timeline() return cjson.decode((support.shell(("curl -s '%s/_sandbox/timeline'"):format(sandbox.url)))).entries end

  -- Those after the last reset, in a few words each.
  local function story()
    local words = {}
    for _, entry in ipairs(timeline()) do
      local what = entry.endpoint or entry.topic or entry.client or entry.call
      if entry.call == "POST reset" then words = {} else words[#words + 1] = entry.kind .. " " .. tostring(what) end
    end
    return words
  end

  local function publish(id, login, password, topic, text)
    return select(2, support.shell(("mosquitto_pub -h 127.0.0.1 -p %d -q 1 -i '%s' -u %s -P '%s' -t %s -m '%s'"):format(
      sandbox.mqtt_port, id, login, password, topic, text or "x")))
  end

  it("stands in its order: calls, grants, faults, the clock, messages and who was refused", function()
    local cloud = support.cloud(sandbox)
    local client = support.client(sandbox, cloud, { "dev1" })
    sandbox:fail { endpoint = "products", code = 10000 }
    assert.is_nil(cloud:products())
    sandbox:advance(5)
    -- A client has gone a moment before the broker knows.
    local function alone()
      repeat
        local links = support.shell(("curl -s %s/_sandbox/links"):format(sandbox.url))
      until links:find('"connected":%[%]')
    end
    publish("d", "dev1", "dev1-secret", "d2c/dev1/status")
    alone()
    publish("d", "dev1", "wrong", "d2c/dev1/status")
    publish("d", "dev1", "dev1-secret", "d2c/dev2/status")
    alone()
    assert.is_true(assert(cloud:revoke(client.clientid, "dev1")) ~= nil)
    assert.same({
      "call token", "call create_client", "call grant", "control POST faults", "call products", "control POST clock", "login d",
      "message d2c/dev1/status", "bye d", "login_refused d", "login d", "message_refused d2c/dev2/status", "bye d", "call revoke",
    }, story())
  end)

  it("is told whole: codes, tokens by number, what struck, sizes; and no secret", function()
    local cloud = support.cloud(sandbox)
    sandbox:fail { endpoint = "create_client", cut = "after" }
    local client = assert(cloud:create_client(sandbox.app_id))
    local by_kind, text = {}, cjson.encode(timeline())
    for _, entry in ipairs(timeline()) do by_kind[entry.endpoint or entry.call or entry.kind] = entry end
    local call = by_kind.create_client
    assert.same({ 0, 200, "POST", sandbox.app_id }, { call.code, call.status, call.method, call.params.app_id })
    assert.same({ client.clientid, client.loginname }, { call.reply.client, call.reply.login })
    assert.is_true(call.token ~= nil and call.token == by_kind.token.reply.token)
    assert.same({ by_kind["POST faults"].fault, "cut after" }, { call.fault, call.wire })
    assert.is_true(call.ms >= 0)
    for _, secret in ipairs { client.password, sandbox.account.client_secret, assert(cloud:token()) } do
      assert.is_nil(text:find(secret, 1, true))
    end
    publish("d", "dev1", "dev1-secret", "d2c/dev1/big", ("y"):rep(5000))
    support.shell(("printf '\\377\\001' | mosquitto_pub -h 127.0.0.1 -p %d -q 1 -i d -u dev1 -P dev1-secret -t d2c/dev1/raw -s -r"):format(
      sandbox.mqtt_port))
    for _, entry in ipairs(timeline()) do by_kind[entry.topic or ""] = entry end
    local big, raw = by_kind["d2c/dev1/big"], by_kind["d2c/dev1/raw"]
    assert.same({ 5000, 4096, true, 1 }, { big.size, #big.payload, big.cut, big.qos })
    assert.same({ "ff01", true, 2 }, { raw.payload_hex, raw.retain, raw.size })
  end)

  -- An event stream: read(name) gives the data of the next event of that name, and the last id.
  local function stream(headers)
    local peer = assert(socket.connect("127.0.0.1", port))
    peer:settimeout(10)
    assert(peer:send("GET /_sandbox/events HTTP/1.1\r\nHost: localhost\r\n" .. (headers or "") .. "\r\n"))
    assert.matches("200", (assert(peer:receive "*l")))
    repeat local line = assert(peer:receive "*l") until line == ""
    local rest, last = "", nil
    local function event()
      while true do
        local one, after = rest:match "^(.-)\n\n(.*)$"
        if one then
          rest, last = after, one:match "id: ([^\n]+)" or last
          return one:match "event: (%a+)", one:match "data: (.*)$"
        end
        local size = tonumber((assert(peer:receive "*l")), 16)
        rest = rest .. assert(peer:receive(size))
        assert(peer:receive "*l")
      end
    end
    local function read(name)
      while true do
        local found, data = event()
        if found == name then return cjson.decode(data), last end
      end
    end
    return read, function() peer:close() end
  end

  it("comes live, goes on where a browser was, and says when it is another sandbox", function()
    local read, close = stream()
    assert.is_number(read "pulse".messages)
    publish("d", "dev1", "dev1-secret", "d2c/dev1/one")
    local seen, id = {}, nil
    while not (seen["d2c/dev1/one"] and seen.bye) do
      local fresh, last = read "entries"
      id = last
      for _, entry in ipairs(fresh) do seen[entry.topic or entry.kind] = entry.id end
    end
    close()
    publish("d", "dev1", "dev1-secret", "d2c/dev1/two")
    read, close = stream(("Last-Event-ID: %s\r\n"):format(id))
    local list = read "entries"
    assert.same({ tonumber(id:match "%d+$") + 1, "login" }, { list[1].id, list[1].kind })
    close()
    read, close = stream "Last-Event-ID: 00000000-5\r\n"
    read "restart"
    assert.is_true(#read "entries" > 5)
    close()
  end)

  it("is watched by sixteen at most, and those who leave make room", function()
    local deadline = socket.gettime() + 20
    local function until_code(wanted)
      local code
      repeat
        code = support.shell(("curl -s -m 0.3 -o /dev/null -w '%%{http_code}' %s/_sandbox/events"):format(sandbox.url))
      until code == wanted or socket.gettime() > deadline
      assert.equal(wanted, code)
    end
    until_code "200"
    local closers = {}
    repeat
      local ok, _, close = pcall(stream)
      closers[#closers + 1] = ok and close or nil
    until #closers == 16 or socket.gettime() > deadline
    until_code "503"
    for _, close in ipairs(closers) do close() end
    until_code "200"
  end)

  it("is of devices that the sandbox plays", function()
    assert.same({ playing = true }, post("play", { device = "dev1" }))
    local client = support.client(sandbox, support.cloud(sandbox), { "dev1" })
    assert.equal(0, publish(client.clientid, client.loginname, client.password, "c2d/dev1/commands", "on"))
    for qos = 0, 2 do
      local message = { device = "dev1", channel = "status", payload = "r" .. qos, qos = qos, retain = qos == 1 }
      assert.same({ ok = true }, post("report", message))
    end
    local deadline, got = socket.gettime() + 20, {}
    repeat
      for _, entry in ipairs(timeline()) do
        if entry.topic == "d2c/dev1/status" and entry.kind == "message" then
          got[entry.payload] = ("%s %d %s"):format(entry.login, entry.qos, tostring(entry.retain))
        end
      end
    until got.r2 or socket.gettime() > deadline
    assert.same({ "dev1 0 false", "dev1 1 true", "dev1 2 false" }, { got.r0, got.r1, got.r2 })
    local links = cjson.decode((support.shell(("curl -s %s/_sandbox/links"):format(sandbox.url))))
    assert.same({ { "dev1" }, "dev1", 1 }, { links.played, links.connected[1].login, #links.last })
    assert.same({ playing = false }, post("play", { device = "dev1", on = false }))
    assert.is_truthy(post("report", { device = "dev1", channel = "status" }).error)
    assert.is_truthy(post("play", { device = "nobody" }).error)
  end)

  it("is of messages that the broker itself publishes, and permissions without a token", function()
    local client = support.client(sandbox, support.cloud(sandbox), {})
    local pair = { client_id = client.clientid, device_id = "dev1" }
    assert.same({ ok = true }, post("grants", pair))
    assert.equal(1, #sandbox:state().grants)
    local got = support.shell(("(mosquitto_sub -h 127.0.0.1 -p %d -i %s -u %s -P '%s' -t d2c/# -C 1 -W 10 &"
      .. " until curl -s %s/_sandbox/timeline | grep -q '\"subscribe\"'; do sleep 0.05; done;"
      .. " curl -s -d '{\"topic\":\"d2c/dev1/x\",\"payload\":\"hello\"}' %s/_sandbox/publish >/dev/null; wait)"):format(
      sandbox.mqtt_port, client.clientid, client.loginname, client.password, sandbox.url, sandbox.url))
    assert.equal("hello\n", got)
    support.shell(("curl -s -X DELETE '%s/_sandbox/grants?client_id=%s&device_id=dev1'"):format(sandbox.url, client.clientid))
    assert.equal(0, #sandbox:state().grants)
    for _, wrong in ipairs { { client_id = "x", device_id = "dev1" }, { client_id = client.clientid, device_id = "x" }, {} } do
      assert.is_truthy(post("grants", wrong).error)
    end
    for _, wrong in ipairs { { topic = "" }, { topic = "a/#" }, { topic = "a", qos = 3 }, { topic = "a", payload = ("x"):rep(4097) } } do
      assert.is_truthy(post("publish", wrong).error)
    end
  end)

  it("throws clients out without a relay, too", function()
    local said = support.shell(("(mosquitto_sub -h 127.0.0.1 -p %d -i d -u dev1 -P dev1-secret -t c2d/dev1/# -d -W 10 > /dev/null 2>&1 &"
      .. " pid=$!; until curl -s %s/_sandbox/links | grep -q '\"d\"'; do sleep 0.05; done;"
      .. " curl -s -d '{\"kick\":\"d\"}' %s/_sandbox/mqtt; kill $pid; wait)"):format(sandbox.mqtt_port, sandbox.url, sandbox.url))
    assert.matches('{"kicked":1}', said)
    assert.equal(0, sandbox:kick "nobody")
    assert.equal("bye", timeline()[#timeline() - 1].kind == "bye" and "bye" or timeline()[#timeline()].kind)
  end)

  it("leaves an id to its login while that is connected", function()
    post("play", { device = "dev1" })
    local id = cjson.decode((support.shell(("curl -s %s/_sandbox/links"):format(sandbox.url)))).connected[1].client
    assert.is_true(publish(id, "dev2", "dev2-secret", "d2c/dev2/x") ~= 0)
    assert.is_true(publish(id, "dev1", "wrong", "d2c/dev1/x") ~= 0)
    assert.is_true(publish(id, "dev2", "dev2-secret", "d2c/dev2/x") ~= 0) -- nothing was freed by that
    assert.equal(0, publish("other", "dev2", "dev2-secret", "d2c/dev2/x"))
    post("play", { device = "dev1", on = false })
    assert.equal(0, publish(id, "dev2", "dev2-secret", "d2c/dev2/x"))
  end)
end)
