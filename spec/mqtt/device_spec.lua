-- SPDX-License-Identifier: MIT

-- What a device hands to its session, and what it makes of messages.
local Device = require "fogcloud.mqtt.device"

describe("a device", function()
  local calls, device

  before_each(function()
    calls = {}
    local session = {
      subscribe = function(_, ...) calls[#calls + 1] = { ... } return 1 end,
      publish = function(_, ...) calls[#calls + 1] = { ... } return 7 end,
    }
    device = Device.new(session, "dev1")
  end)

  it("subscribes with the options that are the subscription's", function()
    assert.equal(1, device:on("status", print, { qos = 2, timeout = 5 }))
    local topic, qos, _, opts = (table.unpack or unpack)(calls[1])
    assert.same({ "d2c/dev1/status", 2, { timeout = 5 } }, { topic, qos, opts })
    device:on("status", print)
    assert.same({ 1, {} }, { calls[2][2], calls[2][4] })
  end)

  it("sends JSON with the options that are publish's", function()
    assert.equal(7, device:send("commands", { power = "on" }, { qos = 0, retained = true, wait = true, timeout = 3 }))
    assert.same({ "c2d/dev1/commands", '{"power":"on"}', { qos = 0, retained = true, wait = true, timeout = 3 } }, calls[1])
  end)

  it("refuses options that it does not know", function()
    assert.has_error(function() device:on("status", print, { qoss = 1 }) end, "unknown device option 'qoss'")
    assert.has_error(function() device:send("commands", 1, { retain = true }) end, "unknown device option 'retain'")
    assert.has_error(function() device:on("status", print, { timeout = "5" }) end,
      "device option 'timeout': number expected, got string")
    assert.has_error(function() device:send("commands", 1, { wait = 1 }) end,
      "device option 'wait': boolean expected, got number")
    assert.has_error(function() device:send("commands", 1, 5) end, "device options: table expected, got number")
    assert.equal(0, #calls)
  end)

  it("uses the session's topics", function()
    local other = Device.new(device.session, "d", { from_device = "up/{channel}/{device}", to_device = "down/{device}" })
    other:on("a", print)
    other:send("b", 1)
    assert.same({ "up/a/d", "down/d" }, { calls[1][1], calls[2][1] })
  end)
end)
