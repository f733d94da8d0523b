-- SPDX-License-Identifier: MIT

-- QoS 2 towards us: delivered when it comes, and its id kept until its PUBREL, by the session and not by the link.
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

describe("messages of QoS 2", function()
  local sandbox, cloud
  setup(function()
    sandbox = support.start()
    cloud = support.cloud(sandbox)
  end)
  teardown(function() sandbox:stop() end)

  -- A subscriber that counts what its handler sees; `device` publishes to it.
  local function start(version, more)
    local options = { tls = false, clean = false, paused = true, version = version }
    for name, value in pairs(more or {}) do options[name] = value end
    local run = { seen = {}, distinct = 0, twice = 0, credentials = support.client(sandbox, cloud, { "dev1" }) }
    run.device = sandbox:device("dev1")
    local function handler(_, payload)
      if run.seen[payload] then run.twice = run.twice + 1 else run.distinct = run.distinct + 1 end
      run.seen[payload] = true
      if run.pause then fogcloud.sleep(run.pause) end
    end
    function run.open()
      run.session = assert(cloud:connect(run.credentials, options))
      assert(run.session:subscribe("d2c/dev1/n", 2, handler))
      run.session:resume()
    end
    function run.publish(first, last, size)
      for i = first, last do
        assert(run.device.session:publish("d2c/dev1/n", ("%d "):format(i) .. ("x"):rep(size or 0), { qos = 2 }))
      end
    end
    function run.stop()
      support.assert_identity(run.device.session)
      run.session:close()
      run.device:close()
      fogcloud.run()
    end
    run.open()
    return run
  end

  for _, version in ipairs { "3.1.1", "5.0" } do
    it("are handled exactly once although Lua falls behind, over one link, " .. version, function()
      local left = 0
      local run = start(version, { in_count = 50, max_handlers = 1 })
      run.session:on("disconnect", function() left = left + 1 end)
      run.pause = 0.001
      run.publish(1, 400)
      support.serve_until(function() return run.distinct == 400 end, 60)
      assert.equal(0, left)
      assert.equal(0, run.twice)
      run.stop()
    end)

    it("are lost neither by finish nor by the next session, " .. version, function()
      local run = start(version)
      for round = 1, 6 do
        run.publish(round * 100 - 99, round * 100)
        for _ = 1, round do fogcloud.step(0.002) end
        local finished
        fogcloud.spawn(function() finished = assert(run.session:finish(20)) end) -- in a task, so that handlers run
        support.serve_until(function() return finished end)
        run.open()
      end
      support.serve_until(function() return run.distinct == 600 end, 60)
      run.stop()
    end)

    it("come whole and once when they are large, " .. version, function()
      local run = start(version)
      run.publish(1, 20, 3000)
      run.publish(21, 40, 40000)
      run.publish(41, 45, 200000)
      support.serve_until(function() return run.distinct == 45 end)
      assert.equal(0, run.twice)
      run.stop()
    end)
  end
end)
