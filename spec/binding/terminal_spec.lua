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
    local code = "print(terminal.is_terminal(0), terminal.is_terminal(99), terminal.size())"
    assert.equal("false\tfalse\tnil\n", (run(code, "%s </dev/null 2>&1 | cat")))
    local shown = run(code, "script -qec 'stty cols 77 rows 5; %s' /dev/null </dev/null")
    assert.truthy(shown:find("true\tfalse\t77\t5", 1, true), shown)
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

  -- What Unicode 16 made wide: glibc 2.41 has it so, Debian 13's Python not yet.
  local GROWN = { { 0x2630, 0x2637 }, { 0x268A, 0x268F }, { 0x4DC0, 0x4DFF }, { 0x1D300, 0x1D356 }, { 0x1D360, 0x1D376 } }
  local function has_grown(code)
    for _, range in ipairs(GROWN) do
      if code >= range[1] and code <= range[2] then return true end
    end
    return false
  end

  -- Of Unicode's data as Python has it: what is wide, what joins the character before it, and plain letters.
  it("knows how wide characters are", function()
    local listed, status = support.shell([[python3 -c '
import unicodedata as u
print(u.unidata_version)
for code in range(0xA0, 0x40000):
  c = chr(code)
  category = u.category(c)
  if category in ("Cn", "Cs", "Co", "Cc", "Cf") or 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF: continue
  width = 0 if category in ("Mn", "Me") else 2 if u.east_asian_width(c) in "WF" else 1
  print("%x %d" % (code, width), c.encode().hex())']])
    assert.equal(0, status, listed)
    local count, other = 0, {}
    for code, width, hex in listed:gmatch("(%x+) (%d) (%x+)\n") do
      local character = hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
      count = count + 1
      local found = core.terminal.width(character)
      if found ~= tonumber(width) and not (found == 2 and has_grown(tonumber(code, 16))) then other[#other + 1] = code .. " " .. width end
    end
    assert.truthy(count > 100000)
    -- The C library and Python may be of different versions of Unicode.
    assert.truthy(#other < 40, table.concat(other, ", "))
    local known = {
      ["⌚"] = 2, ["\240\159\128\132"] = 2, ["\240\159\136\145"] = 2, ["א\214\145"] = 1, ["a\255b"] = 3, [""] = 0,
    }
    for text, width in pairs(known) do
      assert.equal(width, core.terminal.width(text), text)
    end
  end)

  it("asks no longer when it is interrupted, and leaves the echo as it was", function()
    local code = [[
      terminal.catch_interrupts()
      print(terminal.read_secret "Secret: ", terminal.interrupted(), terminal.read_secret "Again: ")]]
    local said = run(code, "timeout 20 python3 spec/support/typist.py 'Secret: ' $(printf '\\003') 'trap : INT; %s; stty -a'")
    assert.truthy(said:find("nil\ttrue\tnil", 1, true), said)
    assert.truthy(said:find(" echo ", 1, true) and said:find("susp = ^Z", 1, true), said)
  end)

  it("takes a secret as it is, up to 1024 bytes", function()
    local code = "local secret, why = terminal.read_secret 'Secret: ' print(secret and #secret, why)"
    local typed = "timeout 20 python3 spec/support/typist.py 'Secret: ' $(head -c %d /dev/zero | tr '\\0' x) \"%%s\""
    assert.truthy((run(code, typed:format(1024))):find("1024\tnil", 1, true))
    assert.truthy((run(code, typed:format(1025))):find("nil\tit is longer than 1024 bytes", 1, true))
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
