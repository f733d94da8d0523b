-- SPDX-License-Identifier: MIT

-- The demonstration of examples/fleet in its short form: workers are killed and stopped, a machine is cut off, Redis is
-- killed, the broker restarted, while messages come. On three machines where network namespaces can be made, and on one.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

describe("examples/fleet", function()
  local function run(machines)
    local command = "FLEET_LUA=%s timeout 150 %s examples/fleet/run.lua --messages 600 --devices 20 --life 2 --machines %d"
    local text, code = support.shell(command:format(script.interpreter(), script.interpreter(), machines))
    assert.equal(0, code, text)
    assert.matches("sent 600, handled 600, missing 0, handled twice %d+, out of order 0", text)
    assert.matches("token requests: 1\n", text)
    local events = 0
    for what, taken in text:gmatch "\n([^\n]-) +(%d+) slots taken" do
      assert.is_true(tonumber(taken) > 0 or what == "the broker is restarted", text) -- whose sessions go on
      events = events + 1
    end
    assert.equal(5, events, text)
    return text
  end

  it("loses nothing on machines that are cut off", function()
    local text = run(3)
    local namespaces = select(2, support.shell "ip netns add fogprobe && ip netns del fogprobe") == 0
    assert.matches(namespaces and "3 machines" or "one machine", text)
    assert.equal("", (support.shell "ip netns list 2>/dev/null | grep fogfleet"))
  end)

  it("loses nothing on one machine", function() assert.matches("one machine", run(1)) end)
end)
