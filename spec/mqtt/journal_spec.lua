-- SPDX-License-Identifier: MIT

-- A session's journal: what stays of a session, what a file must be, and what is said where it cannot be used. What is in
-- it when the process dies at any moment is shown by durable_spec.lua, and below it by spec/c/durable_*_test.c.
local fogcloud = require "fogcloud"
local journal = require "fogcloud.journal"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a session with a journal", function()
  local sandbox, cloud, folder, path
  local here = world.new({ sandbox = { mqtt_faults = true }, session = { tls = false } }, function(...) sandbox, cloud = ... end)
  local keep = here.keep

  before_each(function()
    folder = support.shell("mktemp -d"):match "%S+"
    path = folder .. "/journal"
  end)
  after_each(function() support.shell("rm -rf " .. folder) end)

  local function listen(got)
    local device = here.device_session "dev1"
    assert(device:subscribe("c2d/dev1/#", 1, function(_, payload) got[#got + 1] = payload end))
    return device
  end

  local function with_journal(credentials, opts)
    local all = { tls = false, journal = path }
    for name, value in pairs(opts or {}) do all[name] = value end
    return keep(cloud:connect(credentials, all))
  end

  -- Its broker is away from now on.
  local function cut_off(session, credentials)
    sandbox:fail_mqtt { refuse = true }
    sandbox:kick(credentials.clientid)
    support.serve_until(function() return not session:connected() end)
  end

  -- Until the journal is nobody's.
  local function close(session)
    session:close()
    support.serve_until(function()
      local opened = journal.open(path)
      if opened then opened:close() end
      return opened
    end)
  end

  -- Runs a process with a session with the journal `path`, `session`; `before` are commands of the shell's.
  local function process(credentials, code, before, opts)
    local text = ([[
      local fogcloud = require "fogcloud"
      local session, err = fogcloud.connect({ clientid = %q, loginname = %q, password = %q, mqtthost = "localhost",
        mqttport = %d, sslport = %d }, { tls = false, journal = %q, clean = false, %s })
    ]]):format(credentials.clientid, credentials.loginname, credentials.password, sandbox.mqtt_port, sandbox.tls_port, path,
      opts or "")
    return script.run(text .. code, ([[sh -c "%s exec %s \"\$0\""]]):format(before or "", script.interpreter()))
  end

  it("sends what the last one left, once it is closed", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local got, dropped = {}, 0
    local device = listen(got)
    local session = assert(with_journal(credentials))
    session:on("drop", function() dropped = dropped + 1 end)
    assert(session:publish("c2d/dev1/n", "sent", { qos = 1 }))
    support.serve_until(function() return #got == 1 end)
    assert(session:flush(10))
    cut_off(session, credentials)
    assert(session:publish("c2d/dev1/n", "kept 1", { qos = 1 }))
    assert(session:publish("c2d/dev1/n", "kept 2", { qos = 2, retained = false }))
    assert(session:publish("c2d/dev1/n", "not kept", { qos = 0 }))
    support.assert_identity(session)
    device:close()
    close(session)
    support.serve_until(function() return dropped > 0 end)
    assert.equal(1, dropped) -- QoS 0
    assert.equal("journal\n", support.shell("ls " .. folder)) -- and nothing beside it
    sandbox:heal_mqtt()
    listen(got)
    session = assert(with_journal(credentials))
    assert(session:flush(10))
    support.serve_until(function() return #got == 3 end)
    assert.same({ "sent", "kept 1", "kept 2" }, got)
    assert.equal(2, support.assert_identity(session).accepted)
  end)

  it("takes in more than its bounds from the last one, in order", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local session = assert(with_journal(credentials, { out_count = 3000 }))
    cut_off(session, credentials)
    for i = 1, 3000 do assert(session:publish("c2d/dev1/n", tostring(i), { qos = 1 })) end
    close(session)
    sandbox:heal_mqtt()
    local got, wrong = {}, 0
    listen(got)
    session = assert(with_journal(credentials, { out_count = 10 }))
    local full, err = session:publish("c2d/dev1/n", "more", { qos = 1 })
    assert.same({ nil, "overflow" }, { full, err and err.kind })
    assert(session:flush(20))
    assert(session:publish("c2d/dev1/n", "3001", { qos = 1 }))
    support.serve_until(function() return #got == 3001 end, 20)
    for i = 1, 3001 do wrong = wrong + (got[i] == tostring(i) and 0 or 1) end
    assert.equal(0, wrong)
  end)

  it("is a number that goes on, which `fogcloud journal` shows", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local session = assert(with_journal(credentials))
    cut_off(session, credentials)
    assert.equal(1, session:publish("a", "x", { qos = 1 }))
    assert.equal(2, session:publish("b", "y", { qos = 2 }))
    close(session)
    local opened = assert(journal.open(path))
    local list = assert(opened:list { payloads = true })
    assert.same({ 1, "a", "x", 2, "b", "y" }, {
      list[1].number, list[1].topic, list[1].payload, list[2].number, list[2].topic, list[2].payload,
    })
    opened:close()
    session = assert(with_journal(credentials, { retry = true }))
    assert.equal(3, session:publish("c", "z", { qos = 1 }))
  end)

  it("keeps what a killed process had accepted, and what it had not been acknowledged", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local got, seen, distinct = {}, {}, 0
    listen(got)
    sandbox:fail_mqtt { puback = "swallow" }
    local out = process(credentials, [[
      for i = 1, 200 do assert(session:publish("c2d/dev1/n", tostring(i), { qos = 1 })) end
      print "accepted"
      io.stdout:flush()
      fogcloud.sleep(0.3) -- publish returns once it is in memory; the disk has it a moment later
      os.execute("kill -9 " .. require("fogcloud.core").pid())
    ]])
    assert.matches("accepted", out)
    sandbox:heal_mqtt()
    local session = assert(with_journal(credentials, { clean = false }))
    assert(session:flush(20))
    support.serve_until(function()
      for _, payload in ipairs(got) do
        if not seen[payload] then seen[payload], distinct = true, distinct + 1 end
      end
      return distinct == 200
    end)
  end)

  it("has a hundred thousand messages wait in the memory of some hundreds", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    sandbox:fail_mqtt { refuse = true }
    local MEMORY = [[
      local function megabytes()
        local file = io.open "/proc/self/status"
        local text = file:read "*a"
        file:close()
        return tonumber(text:match "VmRSS:%s*(%d+)") / 1024
      end
      local before = megabytes()
    ]]
    local opts = "retry = true, out_count = 1e6, out_bytes = 1e12"
    local most = os.getenv "SANITIZE" and 400 or 40 -- MB; they are 75 with what belongs to them
    local out = process(credentials, MEMORY .. [[
      for i = 1, 100000 do
        assert(session:publish("c2d/dev1/n", ("x"):rep(400) .. i, { qos = 1 }))
        if i % 2000 == 0 then fogcloud.step(0.04) end -- what came in one go is in memory for as long as the disk takes
      end
      fogcloud.step(0.3)
      print(session:stats().queued, math.floor(megabytes() - before))
      session:close()
      fogcloud.run()
    ]], nil, opts)
    local queued, grown = out:match "^(%d+)\t(%d+)"
    assert.equal("100000", queued, out)
    assert.is_true(tonumber(grown) < most, grown .. " MB for 100,000 messages that wait")
    sandbox:heal_mqtt()
    out = process(credentials, MEMORY .. [[
      print(session:flush(60), session:stats().acknowledged, math.floor(megabytes() - before))
    ]], nil, opts)
    local acknowledged
    acknowledged, grown = out:match "^true\t(%d+)\t(%-?%d+)"
    assert.equal("100000", acknowledged, out)
    assert.is_true(tonumber(grown) < most, grown .. " MB to send them")
  end)

  it("lets the expiry interval run while no process has it", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local session = assert(with_journal(credentials, { version = "5.0" }))
    cut_off(session, credentials)
    assert(session:publish("c2d/dev1/n", "short", { qos = 1, properties = { message_expiry_interval = 1 } }))
    assert(session:publish("c2d/dev1/n", "long", { qos = 1, properties = { message_expiry_interval = 1000 } }))
    close(session)
    support.shell "sleep 2.1"
    sandbox:heal_mqtt()
    local device, left, lost = here.device_session("dev1", { version = "5.0" }), {}, nil
    assert(device:subscribe("c2d/dev1/#", 1, function(_, payload, message)
      left[payload] = message.properties.message_expiry_interval
    end))
    session = assert(with_journal(credentials, { version = "5.0" }))
    session:on("drop", function(message) lost = message end)
    support.serve_until(function() return left.long and lost end)
    assert.is_true(left.long >= 900 and left.long <= 998, tostring(left.long))
    assert.is_nil(left.short)
    assert.same({ "short", 1 }, { lost.payload, lost.id })
    session:flush(5)
    close(session)
    assert.equal(0, assert(journal.open(path)):counts().set_aside)
  end)

  it("sets a message aside that the broker refuses: it is listed, and can be sent again", function()
    local credentials = support.client(sandbox, cloud, {})
    local session = assert(with_journal(credentials, { version = "5.0", clean = false }))
    local lost
    session:on("drop", function(message) lost = message end)
    assert(session:publish("c2d/dev1/n", "not yet", { qos = 1 })) -- without permission
    support.serve_until(function() return lost end)
    assert.equal("not yet", lost.payload)
    close(session)
    local opened = assert(journal.open(path))
    local list = assert(opened:list { payloads = true })
    assert.equal(1, #list)
    assert.same({ "set aside", 0x87, "not yet" }, { list[1].state, list[1].reason, list[1].payload })
    assert.is_true(#list[1].why > 0)
    assert.equal(2, opened:resend(1))
    opened:close()
    assert(cloud:grant(credentials.clientid, "dev1"))
    local got = {}
    listen(got)
    session = assert(with_journal(credentials, { version = "5.0", clean = false }))
    assert(session:flush(10))
    support.serve_until(function() return #got == 1 end)
    assert.equal("not yet", got[1])
  end)

  it("sets aside what a broker of 3.1.1 hangs up on, so that no later process is held up by it", function()
    local opts = { journal = path, clean = false, backoff_base = 0.02, backoff_cap = 0.05 }
    local session = assert(here.scripted("poison", opts))
    for _, topic in ipairs { "a/good", "a/poison", "b/good" } do assert(session:publish(topic, "x", { qos = 1 })) end
    support.serve_until(function() return session:stats().queued == 0 end)
    assert.is_nil(session.ended)
    close(session)
    local opened = assert(journal.open(path))
    local list = assert(opened:list())
    assert.equal(1, #list)
    assert.same({ "set aside", "a/poison", 0, "the broker hangs up on it" }, {
      list[1].state, list[1].topic, list[1].reason, list[1].why,
    })
    assert(opened:remove(list[1].number))
    opened:close()
    session = assert(here.scripted("poison", opts))
    assert(session:publish("c/good", "x", { qos = 1 }))
    assert(session:flush(10))
    assert.equal(1, session:stats().accepted)
  end)

  it("is no file of others, and says whose it is", function()
    local credentials = support.client(sandbox, cloud, {})
    local session = assert(with_journal(credentials))
    local out = process(credentials, "print(err)")
    assert.matches("in use by process " .. require("fogcloud.core").pid(), out)
    local second, err = with_journal(support.client(sandbox, cloud, {}))
    assert.is_nil(second)
    assert.matches("in use by this process", tostring(err))
    close(session)
    support.shell(("printf '%%s' 'PRIVATE KEY' > %s/key; ln -s key %s/link"):format(folder, folder))
    for _, name in ipairs { "/key", "/link", "", "/nowhere/at/all" } do
      local none, why = with_journal(credentials, { journal = folder .. name })
      assert.is_nil(none)
      assert.equal("protocol", why.kind)
      assert.truthy(why.message:find(folder .. (name == "/nowhere/at/all" and "/nowhere" or name), 1, true), why.message)
    end
    assert.equal("PRIVATE KEY", support.shell(("cat %s/key"):format(folder)))
    assert(with_journal(credentials))
    assert.matches("^600", support.shell("stat -c %a " .. path))
  end)

  it("says so where its file was removed or replaced, before it says yes once more", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local session = assert(with_journal(credentials))
    assert(session:publish("c2d/dev1/n", "1", { qos = 1 }))
    os.remove(path)
    local id, err = session:publish("c2d/dev1/n", "2", { qos = 1 })
    assert.same({ nil, "protocol" }, { id, err and err.kind })
    assert.matches("was deleted or replaced", err.message)
    assert(session:publish("c2d/dev1/n", "3", { qos = 0 }))
    assert(session:flush(10))
    support.shell(": >" .. path)
    assert.is_nil(session:publish("c2d/dev1/n", "4", { qos = 1 }))
  end)

  it("refuses what is new on a full disk, loses nothing that it has, and goes on", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local got = {}
    listen(got)
    -- A limit on the size of files is a full disk but for its lifting: what is acknowledged makes the room.
    sandbox:fail_mqtt { puback_delay_ms = 1500 }
    local out = process(credentials, [[
      local accepted, said, heard = 0, nil, nil
      session:on("error", function(e) heard = heard or e.kind end)
      local till = require("fogcloud.core").now() + 20
      while not said and require("fogcloud.core").now() < till do
        local id, why = session:publish("c2d/dev1/n", ("x"):rep(20000) .. accepted + 1, { qos = 1 })
        if id then accepted = accepted + 1 else said = why.kind end
        fogcloud.step(0.005)
      end
      print(accepted, said, session:flush(20))
      print(heard, (session:publish("c2d/dev1/n", "last", { qos = 1 })), session:flush(20))
    ]], "trap '' XFSZ; ulimit -f 800;")
    local accepted = tonumber(out:match("^(%d+)\toverflow\ttrue\n"))
    assert.is_truthy(accepted, out)
    assert.matches("\noverflow\t[%d.]+\ttrue\n", out)
    support.serve_until(function() return #got == accepted + 1 end)
    for i = 1, accepted do assert.equal(tostring(i), got[i]:sub(20001)) end
  end)

  it("goes on with what can be read of a damaged one, and tells where it lies", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local session = assert(with_journal(credentials))
    cut_off(session, credentials)
    for i = 1, 500 do assert(session:publish("c2d/dev1/n", i .. ("x"):rep(200), { qos = 1 })) end
    close(session)
    support.shell(("dd if=/dev/urandom of=%s bs=4096 seek=50 count=1 conv=notrunc 2>/dev/null"):format(path))
    sandbox:heal_mqtt()
    local got, told = {}, nil
    listen(got)
    session = assert(with_journal(credentials))
    session:on("error", function(err) told = tostring(err) end)
    assert(session:flush(20))
    support.serve_until(function() return told and #got > 400 end)
    assert.matches("was damaged: it was set aside as " .. folder:gsub("%p", "%%%0") .. "/journal%.damaged%-%d+%-%d+, and 4%d%d "
      .. "messages were taken over", told)
    assert.is_true(#got < 500)
  end)

  it("is not written to for a message that is refused", function()
    local session = assert(with_journal(support.client(sandbox, cloud, {}), { out_bytes = 1000 }))
    local id, err = session:publish("a", ("x"):rep(2000), { qos = 1 })
    assert.is_nil(id)
    assert.matches("larger than the outbound queue takes", tostring(err))
    close(session)
    assert.same({}, assert(assert(journal.open(path)):list()))
  end)

  it("is free again when the session could not be made", function()
    local credentials = support.client(sandbox, cloud, {})
    assert.has_error(function() cloud:connect(credentials, { tls = false, journal = path, out_count = 0 }) end)
    assert.has_error(function() cloud:connect(credentials, { tls = false, journal = path, journal_sync = "never" }) end)
    local wrong = {}
    for name, value in pairs(credentials) do wrong[name] = value end
    wrong.password = "wrong"
    assert.is_nil((with_journal(wrong)))
    fogcloud.run()
    assert(with_journal(credentials, { journal_sync = "full" }))
  end)
end)
