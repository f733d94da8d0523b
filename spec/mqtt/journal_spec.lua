-- SPDX-License-Identifier: MIT

local Journal = require "fogcloud.mqtt.journal"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a journal", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    os.remove(path .. ".lock")
  end)

  local function texts(journal)
    local list = {}
    for i, m in ipairs(journal:pending()) do list[i] = m.topic .. "=" .. m.payload end
    return list
  end

  local function read()
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
  end

  it("gives back what has not ended, in order, with all that belongs to it", function()
    local journal = assert(Journal.open(path))
    local first = journal:add("a", "1", 1, false)
    journal:add("b", "line\nand - 1\n\0\255", 2, true, "\1\0bytes")
    journal:add("c", "", 1, nil)
    journal:remove(first)
    journal:close()
    journal = assert(Journal.open(path))
    assert.same({
      { entry = 1, topic = "b", payload = "line\nand - 1\n\0\255", qos = 2, retained = true, properties = "\1\0bytes" },
      { entry = 2, topic = "c", payload = "", qos = 1, retained = false },
    }, journal:pending())
    assert.same({}, journal:pending())
    journal:close()
  end)

  it("loses only a torn record at the end, wherever it was torn", function()
    local journal = assert(Journal.open(path))
    journal:add("whole", "1", 1, false)
    local kept = #read()
    journal:add("torn", "2", 1, false)
    journal:close()
    local text = read()
    for length = kept, #text do
      local file = assert(io.open(path, "wb"))
      file:write(text:sub(1, length))
      file:close()
      journal = assert(Journal.open(path))
      assert.same(length == #text and { "whole=1", "torn=2" } or { "whole=1" }, texts(journal))
      journal:close()
    end
  end)

  it("stays small, however much goes through it", function()
    local journal = assert(Journal.open(path))
    local kept = journal:add("kept", "x", 1, false)
    for _ = 1, 300 do journal:remove(journal:add("t", ("x"):rep(20000), 1, false)) end
    assert.is_true(#read() < 2 * 1024 * 1024, #read() .. " bytes")
    journal:close()
    assert.same({ "kept=x" }, texts(assert(Journal.open(path))))
    assert.equal(1, kept)
  end)

  it("belongs to one process at a time, and to its owner", function()
    local journal = assert(Journal.open(path))
    local second, err = Journal.open(path)
    assert.is_nil(second)
    assert.matches("cannot be used", tostring(err))
    journal:close()
    journal:close()
    local stat = support.shell("stat -c %a " .. path)
    assert.matches("^600", stat)
    assert(Journal.open(path)):close()
  end)

  it("is written again once the disk has room, without what has ended meanwhile", function()
    local core = require "fogcloud.core"
    local journal, write, full = assert(Journal.open(path)), core.file.write, true
    finally(function() core.file.write = write end)
    local first = journal:add("a", "1", 1, false)
    journal:add("b", "2", 1, false)
    local real = journal.file
    journal.file = { write = function() return nil, "No space left on device" end, close = function() real:close() end }
    function core.file.write(...)
      if full then return nil, "No space left on device" end
      return write(...)
    end
    for _ = 1, 2 do
      local entry, why = journal:add("c", "3", 1, false)
      assert.is_nil(entry)
      assert.matches("No space left", why)
    end
    journal:remove(first)
    full = false
    assert(journal:add("d", "4", 1, false))
    assert(journal:add("e", "5", 1, false))
    journal:close()
    assert.same({ "b=2", "d=4", "e=5" }, texts(assert(Journal.open(path))))
  end)

  it("says when it cannot be written, and loses nothing of what it holds", function()
    local second, err = Journal.open("/nowhere/at/all")
    assert.is_nil(second)
    assert.matches("/nowhere/at/all", tostring(err))
    local journal = assert(Journal.open(path))
    journal:add("a", "1", 1, false)
    local real = journal.file
    journal.file = { write = function() return nil, "No space left on device" end, close = function() real:close() end }
    local entry, why = journal:add("b", "2", 1, false)
    assert.is_nil(entry)
    assert.matches("No space left", why)
    assert(journal:add("c", "3", 1, false))
    journal:close()
    assert.same({ "a=1", "c=3" }, texts(assert(Journal.open(path))))
  end)
end)

describe("a session with a journal", function()
  local sandbox, cloud, path
  local here = world.new({ sandbox = { mqtt_faults = true }, session = { tls = false } }, function(...) sandbox, cloud = ... end)
  local keep = here.keep

  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    os.remove(path .. ".lock")
  end)

  local function listen(got)
    local device = here.device_session "dev1"
    assert(device:subscribe("c2d/dev1/#", 1, function(_, payload) got[#got + 1] = payload end))
    return device
  end

  it("sends what the last one left, once it is closed", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local got, dropped = {}, 0
    local device = listen(got)
    local session = assert(keep(cloud:connect(credentials, { tls = false, journal = path })))
    session:on("drop", function() dropped = dropped + 1 end)
    assert(session:publish("c2d/dev1/n", "sent", { qos = 1 }))
    support.serve_until(function() return #got == 1 end)
    assert(session:flush(10))
    sandbox:fail_mqtt { refuse = true }
    sandbox:kick(credentials.clientid)
    support.serve_until(function() return not session.up end)
    assert(session:publish("c2d/dev1/n", "kept 1", { qos = 1 }))
    assert(session:publish("c2d/dev1/n", "kept 2", { qos = 2 }))
    assert(session:publish("c2d/dev1/n", "not kept", { qos = 0 }))
    support.assert_identity(session)
    session:close()
    device:close()
    fogcloud.run()
    assert.equal(1, dropped) -- QoS 0
    sandbox:heal_mqtt()
    listen(got)
    session = assert(keep(cloud:connect(credentials, { tls = false, journal = path })))
    assert(session:flush(10))
    support.serve_until(function() return #got == 3 end)
    assert.same({ "sent", "kept 1", "kept 2" }, got)
    assert.equal(2, support.assert_identity(session).accepted)
  end)

  it("sends what a killed process had accepted", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local code = ([[
      local fogcloud = require "fogcloud"
      local session = assert(fogcloud.connect({ clientid = %q, loginname = %q, password = %q, mqtthost = "localhost",
        mqttport = %d, sslport = %d }, { tls = false, journal = %q }))
      io.read("*l")
      for i = 1, 200 do assert(session:publish("c2d/dev1/n", tostring(i), { qos = 1 })) end
      io.write("accepted\n") io.flush()
      os.execute("kill -9 " .. require("fogcloud.core").pid())
    ]]):format(credentials.clientid, credentials.loginname, credentials.password, sandbox.mqtt_port, sandbox.tls_port, path)
    local file = os.tmpname()
    local handle = assert(io.open(file, "w"))
    handle:write(code)
    handle:close()
    local got, seen, distinct = {}, {}, 0
    listen(got)
    sandbox:fail_mqtt { puback = "swallow" }
    local out = support.shell(("echo | %s %s"):format(script.interpreter(), file))
    os.remove(file)
    assert.matches("accepted", out)
    sandbox:heal_mqtt()
    local session = assert(keep(cloud:connect(credentials, { tls = false, journal = path })))
    assert(session:flush(20))
    support.serve_until(function()
      for _, payload in ipairs(got) do
        if not seen[payload] then seen[payload], distinct = true, distinct + 1 end
      end
      return distinct == 200
    end)
  end)

  it("is not written to for a message that is refused", function()
    local session = assert(keep(cloud:connect(support.client(sandbox, cloud, {}), { tls = false, journal = path,
      out_bytes = 1000 })))
    local id, err = session:publish("a", ("x"):rep(2000), { qos = 1 })
    assert.is_nil(id)
    assert.matches("larger than the outbound queue takes", tostring(err))
    assert.equal("", support.shell("cat " .. path))
  end)

  it("is free again when the session could not be made", function()
    local credentials = support.client(sandbox, cloud, {})
    assert.has_error(function() cloud:connect(credentials, { tls = false, journal = path, out_count = 0 }) end)
    assert(keep(cloud:connect(credentials, { tls = false, journal = path })))
  end)

  it("is refused while another session uses it", function()
    assert(keep(cloud:connect(support.client(sandbox, cloud, {}), { tls = false, journal = path })))
    local second, err = cloud:connect(support.client(sandbox, cloud, {}), { tls = false, journal = path })
    assert.is_nil(second)
    assert.matches("journal", tostring(err))
  end)
end)
