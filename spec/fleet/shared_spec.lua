-- SPDX-License-Identifier: MIT

-- What docs/guide-fleet.md says of mosquitto and a shared subscription, of which a fleet makes no use for that reason.
local Numbered = require "spec.support.numbered"
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

describe("a shared subscription at mosquitto", function()
  local sandbox, cloud, device

  setup(function()
    sandbox = support.start()
    cloud, device = support.cloud(sandbox), Numbered.device(sandbox, "dev1")
  end)
  teardown(function()
    device:close()
    sandbox:stop()
  end)

  it("goes on queueing its share for a member that is away, and gives it to nobody else", function()
    local got = { {}, {} }
    local function member(i)
      local session = assert(cloud:open {
        app_id = sandbox.app_id, devices = { "dev1" }, keep = "member " .. i, session = { clean = false, paused = true },
      })
      assert(session:subscribe("$share/group/d2c/dev1/n", 1, function(_, number) table.insert(got[i], tonumber(number)) end))
      session:resume()
      return session
    end
    local one, two = member(1), member(2)
    assert(one:finish(10))
    device:send(10)
    support.serve_until(function() return #got[2] == 5 end)
    fogcloud.sleep(0.5) -- nothing more comes
    assert.same({ 0, 5 }, { #got[1], #got[2] })
    one = member(1)
    support.serve_until(function() return #got[1] == 5 end)
    one:close()
    two:close()
  end)
end)
