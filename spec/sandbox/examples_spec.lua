-- SPDX-License-Identifier: MIT

-- The examples for other languages, as docs/sandbox.md says them: Debian's Python, and Node with packages of npm.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local EXEC = script.interpreter() .. " bin/fogcloud sandbox exec -- "
local FOLDER = "examples/testing/"

describe("an example for other languages", function()
  local function run(command) return support.shell("NODE_PATH=build/npm/node_modules timeout 60 " .. EXEC .. command) end

  local function lines_of(path)
    local n = 0
    for _ in io.lines(FOLDER .. path) do n = n + 1 end
    return n
  end

  it("tests by pytest", function()
    assert.is_true(lines_of "test_lamp.py" < 40)
    local said, code = run("/usr/bin/python3 -B -m pytest -q -p no:cacheprovider " .. FOLDER .. "test_lamp.py")
    assert.equal(0, code, said)
    assert.matches("1 passed", said)
  end)

  it("tests by Node's test runner", function()
    assert.equal(0, select(2, support.shell "scripts/npm.sh"))
    assert.is_true(lines_of "lamp.test.cjs" < 40)
    local said, code = run("node --test " .. FOLDER .. "lamp.test.cjs")
    assert.equal(0, code, said)
    assert.matches("pass 1", said)
  end)
end)
