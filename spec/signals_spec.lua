-- SPDX-License-Identifier: MIT

-- fogcloud.run { signals = true }: a program that is told to end can end well.
local script = require "spec.support.script"

describe("a program that runs with signals", function()
  local function told(how, code)
    return (script.run(([[
      local fogcloud, core = require "fogcloud", require "fogcloud.core"
      local ended
      fogcloud.spawn(function() fogcloud.sleep(30) end)
      os.execute("(sleep 0.2; kill -%s " .. core.pid() .. ") >/dev/null 2>&1 &") -- system() itself ignores SIGINT
      %s
    ]]):format(how, code)))
  end

  for _, name in ipairs { "TERM", "INT" } do
    it("is told of SIG" .. name .. ", and goes on", function()
      assert.equal("SIG" .. name .. " still here", told(name, [[
        local began = core.now()
        io.write(fogcloud.run { signals = true })
        fogcloud.spawn(function() ended = true end)
        fogcloud.step(0)
        io.write(ended and core.now() - began < 20 and " still here" or " gone")
      ]]))
    end)
  end

  it("is ended by them again afterwards", function()
    local _, status = script.run [[
      local fogcloud, core = require "fogcloud", require "fogcloud.core"
      fogcloud.run { signals = true }
      os.execute("kill -TERM " .. core.pid())
      fogcloud.sleep(5)
      os.exit(0)
    ]]
    assert.is_true(status ~= 0)
  end)

  it("says nothing where it ends by itself", function()
    assert.equal("nil", (script.run [[
      local fogcloud = require "fogcloud"
      fogcloud.spawn(function() fogcloud.sleep(0.01) end)
      io.write(tostring(fogcloud.run { signals = true }))
    ]]))
  end)

  it("has its options checked", function()
    local fogcloud = require "fogcloud"
    assert.has_error(function() fogcloud.run { signal = true } end, "unknown run option 'signal'")
  end)
end)
