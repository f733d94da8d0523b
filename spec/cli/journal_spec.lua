-- SPDX-License-Identifier: MIT

local Cli = require "spec.support.cli"
local journals = require "spec.support.journal"
local support = require "spec.support.sandbox"

describe("fogcloud journal", function()
  local cli, path

  setup(function()
    local home = support.shell("mktemp -d"):match "%S+"
    cli = setmetatable({
      home = home, environment = "HOME=" .. home, program = require("spec.support.script").interpreter() .. " bin/fogcloud",
    }, Cli)
  end)
  teardown(function()
    cli:close()
    journals.clean()
  end)
  before_each(function() path = journals.make(5) end)

  it("lists what is in it", function()
    local out, code, said = cli:run("journal " .. path)
    assert.equal(0, code, said)
    local lines = {}
    for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line:gsub(" +", " ") end
    assert.same({
      "NUMBER STATE QOS BYTES PUBLISHED EXPIRES TOPIC WHY",
      "1 sent 1 9 2023-11-14T22:13:21Z c2d/dev1/commands ",
      "2 released 2 9 2023-11-14T22:13:22Z c2d/dev1/commands ",
      "3 set aside 1 9 2023-11-14T22:13:23Z c2d/dev1/commands payload format invalid (0x99)",
      "4 queued 2 9 2023-11-14T22:13:24Z 2023-11-14T22:14:24Z c2d/dev1/commands ",
      "5 queued 1 2 2023-11-14T22:13:25Z c2d/dev1/commands ",
    }, lines)
    assert.equal("4 wait, 1 are set aside.\n", said)
    out, code, said = cli:run("journal --limit 2 --payloads " .. path)
    assert.equal(0, code)
    assert.matches("payload 2\n$", out)
    assert.matches("3 more are not shown", said)
  end)

  it("speaks JSON with its keys in one order", function()
    local out, code = cli:run("journal --json --payloads " .. path)
    assert.equal(0, code)
    local lines = {}
    for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(5, #lines)
    assert.equal('{"number":1,"state":"sent","topic":"c2d/dev1/commands","payload":"payload 1","qos":1,"retained":false,'
      .. '"published":"2023-11-14T22:13:21Z","packet_id":11,"size":9}', lines[1])
    assert.equal('{"number":3,"state":"set aside","topic":"c2d/dev1/commands","payload":"payload 3","qos":1,'
      .. '"retained":false,"published":"2023-11-14T22:13:23Z","reason":153,"size":9,"why":"payload format invalid"}', lines[3])
    assert.truthy(lines[5]:find('"payload_hex":"ff35"', 1, true), lines[5])
    assert.is_nil((cli:run("journal --json " .. path)):find('"payload":', 1, true))
  end)

  it("removes and sends again by number", function()
    local out, code = cli:run("journal --remove 1 --remove 5 --resend 3 " .. path)
    assert.same({ "1 is removed\n5 is removed\n3 is queued again as 6\n", 0 }, { out, code })
    out, code = cli:run("journal --json --remove 2 " .. path)
    assert.same({ '{"action":"remove","number":2}\n', 0 }, { out, code })
    out = cli:run("journal --quiet " .. path)
    assert.same({ "4", "6" }, { out:match("^(%d+) .-\n(%d+)") })
    local _, failed, said = cli:run("journal --remove 2 " .. path)
    assert.equal(1, failed)
    assert.matches("has no message 2", said)
    cli:run("journal --remove 4 --remove 6 " .. path)
    out, code, said = cli:run("journal " .. path)
    assert.same({ "", 0, "Nothing waits in it.\n" }, { out, code, said })
  end)

  it("fails where there is no journal, and makes none", function()
    for _, wrong in ipairs { path .. ".absent", "/etc/passwd", "/tmp" } do
      local out, code, said = cli:run("journal " .. wrong)
      assert.same({ "", 1 }, { out, code })
      assert.truthy(said:find(wrong, 1, true), said)
    end
    assert.is_nil(io.open(path .. ".absent"))
    assert.equal(2, select(2, cli:run("journal --remove x " .. path)))
  end)
end)
