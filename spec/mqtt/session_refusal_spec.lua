-- SPDX-License-Identifier: MIT

local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a session that is asked for too much", function()
  local sandbox, cloud
  local here = world.new({ devices = { "dev1", "dev2" } }, function(...) sandbox, cloud = ... end)
  local connect, keep = here.connect, here.keep

  describe("cannot be opened with", function()
    local function refused(change, opts, kind, text)
      local credentials = support.client(sandbox, cloud)
      for name, value in pairs(change) do credentials[name] = value end
      local session, err = keep(cloud:connect(credentials, opts))
      assert.is_nil(session)
      assert.equal(kind, err.kind, tostring(err))
      assert.matches(text, tostring(err))
      assert.is_nil(tostring(err):find(credentials.password, 1, true))
    end

    it("a wrong password", function() refused({ password = "wrong" }, {}, "auth", "login name, the password") end)
    it("a foreign client id", function() refused({ clientid = "other" }, {}, "auth", "client id") end)
    it("a wrong CA", function()
      refused({}, { ca_file = "spec/support/other_ca.pem" }, "tls", "not signed by a trusted authority")
    end)
    it("a certificate for another host, or one that has expired", function()
      for _, case in ipairs {
        { { cert_host = "broker.example" }, "the certificate is for another host name than mqtthost" },
        { { cert_days = -1 }, "the broker's certificate has expired" },
      } do
        local other = support.start(case[1])
        finally(function() other:stop() end)
        local credentials = support.client(other, support.cloud(other))
        local session, err = keep(support.cloud(other):connect(credentials))
        assert.is_nil(session)
        assert.same({ "tls", false }, { err.kind, err.retryable }, tostring(err))
        assert.matches(case[2], tostring(err))
        assert.is_nil(tostring(err):find("error:%x+")) -- none of OpenSSL's numbers
        other:stop()
      end
    end)
    it("a CA file that is not there", function() refused({}, { ca_file = "/nowhere.pem" }, "tls", "check ca_file") end)
    it("certificate files that are not what they should be", function()
      refused({}, { cert_file = "/nowhere.pem", key_file = "/nowhere.key" }, "tls", "check cert_file %(/nowhere.pem: No such")
      refused({}, { cert_file = sandbox.ca_file, key_file = "/nowhere.key" }, "tls", "check key_file")
      refused({}, { cert_file = sandbox.ca_file }, "tls", "the private key cannot be used")
      assert.error_matches(function() cloud:connect(support.client(sandbox, cloud), { ca_pem = "garbage" }) end,
        "'ca_pem': certificates as PEM expected")
    end)
    it("a TLS port for plain", function()
      refused({ mqttport = sandbox.tls_port }, { tls = false }, "network", "plain port %(mqttport%)")
    end)
    it("a plain port for TLS", function() refused({ sslport = sandbox.mqtt_port }, {}, "network", "sslport") end)
    it("a port that nobody listens on", function() refused({ sslport = 1 }, {}, "network", "is it running") end)
    it("a host that does not exist", function() refused({ mqtthost = "no.such.host.invalid" }, {}, "network", "no.such") end)
  end)

  it("asks for fresh credentials once after a refusal", function()
    local good = support.client(sandbox, cloud)
    local bad, asked = {}, 0
    for name, value in pairs(good) do bad[name] = value end
    bad.password = "revoked"
    local session = assert(keep(cloud:connect(bad, { credentials = function()
      asked = asked + 1
      return good
    end })))
    assert.equal(1, asked)
    assert.matches("up", tostring(session))
    local supplies = {
      function() return bad end, function() return nil, { kind = "auth" } end, function() error("boom") end,
      function() return { clientid = 5 } end,
    }
    for _, supply in ipairs(supplies) do
      local none, err = keep(cloud:connect(bad, { credentials = supply }))
      assert.is_nil(none)
      assert.equal("auth", err.kind)
    end
  end)

  it("raises on wrong use, with the argument named", function()
    local session = connect()
    local function raises(text, fn, ...)
      local ok, err = pcall(fn, ...)
      assert.is_false(ok)
      assert.matches(text, err)
    end
    raises("topic: .*wildcard", session.publish, session, "c2d/+/x", "p")
    raises("payload", session.publish, session, "c2d/x", 5)
    raises("unknown publish option 'qso'", session.publish, session, "c2d/x", "p", { qso = 1 })
    raises("qos", session.publish, session, "c2d/x", "p", { qos = 3 })
    raises("'retained': boolean expected", session.publish, session, "c2d/x", "p", { retained = "no" })
    raises("'wait': boolean expected", session.publish, session, "c2d/x", "p", { wait = 1 })
    raises("timeout: a number of seconds", session.publish, session, "c2d/x", "p", { timeout = -1 })
    raises("timeout: a number of seconds", session.flush, session, "x")
    raises("timeout: a number of seconds", session.finish, session, -1)
    raises("timeout: a number of seconds", session.subscribe, session, "a", 1, print, { timeout = -1 })
    raises("subscribe options: table expected", session.subscribe, session, "a", 1, print, 5)
    raises("unsubscribe options: table expected", session.unsubscribe, session, "a", 5)
    raises("unknown unsubscribe option 'timeot'", session.unsubscribe, session, "a", { timeot = 1 })
    raises("filter", session.subscribe, session, "a#", 1, print)
    raises("handler", session.subscribe, session, "a", 1)
    raises("unknown event", session.on, session, "message", print)
    for _, id in ipairs { "a/b", "+", "#", "" } do raises("device id", session.device, session, id) end
    raises("unknown session option 'tsl'", cloud.connect, cloud, session.credentials, { tsl = true })
    raises("boolean expected", cloud.connect, cloud, session.credentials, { tls = "no" })
    raises("field 'mqtthost'", cloud.connect, cloud, {})
    local HERE = "session_refusal_spec.lua:%d+: "
    raises(HERE .. "timeout", function() return (session:flush("x")) end)
    raises(HERE .. "unsubscribe", function() return (session:unsubscribe("a", 5)) end)
    raises(HERE .. "session option 'timeout'", function() return (cloud:connect(session.credentials, { timeout = -1 })) end)
    raises(HERE .. "session option 'will'", function()
      return (fogcloud.connect(session.credentials, { will = { topic = "a", qos = 7 } }))
    end)
  end)
end)
