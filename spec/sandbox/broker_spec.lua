-- SPDX-License-Identifier: MIT

-- The sandbox's broker seen through mosquitto_pub and mosquitto_sub, and the life of a sandbox.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

describe("the sandbox's broker, by mosquitto's clients", function()
  local sandbox, client

  setup(function()
    sandbox = support.start()
    client = support.client(sandbox, support.cloud(sandbox), { "dev1" })
  end)
  teardown(function() sandbox:stop() end)

  local function login(who)
    if who == "client" then
      return ("-i %s -u %s -P '%s'"):format(client.clientid, client.loginname, client.password)
    end
    return ("-i device-%s -u %s -P %s-secret"):format(who, who, who)
  end

  local function tls() return ("-h localhost -p %d --cafile %s"):format(sandbox.tls_port, sandbox.ca_file) end

  local function plain() return ("-h 127.0.0.1 -p %d"):format(sandbox.mqtt_port) end

  -- A retained message, so that who comes later sees whether it may.
  local function publish(who, where, topic, text)
    return select(2, support.shell(("mosquitto_pub %s %s -q 1 -r -t '%s' -m '%s'"):format(where, login(who), topic, text)))
  end

  local function first_message(who, where, topic)
    local text, status = support.shell(("mosquitto_sub %s %s -t '%s' -C 1 -W 3"):format(where, login(who), topic))
    if status ~= 0 or text:find("denied", 1, true) then return nil end
    return text:match("^(.-)\n?$")
  end

  it("serves them over TLS and plain", function()
    for i, where in ipairs { tls(), plain() } do
      assert.equal(0, publish("dev1", where, "d2c/dev1/status", "hello" .. i))
      assert.equal("hello" .. i, first_message("client", where, "d2c/+/status"))
    end
  end)

  it("refuses wrong passwords, foreign client ids, unknown names, and no name", function()
    for _, args in ipairs {
      "-i x -u dev1 -P wrong", "-u nobody -P x", "",
      ("-i other -u %s -P '%s'"):format(client.loginname, client.password),
    } do
      local _, status = support.shell(("mosquitto_pub %s %s -t d2c/dev1/status -m x"):format(plain(), args))
      assert.is_true(status ~= 0, args)
    end
  end)

  it("lets a device write for itself only and read its commands only", function()
    publish("dev2", plain(), "d2c/dev1/forged", "forged")
    assert.is_nil(first_message("client", plain(), "d2c/dev1/forged"))
    assert.equal(0, publish("client", plain(), "c2d/dev1/commands", "do it"))
    assert.equal("do it", first_message("dev1", plain(), "c2d/dev1/#"))
    assert.is_nil(first_message("dev2", plain(), "c2d/dev1/#"))
    assert.is_nil(first_message("dev2", plain(), "d2c/+/status"))
  end)

  it("lets a client write to and read from its devices only", function()
    publish("client", plain(), "c2d/dev2/commands", "not allowed")
    assert.is_nil(first_message("dev2", plain(), "c2d/dev2/#"))
    publish("dev2", plain(), "d2c/dev2/status", "private")
    assert.is_nil(first_message("client", plain(), "d2c/dev2/status"))
    publish("client", plain(), "other/topic", "x")
    assert.is_nil(first_message("client", plain(), "other/topic"))
  end)

  it("shows its certificate only to those who trust its CA", function()
    local _, status = support.shell(("mosquitto_pub -h localhost -p %d --cafile spec/support/other_ca.pem %s -t d2c/dev1/x -m x")
      :format(sandbox.tls_port, login "dev1"))
    assert.is_true(status ~= 0)
  end)

  it("comes back on its ports after a stop and a kill", function()
    for _, action in ipairs { "stop", "kill" } do
      sandbox:broker(action)
      local health, all = sandbox:health()
      assert.same({ false, false }, { health.broker, all })
      sandbox:broker "start"
      assert.is_true(select(2, sandbox:health()))
      assert.equal(0, publish("dev1", tls(), "d2c/dev1/status", action))
    end
  end)
end)

