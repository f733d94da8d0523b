-- SPDX-License-Identifier: MIT

local topic = require "fogcloud.mqtt.topic"

local function accepts(check, cases)
  for _, text in ipairs(cases) do
    local ok, why = topic[check](text)
    assert.is_true(ok, ("%q refused: %s"):format(text, tostring(why)))
  end
end

local function refuses(check, cases)
  for _, text in ipairs(cases) do
    local ok, why = topic[check](text)
    assert.is_nil(ok, ("%q accepted"):format(tostring(text)))
    assert.is_string(why)
  end
end

describe("topic rules (MQTT 3.1.1, 4.7)", function()
  it("accept topics and refuse wildcards in them", function()
    accepts("valid_topic", { "a", "/", "a//b", "/a", "a/", "$SYS/x", "caf\195\169", "\229\186\134", ("x"):rep(65535) })
    refuses("valid_topic", { "", "a+", "#", "a/+/b", "a\0b", ("x"):rep(65536), "\255", 5, false, {} })
  end)

  it("accept filters with whole-level wildcards only", function()
    accepts("valid_filter", { "#", "+", "a/#", "a/+/b", "+/+", "/+", "/#", "a", "$SYS/#" })
    accepts("valid_filter", { "$share/g/a/+", "$share/g/#" })
    refuses("valid_filter", { "", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##", "a/+#" })
    refuses("valid_filter", { "$share/g", "$share/g/", "$share//a", "$share/g+/a" })
  end)

  it("refuse ill-formed UTF-8", function()
    refuses("valid_topic", {
      "\128", "\192\128", "\193\191", "\224\128\128", "\237\160\128", "\244\144\128\128", "\245\128\128\128",
      "a\195", "\226\130", "\240\159\152",
    })
    accepts("valid_topic", { "\194\128", "\224\160\128", "\237\159\191", "\238\128\128" })
    accepts("valid_topic", { "\240\144\128\128", "\244\143\191\191" })
  end)

  it("refuse device ids that could leave their level", function()
    accepts("valid_device_id", { "dev1", "a b", "d:1", "\229\186\134", ("x"):rep(128) })
    refuses("valid_device_id", { "", "a/b", "+", "#", "a+b", "a\nb", "a\0b", ("x"):rep(129), 7 })
  end)
end)
