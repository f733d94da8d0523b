-- SPDX-License-Identifier: MIT

-- A terminal is safe: whatever others send, its cursor, lines and direction of writing stay ours.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local json = require "fogcloud.cli.json"
local support = require "spec.support.sandbox"
local text = require "fogcloud.cli.text"

-- What steers a terminal: C0 controls, DEL, C1 controls in UTF-8 and as bytes, and the marks of U+061C, U+200E, U+200F,
-- U+2028 to U+202E, U+2066 to U+2069.
local STEERING = {}
for code = 0, 31 do STEERING[#STEERING + 1] = string.char(code) end
for code = 127, 159 do STEERING[#STEERING + 1] = string.char(code) end
for code = 128, 159 do STEERING[#STEERING + 1] = "\194" .. string.char(code) end
for _, mark in ipairs { "\216\156", "\226\128\142", "\226\128\143" } do STEERING[#STEERING + 1] = mark end
for last = 168, 174 do STEERING[#STEERING + 1] = "\226\128" .. string.char(last) end
for last = 166, 169 do STEERING[#STEERING + 1] = "\226\129" .. string.char(last) end

describe("foreign text", function()
  it("is one harmless line", function()
    for _, bad in ipairs(STEERING) do
      local shown = text.one_line("é电😀" .. bad .. "a")
      assert.is_nil(shown:find(bad .. "a", 1, true), text.hex(bad))
      assert.matches("^é电😀?[? ]+a$", shown)
    end
    assert.equal("a?b?c?", text.one_line "a\255b\237\160\128c\240\159")
    for _, good in ipairs { "", "abc ~", "é电表😀", "\194\160", "\226\128\167", "\226\128\175", "\239\191\189" } do
      assert.equal(good, text.one_line(good))
    end
  end)

  it("is JSON that means the same", function()
    for _, bad in ipairs(STEERING) do
      if text.is_utf8(bad) then
        local line = json.encode { payload = "a" .. bad .. "é电😀" }
        assert.is_nil(line:find(bad, 1, true), text.hex(bad))
        assert.same({ payload = "a" .. bad .. "é电😀" }, cjson.decode(line))
      end
    end
    assert.equal('{"message":"\\ufffd电\\ufffd"}', json.encode { message = "\155电\237\160\128" })
  end)
end)

describe("--json", function()
  it("has its keys in one order", function()
    local object = { payload = "x", zebra = 1, topic = "t", apple = { 2, { b = 1, a = 2 } }, time = 3, event = "e" }
    local line = '{"event":"e","time":3,"topic":"t","payload":"x","apple":[2,{"a":2,"b":1}],"zebra":1}'
    assert.equal(line, json.encode(object))
    for _ = 1, 20 do
      local other = {}
      for name, value in pairs(object) do other[name] = value end
      assert.equal(line, json.encode(other))
    end
    assert.same({ a = {}, b = cjson.null, c = "a/b" }, cjson.decode(json.encode { a = {}, b = cjson.null, c = "a/b" }))
  end)
end)

describe("on a terminal", function()
  local sandbox, cli
  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    assert.equal(0, select(2, cli:run "client create --name gateway"))
    assert.equal(0, select(2, cli:run "--quiet permission grant dev1"))
    local device = assert(sandbox:device "dev1")
    assert(device.session:publish("d2c/dev1/a", "E\27[2J\194\155H\nfogcloud: forged\r\226\128\174x", { qos = 1, retained = true }))
    assert(device.session:finish(5))
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  local function on_terminal(arguments)
    return support.shell(("timeout 20 script -qec \"%s\" /dev/null </dev/null"):format(cli:command(arguments)))
  end

  for _, arguments in ipairs {
    "sub d2c/dev1/a -C 1 -W 10", "sub -v d2c/dev1/a -C 1 -W 10", "sub --json d2c/dev1/a -C 1 -W 10", "watch dev1 -W 1.5",
  } do
    it(arguments .. " shows a payload, and steers nothing by it", function()
      local shown = on_terminal(arguments)
      assert.truthy(shown:find("forged", 1, true), shown)
      assert.is_nil(shown:find("\27[2J", 1, true), shown)
      assert.is_nil(shown:find("\194\155", 1, true), shown)
      assert.is_nil(shown:find("\226\128\174", 1, true), shown)
      assert.is_nil(shown:find("\n *fogcloud: forged"), shown)
      assert.is_nil(shown:find("\rx", 1, true), shown)
    end)
  end

  it("a format keeps the person's own colours", function()
    local shown = on_terminal "sub -F '\\033[92m%t' d2c/dev1/a -C 1 -W 10 --quiet"
    assert.truthy(shown:find("d2c/dev1/a", 1, true), shown)
  end)

  it("elsewhere bytes are as they came", function()
    assert.equal("E\27[2J\194\155H\nfogcloud: forged\r\226\128\174x\n", (cli:run "sub d2c/dev1/a -C 1 -W 10"))
  end)

  it("--resume follows no link, and takes a regular file only", function()
    local function at(name) return cli.home .. "/" .. name end
    support.shell(("echo precious >%s; ln -s %s %s; ln -s %s %s; ln -s %s %s; ln -s %s %s; mkfifo %s"):format(at "victim", at "victim",
      at "done.new", at "victim", at "link", at "nowhere", at "dangling", at "victim", at "locked.lock", at "fifo"))
    assert.equal(0, select(2, cli:run("permission grant dev1 --resume " .. at "done")))
    for _, name in ipairs { "link", "dangling", "fifo", "locked" } do
      local _, code, said = cli:run("permission grant dev1 --resume " .. at(name))
      assert.equal(2, code, name .. ": " .. said)
      assert.truthy(said:find("regular file", 1, true), said)
    end
    assert.equal("precious\n", (support.shell("cat " .. at "victim")))
    assert.equal("", (support.shell("cat " .. at "nowhere 2>/dev/null")))
    -- One that others may read is no secret's, and one that somebody else made is as good.
    support.shell(("cp %s %s; chmod 644 %s"):format(at "done", at "loose", at "loose"))
    local _, code, said = cli:run("permission grant dev1 --resume " .. at "loose")
    assert.equal(0, code, said)
    assert.matches("1 earlier", said)
  end)
end)
