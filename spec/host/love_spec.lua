-- SPDX-License-Identifier: MIT

-- examples/love in a real LÖVE, played by spec/support/love.
local dashboard = require "spec.support.dashboard"
local support = require "spec.support.sandbox"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

describe("the dashboard in LÖVE", function()
  local sandbox, folder
  setup(function() sandbox = support.start { tls = true } end)
  teardown(function()
    sandbox:stop()
    os.execute("rm -rf " .. folder)
  end)

  it("shows live state, sends commands, and survives a restart", function()
    local status, said
    folder, status, said = dashboard.play(sandbox, 300) -- frames, with calls going on
    assert.equal(0, status, said)
    assert.equal("done", read(folder .. "/done"), said)
    for round = 1, 2 do
      assert.equal("\137PNG\r\n\26\n", read(("%s/%d.png"):format(folder, round)):sub(1, 8))
      -- The switch is drawn as the device answered: green for on.
      local power, red, green, blue = read(("%s/%d.switch"):format(folder, round)):match("^(%a+) (%S+) (%S+) (%S+)$")
      assert.equal(round == 1 and "on" or "off", power)
      if power == "on" then
        assert(tonumber(green) > 0.7 and tonumber(red) < 0.5, said)
      else
        assert(tonumber(green) < 0.5 and tonumber(blue) > tonumber(red), said)
      end
    end
    assert.equal(2, sandbox:count { endpoint = "create_client" }) -- a session for each round
    assert.is_true(sandbox:count { endpoint = "products" } > 20)
    local steps = {}
    for seconds in read(folder .. "/steps"):gmatch("%S+") do steps[#steps + 1] = tonumber(seconds) end
    assert.is_true(#steps >= 600)
    table.sort(steps)
    assert.is_true(steps[math.ceil(#steps / 2)] < 0.002, "half of the steps are within the budget of a frame") -- by far
  end)
end)
