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

  -- An error in a task, in a program whose Lua has what `prologue` leaves of it: what the sink heard, and whether step raised.
  local function task_error(prologue)
    return (require("spec.support.script").run(([[
      local fogcloud, say, exit = require "fogcloud", print, os.exit
      fogcloud.log(function(level, message) say("heard " .. level .. ": " .. message:match "^[^\n]*") end)
      local other
      fogcloud.spawn(function() error "boom" end)
      fogcloud.spawn(function() other = true end)
      %s
      say("step", pcall(fogcloud.step, 0))
      pcall(fogcloud.step, 0)
      say("other", other)
      fogcloud.log(nil)
      fogcloud.spawn(function() error "unheard" end)
      say("step", pcall(fogcloud.step, 0))
      exit(0)
    ]]):format(prologue)))
  end

  it("hears of an error in a task that nobody waits for, and no step raises for want of io", function()
    for _, prologue in ipairs { "", "io = nil", "io.stderr = nil", "io, os = nil" } do
      local said = task_error(prologue)
      assert.matches("heard error: fogcloud: error in a task: [^\n]*boom", said)
      assert.is_nil(said:find("step%s+false"), said)
      assert.matches("other%s+true", said)
      assert.equal(prologue == "", said:find("unheard", 1, true) ~= nil) -- told to stderr where there is one
    end
  end)

  it("is not asked for in the environment once a cloud was made that looks at none, nor is a driver", function()
    for _, environment in ipairs { "", "environment = false" } do
      local said = require("spec.support.script").run(([[
        local fogcloud = require "fogcloud"
        local cloud = fogcloud.new { base_url = "http://127.0.0.1:1", client_id = "i", client_secret = "s", timeout = 0.1, %s }
        cloud:products()
        fogcloud.spawn(function() error "boom" end)
        fogcloud.step(0)
        local broker = { clientid = "c", mqtthost = "127.0.0.1", mqttport = 1 }
        print("done", (pcall(cloud.connect, cloud, broker, { tls = false })))]]):format(environment),
        "env FOGCLOUD_LOG=debug FOGCLOUD_MQTT_DRIVER=none " .. require("spec.support.script").interpreter())
      assert.matches("boom.*done%s+" .. (environment == "" and "false" or "true"), said)
      assert.equal(environment == "", said:find("fogcloud debug", 1, true) ~= nil)
    end
  end)

  it("hears of a leader's trouble, before stderr", function()
    local heard = {}
    require("fogcloud").log(function(level, message) heard[#heard + 1] = level .. " " .. message end)
    finally(function() require("fogcloud").log(nil) end)
    require("fogcloud.store.term").report({}, "the leader 'x' ended")
    assert.same({ "error fogcloud: the leader 'x' ended" }, heard)
  end)

  it("and all else works without os and io", function()
    for _, names in ipairs { "io", "os", "os io" } do
      local said = require("spec.support.script").run(([[
        local say, exit = print, os.exit
        for name in ("%s"):gmatch "%%a+" do _G[name], package.loaded[name] = nil, nil end
        local fogcloud = require "fogcloud"
        local cloud = fogcloud.new { base_url = "http://127.0.0.1:1", client_id = "i", client_secret = "s", timeout = 20 }
        say(select(2, cloud:products()).kind)
        say(pcall(fogcloud.new, { base_url = "http://127.0.0.1:1", client_id = "i", client_secret = "s", store = "file:/nonexistent" }))
        exit(0)
      ]]):format(names))
      assert.matches("^network\ntrue", said, names)
    end
  end)
end)
