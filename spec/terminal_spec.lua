-- SPDX-License-Identifier: MIT

-- core.terminal: what the command line has of the system.
local core = require "fogcloud.core"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

-- Runs Lua with `terminal` in a process of its own, `command` around it, in which %s is the interpreter and its script.
local function run(code, command)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write('local terminal = require("fogcloud.core").terminal io.stdout:setvbuf "no"\n', code)
  file:close()
  local said, status = support.shell(command:format(script.interpreter() .. " " .. path))
  os.remove(path)
  return said, status
end

describe("core.terminal", function()
  it("knows what a terminal is, and how wide", function()
    local code = "print(terminal.is_terminal(0), terminal.is_terminal(99), terminal.columns())"
    assert.equal("false\tfalse\tnil\n", (run(code, "%s </dev/null 2>&1 | cat")))
    assert.truthy((run(code, "script -qec 'stty cols 77; %s' /dev/null </dev/null")):find("true\tfalse\t77", 1, true))
  end)

  it("reads what is there, waits no longer than told, and sees the end", function()
    local code = [[
      local got = {}
      repeat
        local piece = terminal.read(0, 5)
        got[#got + 1] = piece
      until piece == nil
      print(table.concat(got))]]
    assert.equal("onetwo\n", (run(code, "(printf one; sleep 0.1; printf two) | timeout 20 %s")))
    assert.equal("true\n", (run("print(terminal.read(0, 0.05) == '')", "sleep 0.5 | %s")))
    assert.is_nil(core.terminal.read(2 ^ 30, 0)) -- no descriptor of anybody
  end)

  it("asks for a secret on a terminal only", function()
    assert.equal("nil\n", (run("print(terminal.read_secret 'Secret: ')", "setsid -w %s </dev/null")))
    assert.equal("Secret: \r\nnil\r\n", (run("print(terminal.read_secret 'Secret: ')",
      "timeout 20 python3 spec/support/typist.py 'Secret: ' $(printf '\\004') \"%s\"")))
  end)

  it("notes the first interrupt, and ends at the second", function()
    local code = [[
      terminal.catch_interrupts()
      print(terminal.interrupted())
      print(terminal.read(0, 10), terminal.interrupted())
      terminal.read(0, 10)
      print "never" ]]
    -- Each step waits for the line before it, and the first two signals are both there when either is delivered.
    local said, status = run(code, [[
      dir=$(mktemp -d); mkfifo $dir/in; : >$dir/out
      lines() { for _ in $(seq 2000); do [ "$(wc -l <$dir/out)" -ge $1 ] && break; sleep 0.01; done; }
      %s <>$dir/in >$dir/out & pid=$!; lines 1
      kill -STOP $pid; kill -INT $pid; kill -TERM $pid; kill -CONT $pid; lines 2; sleep 0.5; kill -TERM $pid
      wait $pid; status=$?; cat $dir/out; rm -r $dir; exit $status ]])
    assert.equal("false\n\ttrue\n", (said:gsub("Terminated[^\n]*\n?", "")))
    assert.equal(143, status)
  end)
end)
