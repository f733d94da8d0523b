-- SPDX-License-Identifier: MIT

-- Wrong use raises at the caller, with the option named; what is right is taken.
local options = require "fogcloud.mqtt.options"

describe("the options of a session", function()
  local function raises(text, given)
    local ok, err = pcall(options.check, given)
    assert.is_false(ok, text)
    assert.truthy(tostring(err):find(text, 1, true), ("%s, not %s"):format(err, text))
  end

  it("are checked for their range", function()
    local nan = 0 / 0
    for _, case in ipairs {
      { "keepalive", -1 }, { "keepalive", 100000 }, { "keepalive", 0.5 }, { "keepalive", nan }, { "timeout", -1 },
      { "connect_timeout", 4000 }, { "max_attempts", 0 }, { "backoff_base", -1 }, { "backoff_cap", -1 },
      { "stable_after", -1 }, { "out_count", 0 }, { "out_bytes", 0 }, { "in_count", 1.5 }, { "in_bytes", 1e13 },
      { "window", 0 }, { "window", 65536 }, { "max_handlers", 0 },
    } do
      raises(("session option '%s': a "):format(case[1]), { [case[1]] = case[2] })
    end
    raises("session option 'receive_maximum': a whole number from 1 to 65535", { version = "5.0", receive_maximum = 70000 })
    raises("session option 'session_expiry'", { version = "5.0", session_expiry = -1 })
    raises("session options: table expected", 5)
    options.check { keepalive = 0, max_attempts = math.huge, timeout = math.huge, backoff_base = 0.01, max_handlers = 1 }
    options.check { version = "5.0", receive_maximum = 65535, session_expiry = 4294967295 }
  end)

  it("are checked inside", function()
    raises("'will': qos: 0, 1 or 2", { will = { topic = "a", qos = 5 } })
    raises("'topics': unknown field 'from_devices'", { topics = { from_devices = "a/{device}" } })
    raises("'topics': from_device: a string expected", { topics = { from_device = 5 } })
    raises("'topics': to_device: may hold no wildcard", { topics = { to_device = "a/+" } })
    options.check { topics = { from_device = "a/{device}/{channel}", to_device = "b/{device}" } }
  end)

  it("come with credentials that a broker could take", function()
    local function refused(field, value)
      local credentials = { clientid = "c", loginname = "l", password = "\255", mqtthost = "h", mqttport = 1, sslport = 1 }
      options.check_credentials(credentials, {})
      credentials[field] = value
      local ok, err = pcall(options.check_credentials, credentials, {})
      assert.is_false(ok)
      assert.matches("credentials: field .*'" .. field .. "'", err)
    end
    refused("clientid", "a\255")
    refused("loginname", "\237\160\128")
    refused("mqtthost", "")
    refused("mqttport", 65536)
    refused("loginname", nil) -- with a password
    refused("password", ("x"):rep(65536))
    refused("clientid", ("c"):rep(65536))
    refused("clientid", "") -- with clean = false, which check_credentials is not told here
    options.check_credentials({ clientid = "", loginname = "", password = "", mqtthost = "h", mqttport = 1 },
      { tls = false, clean = true })
    options.check_credentials({ clientid = "c", mqtthost = "h", mqttport = 1 }, { tls = false })
  end)
end)
