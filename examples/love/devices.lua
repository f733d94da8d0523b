-- SPDX-License-Identifier: MIT

-- Two devices for the dashboard, at a sandbox: a lamp that obeys, and a meter whose reading wanders. Runs until it is
-- interrupted: lua examples/love/devices.lua, with what `fogcloud sandbox` printed in the environment.
local fogcloud = require "fogcloud"
local sandbox = assert(require("fogcloud.sandbox").attach())

fogcloud.spawn(function()
  local lamp, meter = assert(sandbox:device("dev1")), assert(sandbox:device("dev2"))
  local power, watts = "off", 40
  local function report() return lamp:report("status", { power = power, brightness = power == "on" and 80 or 0 }) end
  assert(lamp:on_command(function(command)
    power = command.power
    report()
  end))
  while true do
    watts = math.max(5, watts + math.random(-8, 8))
    report()
    meter:report("status", { watts = watts, volts = 230 + math.random(-2, 2) })
    fogcloud.sleep(0.5)
  end
end)
fogcloud.run()
