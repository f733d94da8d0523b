-- SPDX-License-Identifier: MIT

-- What a host with a loop of its own refuses, and says.
local looped = require "fogcloud.host.looped"
local script = require "spec.support.script"
local socket = require "socket"
local support = require "spec.support.sandbox"

local function refusal(host, code)
  local text = script.run(([[
    local fogcloud = require("fogcloud").use %q
    print(select(2, pcall(function() %s end)))]]):format(host, code), "lua5.4")
  return text
end

describe("a host with a loop of its own", function()
  for _, host in ipairs { "cqueues", "luv" } do
    it("is the one to run it: " .. host, function()
      assert.matches("fogcloud.run: the host '" .. host .. "' has a loop of its own", refusal(host, "fogcloud.run()"), 1, true)
      assert.matches("fogcloud.step: the host '" .. host .. "' has a loop of its own", refusal(host, "fogcloud.step(0)"), 1, true)
    end)

    it("says where it cannot wait: " .. host, function()
      assert.matches(host .. " cannot wait here: make the call in fogcloud.spawn", refusal(host, "fogcloud.sleep(0)"), 1, true)
    end)
  end

  it("cannot be chosen once another is in use", function()
    assert.matches("fogcloud.use must come before", refusal("luv", "fogcloud.info() fogcloud.use 'cqueues'"), 1, true)
  end)

  it("is one that there is", function()
    assert.matches("name: no host 'nginx'", refusal("nginx", ""), 1, true)
    assert.matches("name: no host 'init'", refusal("init", ""), 1, true)
  end)

  it("is a Copas that can wait", function()
    local old = [[package.loaded.copas = { _VERSION = "Copas 1.2.0" }
      print(select(2, pcall(require("fogcloud").use, "copas")))]]
    assert.matches("this Copas (Copas 1.2.0) is too old: 4 is needed", script.run(old, "lua5.4"), 1, true)
  end)

  it("says that a task needs a controller of cqueues", function()
    assert.matches("no cqueues controller runs", refusal("cqueues", "fogcloud.spawn(print)"), 1, true)
  end)

  it("lets handlers work for a while before the loop has a turn", function()
    local on_readable, parked = nil, 0
    local host = looped.new("fake", {
      inside = function() return true end,
      watch = function(_, fn) on_readable = fn end,
      park = function(waiter, seconds)
        parked = parked + 1
        if seconds then waiter:signal() end
      end,
      unpark = function() end,
    })
    host.attach {
      engine = { background = function() end, fd = function() end, wake = function() end },
      collect = function() end, idle = function() return false end,
    }
    host.sleep(0) -- something waits, and so it watches
    for _ = 1, 3 do
      socket.sleep(0.006) -- longer than handlers may work
      on_readable()
      parked = 0
      host.pause()
      if parked == 0 then break end
    end
    assert.equal(0, parked)
    socket.sleep(0.006)
    host.pause()
    assert.equal(1, parked)
  end)

  it("is served in a second controller of cqueues after the first was given up with a session open", function()
    local sandbox = support.start()
    local text, code = script.run(([[
      local cqueues = require "cqueues"
      local fogcloud = require("fogcloud").use "cqueues"
      local sandbox = assert(require("fogcloud.sandbox").attach(%q))
      local cloud, first, session = fogcloud.new(sandbox:options()), cqueues.new(), nil
      first:wrap(function() session = assert(cloud:open { app_id = sandbox.app_id, devices = { "dev1" } }) end)
      while session == nil do assert(first:step(1)) end
      local function ask(name)
        local loop, count = cqueues.new(), nil
        loop:wrap(function() count = #assert(cloud:products { timeout = 5 }) end)
        while count == nil do assert(loop:step(1)) end
        print(name, count)
      end
      ask "beside"
      first = nil
      collectgarbage()
      collectgarbage()
      ask "after"
      os.exit(0)]]):format(sandbox.url))
    sandbox:stop()
    assert.same({ "beside\t2\nafter\t2\n", 0 }, { text, code })
  end)

  it("lets a program end with a session open", function()
    local sandbox = support.start()
    local text, code = script.run(([[
      local uv = require "luv"
      local fogcloud = require("fogcloud").use "luv"
      fogcloud.spawn(function()
        local sandbox = assert(require("fogcloud.sandbox").attach(%q))
        local cloud = fogcloud.new(sandbox:options())
        session = assert(cloud:open { app_id = sandbox.app_id, devices = { "dev1" } })
        assert(session:subscribe("d2c/dev1/n", 1, function() end))
        print "open"
        uv.stop()
      end)
      uv.run()]]):format(sandbox.url))
    sandbox:stop()
    assert.same({ "open\n", 0 }, { text, code })
  end)
end)
