-- SPDX-License-Identifier: MIT

-- The command line on this Lua: each command helps, and a bit of everything works. In full: spec/cli.
local Cli = require "spec.support.cli"
local commands = require "fogcloud.cli"
local support = require "spec.support.sandbox"

describe("fogcloud, the program,", function()
  local sandbox, cli
  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  it("has every command", function()
    local _, found = commands.parser()
    for _, name in ipairs(commands.COMMANDS) do
      assert.truthy(found[name], name)
      assert.equal("string", type(found[name].summary))
      assert.equal("function", type(found[name].options))
    end
  end)

  it("makes a client, grants, publishes and lists", function()
    for _, arguments in ipairs { "client create", "permission grant dev1", "pub -q 1 --device dev1 commands on", "client list" } do
      local out, code, said = cli:run(arguments)
      assert.equal(0, code, arguments .. ": " .. said .. out)
    end
    assert.equal("PRODUCT     NAME\nprod-lamp   Lamp\nprod-meter  电表\n", (cli:run "product list"))
  end)

  it("knows how wide text is, and what is text", function()
    local text = require "fogcloud.cli.text"
    assert.same({ 4, 4, 1, 2, 3 }, { text.width "abcd", text.width "电表", text.width "e\204\129", text.width "😀", text.width "a\255b" })
    assert.equal("电…", text.fit("电表计", 4))
    assert.equal("电表  ", text.pad("电表", 6))
    assert.equal("a?[31m?b\n", text.harmless "a\27[31m\194\155b\n")
    for _, good in ipairs { "", "abc", "电表", "😀", "\237\159\191", "\244\143\191\191" } do assert.is_true(text.is_utf8(good), good) end
    for _, bad in ipairs { "\255", "\192\128", "\224\159\191", "\237\160\128", "\244\144\128\128", "\230\156", "a\128" } do
      assert.is_false(text.is_utf8(bad), text.hex(bad))
    end
  end)
end)
