-- SPDX-License-Identifier: MIT

local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

describe("a sandbox with persistence", function()
  local sandbox, cloud

  setup(function()
    sandbox = support.start { persistence = true }
    cloud = support.cloud(sandbox)
  end)
  teardown(function() sandbox:stop() end)

  -- A session that the broker keeps, and left; and a message for it.
  local function leave_a_message(payload)
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local session = assert(fogcloud.connect(credentials, { ca_file = sandbox.ca_file, clean = false }))
    assert(session:subscribe("d2c/dev1/n", 1, function() end))
    assert(session:finish(10))
    local device = sandbox:device "dev1"
    assert(device.session:publish("d2c/dev1/n", payload, { qos = 1 }))
    assert(device.session:flush(10))
    device:close()
    return credentials
  end

  local function heard(credentials)
    local got, present
    local session = assert(fogcloud.connect(credentials, { ca_file = sandbox.ca_file, clean = false, paused = true }))
    session:on("connect", function(facts) present = facts.session_present end)
    assert(session:subscribe("d2c/dev1/n", 1, function(_, payload) got = payload end))
    session:resume()
    for _ = 1, 20 do fogcloud.step(0.02) end
    session:close()
    return got, present
  end

  it("has a broker that keeps sessions and messages while it is stopped", function()
    local credentials = leave_a_message "kept"
    sandbox:broker "stop"
    sandbox:broker "start"
    assert.equal("kept", (heard(credentials)))
  end)

  it("and forgets them at a reset", function()
    leave_a_message "forgotten"
    sandbox:broker "stop"
    sandbox:reset()
    cloud = support.cloud(sandbox)
    local credentials = leave_a_message "new"
    assert.equal("new", (heard(credentials)))
    assert.equal(1, #sandbox:state().clients)
  end)
end)
