-- SPDX-License-Identifier: MIT

-- flush and finish wait for the bytes too: a message of QoS 0 that lies in this process when it ends would be lost.
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("flush, when the broker does not read,", function()
  local sandbox
  local here = world.new({ each = true, sandbox = { mqtt_faults = true } }, function(started) sandbox = started end)

  for _, tls in ipairs { false, true } do
    it("says so, and is content once it reads, with tls = " .. tostring(tls), function()
      local payload, sent, received = ("x"):rep(8000), 0, 0
      local session = here.connect { tls = tls, in_bytes = 2 ^ 30, out_bytes = 2 ^ 30 }
      local device = here.device "dev1"
      assert(device.session:subscribe("c2d/dev1/bulk", 0, function() received = received + 1 end))
      sandbox:fail_mqtt { rate = 1 }
      local ok, err
      repeat
        for _ = 1, 100 do assert(session:publish("c2d/dev1/bulk", payload)) end
        sent = sent + 100
        ok, err = session:flush(0.3)
      until not ok
      assert.equal("timeout", err.kind)
      sandbox:heal_mqtt()
      assert(session:finish(20))
      local stats = session:stats()
      assert.same({ sent, 0, 0 }, { stats.acknowledged, stats.failed, stats.dropped })
      support.serve_until(function() return received == sent end)
    end)
  end
end)
