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

  it("sends numbers with all their digits", function()
    for value, text in pairs { [1701234567890123] = "1701234567890123", [2 ^ 53] = "9007199254740992", [-2 ^ 53] = "-9007199254740992",
      [0.1] = "0.1", [1 / 3] = "0.3333333333333333", [5] = "5", [1e300] = "1e+300" } do
      device:send("commands", { t = value })
      assert.equal(('{"t":%s}'):format(text), calls[#calls][2])
      device:send("commands", value)
      assert.equal(text, calls[#calls][2])
    end
    for _, wrong in ipairs { 0 / 0, 1 / 0, { 0 / 0 }, print, { [true] = 1 }, { [1] = 1, [1000] = 2 } } do
      assert.error_matches(function() device:send("commands", wrong) end, "^.*value: ")
    end
    local cyclic = {}
    cyclic[1] = cyclic
    assert.error_matches(function() device:send("commands", cyclic) end, "value: nested too deep")
  end)

  -- What fn gets for a payload.
  local function received(payload, opts)
    local got
    device:on("status", function(value) got = value end, opts)
    calls[#calls][3]("d2c/dev1/status", payload, {})
    return got
  end

  it("gives whole numbers as such", function()
    local value = received '{"level":5,"list":[1,-2,2.5],"big":9007199254740992}'
    assert.equal("5 1 -2 2.5", ("%s %s %s %s"):format(value.level, value.list[1], value.list[2], value.list[3]))
    assert.equal(2 ^ 53, value.big)
    assert.equal(math.type and "integer" or nil, math.type and math.type(value.level))
    assert.equal("7", tostring(received "7"))
  end)

  it("gives integers beyond 2^53 as it is told", function()
    local PAYLOAD = '{"a":1618065507111835497,"b":"1618065507111835497","c":-99999999999999999,"d":1.5,"e":9007199254740993}'
    local value = received(PAYLOAD, { big_integers = "text" })
    assert.same({ "1618065507111835497", "1618065507111835497", "-99999999999999999", 1.5, "9007199254740993" },
      { value.a, value.b, value.c, value.d, value.e })
    for _, opts in ipairs { { big_integers = "float" }, {} } do
      local n = received(PAYLOAD, opts).a
      assert.equal(1618065507111835497.0, n)
      if math.type then assert.equal("float", math.type(n)) end
    end
    assert.has_error(function() received("1", { big_integers = "string" }) end,
      "device option 'big_integers': 'float' or 'text' expected")
  end)

  it("is not touched by what a program sets in its cjson", function()
    local cjson = require "cjson"
    cjson.encode_number_precision(3)
    cjson.decode_max_depth(1)
    local ok, why = pcall(function()
      device:send("commands", { t = 123456 })
      assert.equal('{"t":123456}', calls[#calls][2])
      assert.equal(1, received('{"a":{"b":1}}').a.b)
    end)
    cjson.encode_number_precision(14)
    cjson.decode_max_depth(1000)
    assert(ok, why)
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
