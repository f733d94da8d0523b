-- SPDX-License-Identifier: MIT

local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

describe("the options of a fleet", function()
  local sandbox, cloud

  setup(function()
    sandbox = support.start()
    cloud = support.cloud(sandbox)
  end)
  teardown(function() sandbox:stop() end)

  local function options(more)
    local result = { cloud = cloud, app_id = "the-app", name = "spec", devices = { "dev1" }, start = function() end }
    for name, value in pairs(more) do result[name] = value ~= "none" and value or nil end
    return result
  end

  it("are checked, and what is wrong is said to the caller", function()
    for expected, more in pairs {
      ["'cloud' is missing"] = { cloud = "none" }, ["'name' is missing"] = { name = "none" },
      ["'devices' is missing"] = { devices = "none" }, ["'start' is missing"] = { start = "none" },
      ["'app_id' is missing"] = { app_id = "none" }, ["'name': letters"] = { name = "a b" }, ["'slots'"] = { slots = 0 },
      ["'slots': a whole number from 1 to 1024"] = { slots = 1025 }, ["a whole number"] = { slots = 1.5 },
      ["'life'"] = { life = 0.5 }, ["unknown fleet option 'slot'"] = { slot = 1 }, ["'start': function"] = { start = 1 },
      ["session option 'qos'"] = { session = { qos = 1 } }, ["session option 'window'"] = { session = { window = 0 } },
      ["option 'store'"] = { store = "nothing" }, ["'devices': table or function"] = { devices = "dev1" },
      ["'lease' and 'release'"] = { store = { get = print, set = print, delete = print, lock = print } },
      ["'join'"] = { store = { get = print, set = print, delete = print, lock = print, lease = print, release = print } },
    } do
      local ok, err = pcall(function() fogcloud.fleet(options(more)) end)
      assert.is_false(ok, expected)
      assert.matches(expected, err, 1, true)
      assert.matches("options_spec%.lua:%d+: ", err)
    end
  end)

  it("may be few: one worker in one Lua state, its sessions in memory", function()
    local heard = {}
    local fleet = fogcloud.fleet(options {
      slots = 2, life = 1, app_id = sandbox.app_id, start = function(session, slot)
        assert(session:subscribe("d2c/+/n", 1, function(topic, payload) heard[#heard + 1] = topic .. " " .. payload end))
        assert.is_true(slot.index <= 2 and slot.fence > 0 and #slot.devices <= 1 and #slot.clientid > 0)
      end,
    })
    support.serve_until(function() return #fleet:stats().held == 2 and fleet:session_of "dev1" ~= nil end)
    local device = sandbox:device "dev1"
    device.session:publish("d2c/dev1/n", "hello", { qos = 1 })
    support.serve_until(function() return #heard == 1 end)
    assert.same({ "d2c/dev1/n hello" }, heard)
    local stats = fleet:stats()
    assert.same({ 2, 1, 2, 1, 2, 0, 0, 0 }, {
      stats.slots, stats.members, stats.target, stats.devices, stats.taken, stats.handed_over, stats.lost, stats.failed,
    })
    assert.is_true(stats.held[1].slot == 1 and stats.held[1].up and stats.held[2].fence > 0)
    assert.same({ nil, nil }, { fleet:session_of "unknown" })
    device:close()
    assert(fleet:finish(10))
    assert(fleet:finish(10))
    assert.equal(0, #fleet:stats().held)
    assert.equal(2, fleet:stats().handed_over)
  end)

  it("may have a start that fails: it is tried again", function()
    local tries = 0
    local fleet = fogcloud.fleet(options {
      name = "spec2", slots = 1, life = 1, app_id = sandbox.app_id, start = function()
        tries = tries + 1
        if tries == 1 then error("not yet", 0) end
        if tries == 2 then return nil, "still not" end
      end,
      devices = function() return { "dev1" } end,
    })
    support.serve_until(function() return fleet:session_of "dev1" ~= nil end)
    assert.equal(3, tries)
    assert.equal(2, fleet:stats().failed)
    assert(fleet:finish(10))
  end)
end)
