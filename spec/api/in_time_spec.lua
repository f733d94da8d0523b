-- SPDX-License-Identifier: MIT

-- A reply that was there before the deadline counts, whatever kept Lua or the process from looking; and Ctrl-C ends a
-- call that waits, at once.
local RawServer = require "spec.support.raw_server"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

describe("a reply in time", function()
  local sandbox, cloud

  setup(function()
    sandbox = support.start()
    cloud = support.cloud(sandbox)
    assert(cloud:token())
  end)
  teardown(function() sandbox:stop() end)
  before_each(function() sandbox:heal() end)

  for _, how in ipairs { "run", "step" } do
    it("counts though another task was busy then, by " .. how, function()
      sandbox:fail { endpoint = "create_client", delay = 0.1 }
      local credentials, err
      local task = fogcloud.spawn(function() credentials, err = cloud:create_client(sandbox.app_id, { timeout = 0.5 }) end)
      fogcloud.spawn(function()
        fogcloud.sleep(0.05)
        local till = core.now() + 1
        while core.now() < till do end -- luacheck: ignore 542
      end)
      if how == "run" then fogcloud.run() else support.serve_until(function() return task.done end) end
      assert(credentials, err)
    end)
  end

  for _, thread in ipairs { "", "fogcloud.step(0)" } do -- inline, and with the requests in a thread of their own
    it("counts though the process was stopped then" .. (thread == "" and "" or ", thread and all"), function()
      sandbox:fail { endpoint = "create_client", delay = 0.3 }
      local o = sandbox:options()
      local text = script.run(([[
        local fogcloud, core = require "fogcloud", require "fogcloud.core"
        local cloud = fogcloud.new { base_url = %q, client_id = %q, client_secret = %q }
        assert(cloud:token())
        %s
        os.execute(("(sleep 0.15; kill -STOP %%d; sleep 1; kill -CONT %%d) &"):format(core.pid(), core.pid()))
        local credentials, err = cloud:create_client(%q, { timeout = 0.6 })
        print(credentials and "created" or err)
        os.exit(0)
      ]]):format(o.base_url, o.client_id, o.client_secret, thread, sandbox.app_id))
      assert.matches("created", text)
    end)
  end

  it("and only that: what comes later is a time-out", function()
    sandbox:fail { endpoint = "products", delay = 1 }
    local before = core.now()
    local list, err = cloud:products { timeout = 0.3 }
    assert.is_nil(list)
    assert.equal("timeout", err.kind)
    assert.is_true(core.now() - before < 0.9)
  end)
end)

describe("Ctrl-C", function()
  local server

  setup(function() server = RawServer.start() end)
  teardown(function() server:stop() end)

  local WAITS = {
    ["a call"] = "cloud:products()",
    ["a bulk call"] = 'cloud:grant_all("c1", { "dev1", "dev2", "dev3" })',
    ["a task's end"] = "assert(fogcloud.spawn(function() return cloud:products() end):wait())",
    ["run"] = "fogcloud.spawn(function() cloud:products() end) fogcloud.run()",
    ["a call in a task"] = "fogcloud.spawn(function() cloud:token() end) while true do fogcloud.step(10) end",
    ["sleep"] = "fogcloud.sleep(9)",
  }

  for what, code in pairs(WAITS) do
    it("ends " .. what .. " soon, and all goes on", function()
      local text = script.run(([[
        local fogcloud, core = require "fogcloud", require "fogcloud.core"
        local cloud = fogcloud.new { base_url = %q, client_id = "i", client_secret = "s", timeout = 9, attempt_timeout = 9 }
        os.execute(("(sleep 0.4; kill -INT %%d) &"):format(core.pid()))
        local began = core.now()
        local ok, why = pcall(function() %s end)
        print("ended", not ok and tostring(why):find("interrupted!", 1, true) ~= nil, core.now() - began < 3)
        print("goes on", pcall(fogcloud.step, 0))
        began = core.now()
        fogcloud.sleep(0.2)
        print("sleeps", core.now() - began >= 0.2)
        os.exit(0)
      ]]):format(server:url "slow", code))
      assert.matches("ended%s+true%s+true\n", text)
      assert.matches("goes on%s+true\n", text)
      assert.matches("sleeps%s+true\n", text)
    end)
  end

  it("in a task that computes is raised to who serves it, and is no error of the task's", function()
    local text = script.run [[
      local fogcloud, core = require "fogcloud", require "fogcloud.core"
      local ticks = 0
      fogcloud.spawn(function()
        fogcloud.sleep(0.1)
        os.execute(("(sleep 0.2; kill -INT %d) &"):format(core.pid()))
        local till = core.now() + 0.6
        while core.now() < till do end
        fogcloud.sleep(0.1)
      end)
      fogcloud.spawn(function() for i = 1, 5 do fogcloud.sleep(0.1) ticks = ticks + 1 end end)
      local ok, why = pcall(fogcloud.run)
      print("raised", not ok and tostring(why):find("interrupted!", 1, true) ~= nil)
      print("again", (pcall(fogcloud.run)))
      print("ticks", ticks)
      os.exit(0)
    ]]
    assert.matches("raised%s+true\n", text)
    assert.matches("again%s+true\n", text)
    assert.matches("ticks%s+5\n", text)
    assert.is_nil(text:find("error in a task", 1, true), text)
  end)
end)
