-- SPDX-License-Identifier: MIT

local log = require "fogcloud.log"
local script = require "spec.support.script"

describe("the log", function()
  after_each(function() log.to(nil) end)

  it("hands level, message and fields to a function", function()
    local entries = {}
    local logger = log.new(function(...) entries[#entries + 1] = { ... } end)
    logger:write("info", "hello", { n = 1, on = true, err = setmetatable({}, { __tostring = function() return "E" end }) })
    assert.same({ { "info", "hello", { n = 1, on = true, err = "E" } } }, entries)
  end)

  it("cleans message and fields first", function()
    local seen
    local logger = log.new(function(_, message, fields) seen = message .. fields.a end, function(text)
      return (text:gsub("hush", "*"))
    end)
    logger:write("warn", "hush 1 ", { a = "hush 2" })
    assert.equal("* 1 * 2", seen)
  end)

  it("stops nothing when the function throws", function()
    log.new(function() error("mine") end):write("error", "x")
  end)

  it("goes to the common function when a logger has none of its own", function()
    local common, own = 0, 0
    log.to(function() common = common + 1 end)
    log.new():write("info", "x")
    log.new(function() own = own + 1 end):write("info", "x")
    assert.same({ 1, 1 }, { common, own })
    assert.has_error(function() log.to(5) end)
    assert.has_error(function() log.to("loud") end)
  end)

  it("writes lines of at least a level", function()
    local out = { text = "" }
    function out:write(...) self.text = self.text .. table.concat { ... } end
    local write = log.writer("warn", out)
    write("info", "no")
    write("warn", "yes", { b = 2, a = "x\r\ny\194\155z" })
    write("error", "too")
    assert.equal("fogcloud warn: yes a=x y z b=2\nfogcloud error: too\n", out.text)
  end)

  local CODE = [[
    local logger = require("fogcloud.log").new()
    for _, level in ipairs { "debug", "info", "warn", "error" } do logger:write(level, "m") end
  ]]

  it("is silent by default, and writes to stderr as FOGCLOUD_LOG says", function()
    local function run(value) return (script.run(CODE, ("env FOGCLOUD_LOG=%s %s"):format(value, script.interpreter()))) end
    assert.equal("", run(""))
    assert.equal("", run("nonsense"))
    assert.equal("fogcloud warn: m\nfogcloud error: m\n", run("warn"))
    assert.equal("fogcloud debug: m\n", run("debug"):match("^[^\n]*\n"))
  end)
end)

describe("fogcloud.log", function()
  it("hears every cloud that has no listener of its own", function()
    local virtual = require "spec.support.virtual"
    local entries = {}
    require("fogcloud").log(function(level, message) entries[#entries + 1] = level .. " " .. message end)
    finally(function() require("fogcloud").log(nil) end)
    local server = virtual.server(virtual.host())
    local cloud = virtual.cloud(server)
    server.down.products = true
    assert.is_nil((cloud:products()))
    assert.same({ "debug a token came", "debug products is repeated", "debug products is repeated",
      "debug products is repeated", "debug products failed" }, entries)
  end)
end)
