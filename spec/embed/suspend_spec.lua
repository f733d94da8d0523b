-- SPDX-License-Identifier: MIT

-- A process that the system stops, as a phone does with an app in the background, for longer than its keepalive.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

describe("a program that was suspended", function()
  local sandbox
  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  it("connects again by its frames, and gets what came meanwhile", function()
    local said, code = script.run(([[
      local core, fogcloud = require "fogcloud.core", require "fogcloud"
      local cloud = assert(fogcloud.new(require("fogcloud.sandbox").attach(%q):options()))
      local seen = {}
      local session = assert(cloud:open { app_id = %q, devices = { "dev1" }, session = { keepalive = 1, clean = false } })
      session:on("disconnect", function() seen[#seen + 1] = "disconnected" end)
      session:on("connect", function() seen[#seen + 1] = "connected" end)
      session:subscribe("d2c/dev1/n", 1, function(_, payload) seen[#seen + 1] = payload end)
      fogcloud.step(0)
      local pid = core.pid()
      os.execute(("(kill -STOP %%d; sleep 4; mosquitto_pub -h localhost -p %d -i device-dev1 -u dev1 -P dev1-secret "
        .. "-t d2c/dev1/n -m meanwhile -q 1; kill -CONT %%d) >/dev/null 2>&1 &"):format(pid, pid))
      local from = core.now()
      while core.now() < from + 25 and seen[#seen] ~= "meanwhile" do fogcloud.step(0.02, { events = 100, time = 0.002 }) end
      print(table.concat(seen, " "))
      session:close()]]):format(sandbox.url, sandbox.app_id, sandbox.mqtt_port))
    assert.equal(0, code, said)
    assert.matches("^connected disconnected connected meanwhile\n", said)
  end)
end)
