-- SPDX-License-Identifier: MIT

-- A program that is told to end while messages are there that no handler has had yet: they are handled first.
local Numbered = require "spec.support.numbered"
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

local LIFE = 30 -- half of it is what a session that is handed over has

describe("the end of a program handles what had come, by", function()
  local sandbox, cloud, device, got

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    sandbox:reset()
    cloud, device, got = support.cloud(sandbox), Numbered.device(sandbox, "dev1"), {}
  end)
  after_each(function() device:close() end)

  local function on_message(_, payload)
    fogcloud.sleep(0.01)
    got[#got + 1] = payload
  end

  -- Messages that are there, and of which no handler knows.
  local function send_unseen(session)
    local seen = #got
    device:send(5)
    while session:stats().inbox < 5 do os.execute "sleep 0.05" end
    assert.equal(seen, #got)
  end

  it("leader:finish", function()
    local leader = fogcloud.lead("spec", function()
      local session = assert(cloud:open {
        app_id = sandbox.app_id, devices = { "dev1" }, keep = true, session = { clean = false, paused = true },
      })
      assert(session:subscribe("d2c/dev1/n", 1, on_message))
      return session
    end, "memory", { life = LIFE })
    local session = assert(leader:await(20))
    send_unseen(session)
    assert.is_true(leader:finish(10))
    assert.same({ "1", "2", "3", "4", "5" }, got)
  end)

  it("fleet:finish", function()
    local fleet = fogcloud.fleet {
      cloud = cloud, app_id = sandbox.app_id, name = "spec", slots = 1, devices = { "dev1" }, life = LIFE,
      start = function(session) assert(session:subscribe("d2c/dev1/n", 1, on_message)) end,
    }
    support.serve_until(function() return fleet:session_of "dev1" end)
    local session = fleet:session_of "dev1"
    send_unseen(session)
    assert.is_true(fleet:finish(10))
    assert.same({ "1", "2", "3", "4", "5" }, got)
  end)
end)
