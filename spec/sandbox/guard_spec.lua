-- SPDX-License-Identifier: MIT

-- Closed to others: pages of other origins, names that are not ours, those who only hold connections, and devices that
-- call themselves as a client is called.
local cjson = require "cjson"
local script = require "spec.support.script"
local socket = require "socket"
local support = require "spec.support.sandbox"

local TOKEN = "/v3/open_api/token/"

describe("a sandbox", function()
  local sandbox, port, key

  setup(function()
    sandbox = support.start { cert_host = "*.cloud.test" }
    port, key = sandbox.url:match(":(%d+)$"), sandbox.console:match("#key=(%x+)$")
  end)
  teardown(function() sandbox:stop() end)

  -- A request byte by byte: its status and body. Headers: a table, whose Host is localhost by default.
  local function ask(method, path, headers, body)
    local peer = assert(socket.connect("127.0.0.1", tonumber(port)))
    peer:settimeout(10)
    local lines = { ("%s %s HTTP/1.1"):format(method, path), "Connection: close" }
    if headers.Host == nil then lines[#lines + 1] = "Host: localhost:" .. port end
    for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
    if body then lines[#lines + 1] = "Content-Length: " .. #body end
    assert(peer:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")))
    local said = assert(peer:receive("*a"))
    peer:close()
    return tonumber(said:match("^HTTP/1.1 (%d+)")), said:match("\r\n\r\n(.*)$"), said
  end

  local function own() return "http://localhost:" .. port end

  local function page(more)
    local headers = { Origin = own(), ["Sec-Fetch-Site"] = "same-origin", ["Content-Type"] = "application/json",
      ["X-Fogcloud-Sandbox-Key"] = key }
    for name, value in pairs(more or {}) do headers[name] = value or nil end
    return headers
  end

  it("answers to its own names only", function()
    for _, host in ipairs {
      "localhost", "LOCALHOST:" .. port, "127.0.0.1:" .. port, "127.1.2.3", "[::1]:80", "x.cloud.test", "localhost:1",
    } do
      assert.equal(200, (ask("GET", "/_sandbox/info", { Host = host })), host)
    end
    for _, host in ipairs {
      "evil.example", "evil.example:" .. port, "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]",
      "cloud.test", "a.b.cloud.test", "localhost@evil.example", "localhost:x", "evil.example:80:" .. port, "-", "",
    } do
      for _, path in ipairs { "/_sandbox/info", "/", "/nowhere", "/v3/open_api/product/ids/" } do
        local status, body, all = ask("GET", path, { Host = host })
        assert.equal(421, status, host .. path)
        assert.is_string(cjson.decode(body).error)
        assert.matches("X%-Fogcloud%-Sandbox: 1", all)
        assert.is_nil(all:find("secret", 1, true))
      end
      assert.equal(421, (ask("POST", TOKEN, { Host = host }, "grant_type=client_credentials")), host)
    end
    assert.equal(0, sandbox:count { endpoint = "token" }) -- none of them came in
  end)

  it("answers no page of another origin", function()
    for _, foreign in ipairs {
      { Origin = "http://evil.example" }, { Origin = "null" }, { Origin = "http://localhost" }, { Origin = "" },
      { Origin = "https://localhost:" .. port }, { Origin = "http://127.0.0.1:" .. port }, -- not the Host it asked
      { Origin = "http://localhost:" .. port .. ".evil.example" }, { ["Sec-Fetch-Site"] = "cross-site" },
      { ["Sec-Fetch-Site"] = "same-site" }, { Origin = own(), ["Sec-Fetch-Site"] = "cross-site" },
      { ["Sec-Fetch-Site"] = "cross-site", ["Sec-Fetch-Mode"] = "navigate", ["Sec-Fetch-Dest"] = "iframe" },
    } do
      foreign["Content-Type"], foreign["X-Fogcloud-Sandbox-Key"] = "application/json", key
      for _, call in ipairs {
        { "GET", "/_sandbox/info" }, { "POST", "/_sandbox/reset", "{}" }, { "POST", "/_sandbox/seed", "{}" },
        { "DELETE", "/_sandbox/journal" }, { "OPTIONS", "/_sandbox/reset" }, { "GET", "/" },
        { "POST", TOKEN, '{"grant_type":"client_credentials"}' },
      } do
        local status, _, all = ask(call[1], call[2], foreign, call[3])
        assert.equal(403, status, call[2] .. " for " .. tostring(foreign.Origin))
        assert.is_nil(all:lower():find("access-control", 1, true))
      end
    end
    local visit = { ["Sec-Fetch-Site"] = "cross-site", ["Sec-Fetch-Mode"] = "navigate", ["Sec-Fetch-Dest"] = "document" }
    assert.equal(403, (ask("GET", "/_sandbox/info", visit)))
    assert.is_true(ask("GET", "/", visit) ~= 403) -- whoever follows a link to the console may see it
  end)

  it("lets its own page change something with its key only, and as JSON only", function()
    for _, call in ipairs { { "POST", "/_sandbox/clock", "{}" }, { "DELETE", "/_sandbox/faults" } } do
      assert.equal(200, (ask(call[1], call[2], page(), call[3])))
      for _, wrong in ipairs { false, "", key:sub(2), key .. "0", ("0"):rep(#key), key:upper() .. "X" } do
        local status, body = ask(call[1], call[2], page { ["X-Fogcloud-Sandbox-Key"] = wrong }, call[3])
        assert.equal(403, status)
        assert.matches("key", cjson.decode(body).error)
      end
      for _, media in ipairs { false, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/jsonx", "text/plain; application/json" } do
        assert.equal(415, (ask(call[1], call[2], page { ["Content-Type"] = media }, call[3])), tostring(media))
      end
    end
    assert.equal(200, (ask("GET", "/_sandbox/info", page { ["X-Fogcloud-Sandbox-Key"] = false })))
    assert.equal(403, (ask("POST", TOKEN, page { ["X-Fogcloud-Sandbox-Key"] = false }, "{}"))) -- the API's calls, too
    assert.equal(400, (ask("POST", TOKEN, page(), "{}")))
  end)

  it("takes from programs what they sent before", function()
    for _, media in ipairs { "application/json", "Application/JSON; charset=utf-8", "application/x-www-form-urlencoded", false } do
      assert.equal(200, (ask("POST", "/_sandbox/clock", { ["Content-Type"] = media or nil }, "{}")), tostring(media))
    end
    assert.equal(415, (ask("POST", "/_sandbox/clock", { ["Content-Type"] = "text/plain" }, "{}")))
    assert.equal(200, (ask("DELETE", "/_sandbox/journal", {})))
  end)

  it("tells its key to whoever started it alone, another one each time", function()
    local _, info = ask("GET", "/_sandbox/info", {})
    assert.is_nil(info:find(key, 1, true))
    assert.equal(32, #key)
    local other = support.start()
    finally(function() other:stop() end)
    assert.is_true(other.console ~= nil and other.console:match("key=(%x+)") ~= key)
  end)

  it("says its process id", function()
    local _, info = ask("GET", "/_sandbox/info", {})
    assert.equal(sandbox.pid, cjson.decode(info).pid)
  end)

  it("refuses a device that calls itself as a client is called", function()
    local client = support.client(sandbox, support.cloud(sandbox), { "dev1" })
    local function publish(id, login, password)
      return select(2, support.shell(("mosquitto_pub -h 127.0.0.1 -p %d -q 1 -i '%s' -u %s -P '%s' -t %s/dev1/x -m x"):format(
        sandbox.mqtt_port, id, login, password, login == "dev1" and "d2c" or "c2d")))
    end
    assert.equal(0, publish(client.clientid, client.loginname, client.password))
    assert.is_true(publish(client.clientid, "dev1", "dev1-secret") ~= 0)
    assert.equal(0, publish("dev1", "dev1", "dev1-secret"))
    assert.equal(0, publish(client.clientid .. "x", "dev1", "dev1-secret"))
  end)
end)

-- Opens so many connections, says half of a request on each (or nothing), prints a line and holds them until its input ends.
local STALLER = [[
import resource, socket, sys
port, count, said = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard)) # some may have been inherited
held = []
for i in range(count):
    held.append(socket.create_connection(("127.0.0.1", port)))
    held[-1].sendall(said)
print("holding", flush=True)
sys.stdin.read()
]]

describe("two thousand stalled connections", function()
  local folder, sandbox

  before_each(function()
    folder = support.shell("mktemp -d"):match("%S+")
    local file = assert(io.open(folder .. "/staller.py", "w"))
    file:write(STALLER)
    file:close()
  end)
  after_each(function()
    support.shell("rm -rf " .. folder)
    sandbox:stop()
  end)

  local function stall(at, said, check)
    local pipe = io.popen(("python3 %s/staller.py %d %d '%s' >%s/said 2>&1"):format(folder, at, 2100, said, folder), "w")
    local deadline = socket.gettime() + 60
    local function text()
      local file = io.open(folder .. "/said")
      local found = file and file:read("*a") or ""
      if file then file:close() end
      return found
    end
    repeat socket.sleep(0.02) until text() ~= "" or socket.gettime() > deadline
    local ok, why = pcall(function()
      assert.equal("holding\n", text())
      check()
    end)
    pipe:close()
    assert(ok, why)
  end

  it("of HTTP do not lock others out", function()
    sandbox = support.start()
    for _, said in ipairs { "", "GET /_sandbox/info HTTP/1.1" } do
      stall(tonumber(sandbox.url:match("%d+$")), said, function()
        for _ = 1, 3 do assert.equal(2, #assert(support.cloud(sandbox):products())) end
      end)
    end
  end)

  it("do not where the system gives few descriptors, either", function()
    sandbox = support.start()
    local command = [[ulimit -n 300; timeout 50 %s bin/fogcloud sandbox exec -- sh -c '
      port=${FOGCLOUD_BASE_URL##*:}
      for i in 1 2 3; do mkfifo %s/in$i; python3 %s/staller.py $port 150 "" <%s/in$i >%s/said$i & done
      exec 3>%s/in1 4>%s/in2 5>%s/in3
      for i in 1 2 3; do until [ -s %s/said$i ]; do sleep 0.02; done; done
      curl -s -m 10 -o /dev/null -w "%%{http_code}" $FOGCLOUD_BASE_URL/_sandbox/info']]
    local said, code = support.shell(command:gsub("%%s", folder):gsub(folder, script.interpreter(), 1):gsub("%%%%", "%%"))
    assert.same({ "200", 0 }, { said, code })
  end)

  it("of MQTT neither, with the relay and without", function()
    for _, faults in ipairs { true, false } do
      sandbox = support.start { mqtt_faults = faults }
      stall(sandbox.mqtt_port, "", function()
        local said, status = support.shell(("mosquitto_pub -h 127.0.0.1 -p %d -q 1 -u dev1 -P dev1-secret -t d2c/dev1/x -m x"):format(
          sandbox.mqtt_port))
        assert.equal(0, status, said)
      end)
      if faults then sandbox:stop() end
    end
  end)
end)
