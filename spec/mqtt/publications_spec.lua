-- SPDX-License-Identifier: MIT

-- Publishing into a queue that is full.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local scripted_broker = require "spec.support.scripted_broker"
local support = require "spec.support.sandbox"

describe("a full queue", function()
  local broker, session

  before_each(function() broker = scripted_broker.start "unthankful" end)
  after_each(function()
    session:close()
    fogcloud.run()
    broker:stop()
  end)

  local function connect(opts)
    opts.tls = false
    session = assert(fogcloud.connect(broker:credentials(), opts))
  end

  it("takes a message as soon as there is room, though one is never acknowledged", function()
    connect { out_count = 10 }
    for i = 1, 200 do assert(session:publish("a", tostring(i), { qos = 1, wait = true, timeout = 10 })) end
    assert.is_true(support.assert_identity(session).acknowledged >= 190)
    local ok, err = session:flush(0.1)
    assert.is_nil(ok)
    assert.equal("timeout", err.kind)
  end)

  it("has room for several that wait, of any size that it can hold", function()
    connect { out_bytes = 100000 }
    local ended = 0
    for i = 1, 20 do
      fogcloud.spawn(function()
        assert(session:publish("a", ("x"):rep(i % 2 == 0 and 60000 or 10), { qos = 1, wait = true, timeout = 20 }))
        ended = ended + 1
      end)
    end
    support.serve_until(function() return ended == 20 end)
    support.assert_identity(session)
  end)

  it("refuses for good what it could never hold", function()
    connect { out_bytes = 1000 }
    local since = core.now()
    for _, wait in ipairs { false, true } do
      local id, err = session:publish("a", ("x"):rep(2000), { qos = 1, wait = wait, timeout = 20 })
      assert.is_nil(id)
      assert.equal("overflow", err.kind)
      assert.matches("larger than the outbound queue takes", tostring(err))
    end
    assert.is_true(core.now() - since < 10)
    assert.equal(0, support.assert_identity(session).accepted)
  end)
end)
