-- SPDX-License-Identifier: MIT

-- What a host with a loop of its own refuses, and says.
local script = require "spec.support.script"
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
  end)

  it("is a Copas that can wait", function()
    local old = [[package.loaded.copas = { _VERSION = "Copas 1.2.0" }
      print(select(2, pcall(require("fogcloud").use, "copas")))]]
    assert.matches("this Copas (Copas 1.2.0) is too old: 4 is needed", script.run(old, "lua5.4"), 1, true)
  end)

  it("says that a task needs a controller of cqueues", function()
    assert.matches("no cqueues controller runs", refusal("cqueues", "fogcloud.spawn(print)"), 1, true)
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
