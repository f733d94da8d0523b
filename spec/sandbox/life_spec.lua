-- SPDX-License-Identifier: MIT

-- Starting and ending: options, addresses, ports that are taken, a broker that dies, and what a handle knows.
local fogcloud = require "fogcloud"
local sandboxes = require "fogcloud.sandbox"
local script = require "spec.support.script"
local socket = require "socket"
local support = require "spec.support.sandbox"

-- Processes of ours but for the shell that lists them.
local function children() return (support.shell("ps -o comm= --ppid $PPID | grep -v sh")) end

describe("a sandbox", function()
  local sandbox
  after_each(function()
    if sandbox then sandbox:stop() end
    sandbox = nil
  end)

  local function shell_of(command, ...) return support.shell(command:format(...)) end

  local function broker_pid() return shell_of("pgrep -P %d mosquitto", sandbox.pid):match("%d+") end

  it("refuses options before it makes anything", function()
    for _, wrong in ipairs {
      { sed = {} }, { token_life = 0.5 }, { token_life = -5 }, { port = 99999 }, { port = "1" }, { rng_seed = 1.5 },
      { cert_days = 1e9 }, { address = "localhost" }, { address = "1.2.3.256" }, { cert_host = "a,DNS:b" },
      { cert_host = ("x"):rep(65) }, { tls = "yes" }, { rng_seed = 0 / 0 },
    } do
      local ok, why = pcall(sandboxes.start, wrong)
      assert.is_false(ok)
      assert.is_truthy(why:find((next(wrong)), 1, true), why)
    end
  end)

  it("refuses them on the command line, without a traceback", function()
    for _, arguments in ipairs {
      "--port 99999", "--port x", "--rng-seed 1.5 --mqtt-faults", "--token-life=-5", "--address 1.2.3", "--cert-host a,b",
    } do
      local text, status = shell_of("%s bin/fogcloud sandbox %s </dev/null", script.interpreter(), arguments)
      assert.equal(2, status, text)
      assert.is_nil(text:find("traceback", 1, true), text)
    end
  end)

  it("leaves nothing when it cannot be used", function()
    local before = children()
    assert.has_error(function() sandboxes.start { faults = { { codde = 1 } } } end)
    assert.has_error(function() sandboxes.start { tls = true, cert_days = -1 } end)
    assert.equal(before, children())
  end)

  it("listens at another address", function()
    for _, tls in ipairs { false, true } do
      sandbox = support.start { address = "127.0.0.2", tls = tls, mqtt_faults = tls }
      assert.matches(tls and "^https://127.0.0.2:" or "^http://127.0.0.2:", sandbox.url)
      assert.is_true(select(2, sandbox:health()))
      local cloud = support.cloud(sandbox)
      local client = support.client(sandbox, cloud, { "dev1" })
      assert.equal("127.0.0.2", client.mqtthost)
      local session = assert(cloud:connect(client)) -- over TLS, by the address
      session:close()
      fogcloud.run()
      local said, status = shell_of("mosquitto_pub -h 127.0.0.2 -p %d --cafile %s -u dev1 -P dev1-secret -q 1 -t d2c/dev1/x -m x",
        sandbox.tls_port, sandbox.ca_file)
      assert.equal(0, status, said)
      assert.is_nil(socket.connect("127.0.0.1", sandbox.tls_port))
      sandbox:stop()
    end
    local ok, why = pcall(support.start, { address = "192.0.2.1" }) -- nobody's
    assert.is_false(ok)
    assert.matches("192.0.2.1: ", why)
  end)

  it("does not take another's broker for its own", function()
    sandbox = support.start()
    for _, name in ipairs { "mqtt_port", "tls_port" } do
      local ok, why = pcall(support.start, { [name] = sandbox[name] })
      assert.is_false(ok)
      assert.is_truthy(why:find(("somebody listens at 127.0.0.1:%d already"):format(sandbox[name]), 1, true), why)
    end
    local port = tonumber(sandbox.url:match(":(%d+)$"))
    local ok, why = pcall(support.start, { port = port })
    assert.is_false(ok)
    assert.is_truthy(why:find(("cannot listen at 127.0.0.1:%d"):format(port), 1, true), why)
  end)

  it("sees that its broker has died, and starts another one", function()
    sandbox = support.start()
    local function kill_it()
      support.shell("kill -9 " .. broker_pid())
      support.serve_until(function() return not select(2, sandbox:health()) end) -- a signal takes its time
      assert.is_false(sandbox:health().broker)
    end
    local function starts(call)
      kill_it()
      call()
      assert.is_true(select(2, sandbox:health()))
      assert.is_truthy(broker_pid())
    end
    starts(function() sandbox:broker "start" end)
    starts(function() sandbox:reset() end)
    -- Somebody takes its port meanwhile.
    kill_it()
    local thief = assert(socket.bind("127.0.0.1", sandbox.mqtt_port))
    assert.has_error(function() sandbox:broker "start" end)
    assert.is_false(select(2, sandbox:health()))
    thief:close()
    sandbox:broker "start"
    assert.is_true(select(2, sandbox:health()))
  end)

  it("is reset with its broker: nothing is retained, no session goes on", function()
    sandbox = support.start()
    local client = support.client(sandbox, support.cloud(sandbox), { "dev1" })
    local session = assert(fogcloud.connect(client, { tls = false, max_attempts = 1 }))
    local lost = false
    session:on("disconnect", function() lost = true end)
    local retain = "mosquitto_pub -h localhost -p %d -u dev1 -P dev1-secret -q 1 -r -t d2c/dev1/x -m retained"
    assert.equal(0, select(2, shell_of(retain, sandbox.mqtt_port)))
    local function retained()
      local other = support.client(sandbox, support.cloud(sandbox), { "dev1" })
      return (shell_of("mosquitto_sub -h localhost -p %d -i %s -u %s -P '%s' -t d2c/dev1/# -W 1", sandbox.mqtt_port,
        other.clientid, other.loginname, other.password)):find("retained", 1, true) ~= nil
    end
    assert.is_true(retained())
    sandbox:reset()
    assert.is_false(retained())
    support.serve_until(function() return lost end)
    session:close()
    fogcloud.run()
  end)

  it("is refused when it is none", function()
    local path = os.tmpname()
    local pid = support.shell(([[timeout 60 %s -e '
      local server = require("socket").bind("127.0.0.1", 0)
      local file = io.open("%s", "w")
      file:write(select(2, server:getsockname()), "\n")
      file:close()
      local peer = server:accept()
      repeat until peer:receive("*l") == ""
      peer:send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
      peer:close()' >/dev/null 2>&1 & echo $!]]):format(script.interpreter(), path)):match("%d+")
    finally(function()
      support.shell("kill " .. pid)
      os.remove(path)
    end)
    local found
    support.serve_until(function()
      local file = io.open(path)
      found = file:read("*a"):match("(%d+)\n")
      file:close()
      return found ~= nil
    end)
    local ok, why = pcall(sandboxes.attach, "http://127.0.0.1:" .. found)
    assert.is_false(ok)
    assert.matches("is not a sandbox", why)
  end)

  it("is attached to by the way that the caller knows", function()
    sandbox = support.start()
    local url = sandbox.url:gsub("127.0.0.1", "localhost") .. "/"
    local handle = sandboxes.attach(url, "spec/support/other_ca.pem")
    assert.same({ url, "spec/support/other_ca.pem" }, { handle.url, handle.ca_file })
    assert.is_true(select(2, handle:health()))
  end)
end)

describe("a sandbox's device", function()
  local sandbox
  after_each(function() sandbox:stop() end)

  it("is of any account, of the seed or added", function()
    sandbox = support.start { seed = { accounts = {
      { client_id = "a", client_secret = "x" },
      { client_id = "b", client_secret = "x", devices = { { id = "second", password = "x" } } },
    } } }
    sandbox:add { accounts = { { client_id = "c", client_secret = "x", devices = { { id = "third", password = "y" } } } } }
    for _, id in ipairs { "second", "third" } do
      local device = assert(sandbox:device(id))
      assert(device:report("status", { on = true }))
      device:close()
    end
    assert.has_error(function() sandbox:device "fourth" end)
    sandbox:reset()
    assert.equal(1, #sandboxes.attach(sandbox.url).devices)
  end)

  it("is connected whatever the certificate is for", function()
    sandbox = support.start { client_certificates = true, cert_host = "elsewhere.example" }
    local device = assert(sandbox:device "dev1")
    assert(device:report("status", "on"))
    device:close()
  end)

  it("has as many handles as are wanted, and commands of any value", function()
    sandbox = support.start()
    local one, two = assert(sandbox:device "dev1"), assert(sandbox:device "dev1")
    assert.is_true(one.clientid ~= two.clientid)
    local got, lost = {}, 0
    for _, device in ipairs { one, two } do
      device.session:on("disconnect", function() lost = lost + 1 end)
      assert(device:on_command(function(value, channel, payload)
        got[#got + 1] = { tostring(value), channel, payload }
      end))
    end
    local client = support.client(sandbox, support.cloud(sandbox), { "dev1" })
    local session = assert(support.cloud(sandbox):connect(client))
    assert(session:device("dev1"):send("cmd", false))
    assert(session:publish("c2d/dev1/cmd", "no JSON", { qos = 1 }))
    assert(session:flush())
    support.serve_until(function() return #got >= 4 end)
    table.sort(got, function(a, b) return a[1] < b[1] end)
    assert.same({ { "false", "cmd", "false" }, { "false", "cmd", "false" }, { "nil", "cmd", "no JSON" },
      { "nil", "cmd", "no JSON" } }, got)
    assert.equal(0, lost) -- neither throws the other out
    for _, each in ipairs { one, two, session } do each:close() end
    fogcloud.run()
  end)
end)
