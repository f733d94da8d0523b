-- SPDX-License-Identifier: MIT

-- The command line speaks Chinese where the locale says so: by a table that has all it says.
local Cli = require "spec.support.cli"
local refused = require "fogcloud.cli.refused"
local spoken = require "spec.support.spoken"
local support = require "spec.support.sandbox"
local table_of_words = require "fogcloud.cli.zh"
local words = require "fogcloud.cli.words"

local function marks(text)
  local list = {}
  for mark in text:gmatch "%%[%d.]*%a" do list[#list + 1] = mark end
  return list
end

describe("the words of the command line", function()
  for name, all in pairs { help = spoken.help(), ["what commands say"] = spoken.literals(), ["what is refused"] = refused.texts() } do
    it("have all of the " .. name .. " in Chinese", function()
      local missing = {}
      for text in pairs(all) do
        if table_of_words[text] == nil then missing[#missing + 1] = text end
      end
      table.sort(missing)
      assert.same({}, missing) -- add them to lua/fogcloud/cli/zh.lua
    end)
  end

  it("have the same marks in both languages, in one order", function()
    for english, chinese in pairs(table_of_words) do
      assert.same(marks(english), marks(chinese), english)
      assert.is_true(require("fogcloud.cli.text").is_utf8(chinese))
    end
  end)

  it("are chosen by LC_ALL, LC_MESSAGES, LANG, the first that is set", function()
    local function chosen(environment) return words.is_chinese(function(name) return environment[name] end) end
    for _, chinese in ipairs {
      { LANG = "zh_CN.UTF-8" }, { LC_ALL = "zh_TW.utf8", LANG = "de_DE.UTF-8" }, { LC_ALL = "", LC_MESSAGES = "zh_CN.UTF-8" },
    } do
      assert.is_true(chosen(chinese))
    end
    for _, other in ipairs {
      {}, { LANG = "C.UTF-8" }, { LANG = "zh_CN.GB18030" }, { LANG = "zh_CN" }, { LC_ALL = "C", LANG = "zh_CN.UTF-8" },
    } do
      assert.is_false(chosen(other))
    end
  end)
end)

describe("in a Chinese locale", function()
  local sandbox, cli, chinese
  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    chinese = "LC_ALL=zh_CN.UTF-8 " .. cli.environment
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  it("help, notes, complaints and checks are Chinese", function()
    assert.equal(0, select(2, cli:run "--quiet client create --name other"))
    assert.equal(0, select(2, cli:run "--quiet permission grant dev1"))
    for arguments, said in pairs {
      ["--help"] = "用法：fogcloud COMMAND", ["sub --help"] = "\n  %-t, %-%-topic TOPIC +另一个主题过滤器\n", ["help pub"] = "\n其他选项：\n",
      ["client list --profile nobody"] = "nobody", ["pub x"] = "fogcloud: 需要 MESSAGE", ["pub -t a -P x"] = "%-P: 参数里的密码",
      ["sub --psk x"] = "%-%-psk: 不支持共享密钥", ["watch dev1 --host x"] = "未知的选项 '%-%-host'；这个命令与本机",
      ["pub -h x -t a -n -D auth a b"] = "%-%-property: AUTH 交换", ["profile use nobody"] = "没有配置档 'nobody'",
      ["product list --nonsense"] = "未知的选项 '%-%-nonsense'；见 fogcloud product %-%-help", doctor = "API 令牌 +已取得",
      ["client create --name other"] = "本机已保存客户端 'other'", ["sub d2c/dev1/x -W 0.2"] = "正在监听 d2c/dev1/x；按 Ctrl%-C 结束",
    } do
      local out, _, err = cli:run(arguments, chinese)
      assert.truthy((out .. err):find(said), arguments .. ": " .. out .. err)
    end
  end)

  it("--json and the manual page stay as they are", function()
    local _, _, one = cli:run("--json profile use nobody", chinese)
    local _, _, other = cli:run "--json profile use nobody"
    assert.equal(other, one)
    assert.equal(support.shell "lua5.4 scripts/manual.lua", (support.shell "LC_ALL=zh_CN.UTF-8 lua5.4 scripts/manual.lua"))
  end)
end)
