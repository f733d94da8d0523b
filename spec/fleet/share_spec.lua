-- SPDX-License-Identifier: MIT

local share = require "fogcloud.fleet.share"

local function devices(count, prefix)
  local list = {}
  for i = 1, count do list[i] = (prefix or "device-") .. i end
  return list
end

describe("devices are shared out among slots", function()
  it("all of them, each to one, in their order", function()
    local list = devices(500)
    list[#list + 1] = list[1] -- twice is once
    local by_slot, owners = share.all(list, 7)
    local seen = 0
    for slot = 1, 7 do
      local last = 0
      for _, device in ipairs(by_slot[slot]) do
        local number = tonumber(device:match "%d+")
        assert.is_true(number > last)
        assert.equal(slot, owners[device])
        seen, last = seen + 1, number
      end
    end
    assert.equal(500, seen)
  end)

  it("the same on every Lua", function()
    assert.same({ 1, 3, 6, 31, 1 }, {
      share.slot_of("dev1", 16), share.slot_of("", 16), share.slot_of(("x"):rep(128), 16), share.slot_of("a0b1c2d3e4f5", 64),
      share.slot_of("whatever", 1),
    })
  end)

  it("evenly, whatever their ids look like", function()
    for _, slots in ipairs { 2, 3, 16, 64 } do
      for _, prefix in ipairs { "", "d", "C8:47:8C:00:00:", "\195\164" } do
        local by_slot = share.all(devices(200 * slots, prefix), slots)
        for slot = 1, slots do
          assert(#by_slot[slot] > 130 and #by_slot[slot] < 280, ("%d of %d slots: %d"):format(slot, slots, #by_slot[slot]))
        end
      end
    end
  end)

  it("so that few move when the slots change, and only to the new one, or from the one that is no more", function()
    local list = devices(5000)
    for _, slots in ipairs { 1, 4, 16, 63 } do
      local moved = 0
      for _, device in ipairs(list) do
        local before, after = share.slot_of(device, slots), share.slot_of(device, slots + 1)
        if before ~= after then
          assert.equal(slots + 1, after)
          moved = moved + 1
        end
      end
      local expected = #list / (slots + 1)
      assert.is_true(moved > 0.7 * expected and moved < 1.3 * expected)
    end
  end)

  it("with a pause now and then", function()
    local pauses = 0
    share.all(devices(3500), 2, function() pauses = pauses + 1 end)
    assert.equal(3, pauses)
  end)
end)

describe("the fair share of a member", function()
  it("is all slots together, and no two differ by more than one", function()
    for slots = 1, 20 do
      for count = 1, 25 do
        local sum, least, most = 0, math.huge, 0
        for place = 1, count do
          local target = share.target(slots, count, place)
          sum, least, most = sum + target, math.min(least, target), math.max(most, target)
        end
        assert.equal(slots, sum)
        assert.is_true(most - least <= 1)
      end
    end
  end)

  it("is nothing for one that is none", function()
    assert.equal(0, share.target(16, 2, 0))
    assert.equal(0, share.target(16, 0, 0))
  end)
end)