describe("a sandbox", function()
  local function alive(pid) return select(2, support.shell(("kill -0 %d"):format(pid))) == 0 end

  local function broker_runs(folder)
    return (support.shell("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"):find("mosquitto -c " .. folder, 1, true)) ~= nil
  end

  it("never collides with another", function()
    local first, second = support.start(), support.start()
    finally(function()
      first:stop()
      second:stop()
    end)
    assert.is_true(first.url ~= second.url and first.tls_port ~= second.tls_port and first.mqtt_port ~= second.mqtt_port)
    assert(support.cloud(first):create_client(first.app_id))
    assert.same({}, second:state().clients)
  end)

  it("leaves nothing when it is stopped", function()
    local sandbox = support.start()
    local folder = sandbox.ca_file:match("^(.*)/")
    local pid = sandbox.pid
    assert.is_true(broker_runs(folder))
    sandbox:stop()
    sandbox:stop()
    assert.is_false(alive(pid))
    assert.is_nil(io.open(folder .. "/ca.pem"))
    assert.is_false(broker_runs(folder))
  end)

  it("leaves nothing when its parent is killed", function()
    local output = script.run [[
      local sandbox = require("spec.support.sandbox").start()
      print(sandbox.pid, sandbox.ca_file)
      io.stdout:flush()
      os.execute("kill -9 $PPID")
    ]]
    local pid, folder = output:match("(%d+)%s+(%S+)/ca.pem")
    for _ = 1, 200 do
      if not alive(pid) and io.open(folder .. "/ca.pem") == nil then break end
      support.shell("sleep 0.05")
    end
    assert.is_false(alive(pid))
    assert.is_nil(io.open(folder .. "/ca.pem"))
    assert.is_false(broker_runs(folder))
  end)

  it("resets to its seed", function()
    local sandbox = support.start()
    finally(function() sandbox:stop() end)
    local cloud = support.cloud(sandbox)
    support.client(sandbox, cloud, { "dev1" })
    sandbox:fail { code = 10050, count = 0 }
    sandbox:advance(1e6)
    sandbox:broker "kill"
    sandbox:reset()
    assert.same({}, sandbox:state().clients)
    assert.equal(0, sandbox:count())
    assert.is_true(select(2, sandbox:health()))
    assert(support.cloud(sandbox):products())
  end)

  it("freezes and moves its clock", function()
    local sandbox = support.start { token_life = 60 }
    finally(function() sandbox:stop() end)
    local cloud = support.cloud(sandbox)
    sandbox:freeze()
    assert(cloud:products())
    sandbox:advance(59)
    assert(cloud:products())
    assert.equal(0, sandbox:count { code = 10100 })
    sandbox:advance(1)
    assert(cloud:products())
    assert.equal(1, sandbox:count { code = 10100 })
  end)

  it("runs from the command line and prints what to export", function()
    local folder = support.shell("mktemp -d"):match("%S+")
    finally(function() support.shell("rm -rf " .. folder) end)
    local lua = script.interpreter()
    local text = support.shell(([[
      mkfifo %s/in; %s bin/fogcloud sandbox --until-eof < %s/in > %s/out & exec 3> %s/in
      while ! grep -q APP_ID %s/out; do sleep 0.02; done
      . %s/out; curl -sS -d grant_type=client_credentials -d client_id=$FOGCLOUD_CLIENT_ID \
        -d client_secret=$FOGCLOUD_CLIENT_SECRET $FOGCLOUD_BASE_URL/v3/open_api/token/
      exec 3>&-; wait; ls $FOGCLOUD_CA_FILE]]):format(folder, lua, folder, folder, folder, folder, folder))
    assert.matches("token info", text)
    assert.matches("No such file", text)
  end)
end)

describe("a sandbox that was killed", function()
  it("leaves a folder, and the next one takes it away", function()
    local killed = support.start()
    local folder = killed.ca_file:match("^(.*)/")
    os.execute(("kill -9 %d"):format(killed.pid))
    killed:stop()
    local function is_there() return select(2, support.shell("test -d " .. folder)) == 0 end
    assert.is_true(is_there())
    local alive = support.start()
    local next_one = support.start()
    assert.is_false(is_there())
    assert.is_true(select(2, alive:health())) -- nobody took its folder
    alive:stop()
    next_one:stop()
  end)
end)
