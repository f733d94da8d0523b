-- SPDX-License-Identifier: MIT

-- The console in a real Chromium: console.cjs, each of its checks by its name. What it needs of npm is installed first.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local function names()
  local list = {}
  for line in io.lines "spec/sandbox/console.cjs" do list[#list + 1] = line:match "^checks%['(.*)'%]" end
  return list
end

describe("the console", function()
  local said

  setup(function()
    local text, status = support.shell "scripts/npm.sh"
    assert.equal(0, status, text)
    said = support.shell(("FOGCLOUD_COMMAND='%s bin/fogcloud' NODE_PATH=build/npm/node_modules timeout 400 "
      .. "node spec/sandbox/console.cjs"):format(script.interpreter()))
  end)

  assert(#names() >= 15)
  for _, name in ipairs(names()) do
    it(name, function()
      local line = ("\n" .. said):match("\n(n?o?t? ?ok " .. name:gsub("%p", "%%%0") .. "[^\n]*)")
      assert.equal("ok " .. name, line, said)
    end)
  end
end)
