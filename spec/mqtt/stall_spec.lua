-- SPDX-License-Identifier: MIT

-- Somebody else's dead resolver or broker never holds up Lua. How long calls take then is measured by `make bench`; here
-- it is shown that Lua goes on at all, and what becomes of another session meanwhile.
local fogcloud = require "fogcloud"
local names = require "spec.support.names"
local scripted_broker = require "spec.support.scripted_broker"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("Lua goes on", function()
  local sandbox, cloud
  local here = world.new({}, function(...) sandbox, cloud = ... end)

  it("while a name is looked up for four seconds; another session's messages wait and then all arrive", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local text, code = names.run(([[
      local fogcloud = require "fogcloud"
      local core = require "fogcloud.core"
      local good = { clientid = %q, loginname = %q, password = %q, mqtthost = "localhost", mqttport = %d, sslport = %d }
      local device = { clientid = "device-dev1", loginname = "dev1", password = "dev1-secret", mqtthost = "localhost",
        mqttport = good.mqttport, sslport = good.sslport }
      local session = assert(fogcloud.connect(good, { tls = false }))
      local listener = assert(fogcloud.connect(device, { tls = false }))
      local heard, in_order = 0, true
      assert(listener:subscribe("c2d/dev1/n", 1, function(_, payload)
        heard = heard + 1
        in_order = in_order and tonumber(payload) == heard
      end))
      local failed
      fogcloud.spawn(function()
        local bad = {}
        for k, v in pairs(good) do bad[k] = v end
        bad.mqtthost, bad.clientid = "broker.slow", "other"
        failed = select(2, fogcloud.connect(bad, { tls = false, timeout = 30 }))
      end)
      local since, turns, accepted = core.now(), 0, 0
      repeat
        if accepted < 500 and session:publish("c2d/dev1/n", tostring(accepted + 1), { qos = 1 }) then accepted = accepted + 1 end
        fogcloud.step(0.001)
        turns = turns + 1
      until failed or core.now() - since > 25
      local until_ = core.now() + 20
      while heard < accepted and core.now() < until_ do fogcloud.step(0.05) end
      print(failed and failed.kind, turns > 500, accepted, heard, in_order)
      session:close() listener:close() fogcloud.run()
    ]]):format(credentials.clientid, credentials.loginname, credentials.password, sandbox.mqtt_port, sandbox.tls_port))
    assert.equal(0, code, text)
    assert.matches("network%s+true%s+500%s+500%s+true", text)
  end)

  it("while the API's name is looked up: the call is given up, and the look-up left behind", function()
    local text = names.run [[
      local core = require "fogcloud.core"
      local cloud = require("fogcloud").new {
        base_url = "http://api.slow", allow_insecure_http = true, client_id = "i", client_secret = "s",
      }
      local since = core.now()
      local none, err = cloud:products { timeout = 0.3 }
      print(err.kind, core.now() - since)
    ]]
    local kind, seconds = text:match("^(%a+)%s+(%S+)")
    assert.equal("timeout", kind, text)
    assert.is_true(tonumber(seconds) < 2, text)
  end)

  it("while a broker accepts and says nothing; another session works #tells", function()
    local broker = scripted_broker.start("silent")
    finally(function() broker:stop() end)
    local err
    fogcloud.spawn(function()
      err = select(2, fogcloud.connect(broker:credentials(), { tls = false, connect_timeout = 2 }))
    end)
    local good = assert(cloud:connect(support.client(sandbox, cloud, { "dev1" }), { tls = false }))
    here.keep(good)
    assert(good:publish("c2d/dev1/n", "x", { qos = 1 }))
    assert.is_true(good:flush(10))
    assert.is_nil(err)
    support.serve_until(function() return err end)
    assert.equal("timeout", err.kind)
  end)

  it("while a broker reads nothing; publishing is bounded and counted, another session works", function()
    local broker = scripted_broker.start("deaf")
    finally(function() broker:stop() end)
    local session = assert(fogcloud.connect(broker:credentials(), { tls = false, keepalive = 0, out_count = 500 }))
    here.keep(session)
    local accepted, refused = 0, 0
    for _ = 1, 2000 do
      if session:publish("x", ("x"):rep(100000)) then accepted = accepted + 1 else refused = refused + 1 end
      support.assert_identity(session)
      fogcloud.step(0)
    end
    assert.is_true(refused > 0)
    local good = assert(cloud:connect(support.client(sandbox, cloud, { "dev1" }), { tls = false }))
    here.keep(good)
    assert(good:publish("c2d/dev1/n", "x", { qos = 1 }))
    assert.is_true(good:flush(10))
    assert.is_true(accepted >= 1)
  end)
end)
