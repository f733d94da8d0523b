-- SPDX-License-Identifier: MIT

-- Sessions without a thread (thread = false). That they do what all do is shown by the specs of sessions, which run in
-- this mode too (scripts/test.sh); here is what is theirs alone. How they are collected and closed with their engine is
-- in spec/binding/engine_spec.lua.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"
local wire = require "spec.support.wire"
local world = require "spec.support.world"

describe("a session without a thread, on the wire,", function()
  local broker, session
  local begin = wire.each("3.1.1", function(made) broker, session = made, nil end, function() return session end)

  local function open(opts)
    local link
    opts = opts or {}
    opts.thread = false
    link, session = begin(opts)
    return link
  end

  -- What comes while the program does something else.
  local function comes(link, seconds)
    link.socket:settimeout(seconds)
    local byte, why = link.socket:receive(1)
    link.socket:settimeout(0)
    return byte and math.floor(byte:byte() / 16) or why
  end

  it("sends nothing before the program waits or steps, and then at once", function()
    local link = open()
    assert(session:publish("t", "p", { qos = 1 }))
    assert.equal("timeout", comes(link, 0.1))
    fogcloud.step(0)
    assert.equal(3, comes(link, 1))
  end)

  it("is served by a wait for anything", function()
    local link, got = open(), nil
    fogcloud.spawn(function() session:subscribe("t", 0, function(_, payload) got = payload end) end)
    link:answer("SUBACK", link:expect("SUBSCRIBE").id, 0)
    link:publish("t", "while it sleeps", 0)
    fogcloud.sleep(0.2) -- blocks, and runs no handler
    assert.equal(1, session:stats().received)
    support.serve_until(function() return got end)
    assert.equal("while it sleeps", got)
  end)

  it("sends what a handler publishes in the step that runs it", function()
    local link, handled = open(), false
    fogcloud.spawn(function()
      session:subscribe("t", 0, function()
        session:publish("t", "the answer")
        handled = true
      end)
    end)
    link:answer("SUBACK", link:expect("SUBSCRIBE").id, 0)
    link:publish("t", "x", 0)
    support.serve_until(function() return handled end)
    assert.equal(3, comes(link, 1))
  end)

  it("pings while the program steps", function()
    local link = open { keepalive = 1 }
    assert.equal("PINGREQ", link:read().name)
  end)

  it("is connected again after a pause in which the broker has hung up", function()
    local link = open()
    link:close()
    os.execute "sleep 0.2"
    assert.is_true(session:connected()) -- nobody has looked
    broker:greet(true)
    wire.wait("the next link", function() return session:stats().connects == 2 end)
  end)

  it("says goodbye in close, though nothing is served any more", function()
    local link = open()
    session:close()
    assert.equal(14, comes(link, 1))
  end)

  it("says it over a link that is not read, in bounded time", function()
    local link = open()
    for _ = 1, 100 do assert(session:publish("t", ("x"):rep(100000))) end
    fogcloud.step(0)
    session:close()
    local since = core.now()
    fogcloud.run()
    assert.is_true(core.now() - since < 10) -- it gives up after a second
    link:close()
  end)
end)

describe("a session without a thread", function()
  local sandbox, cloud
  local here = world.new({ session = { tls = false } }, function(...) sandbox, cloud = ... end)

  -- Runs `code` in a process with `cloud` and `credentials`; what it said.
  local function run(code)
    local c, d = support.client(sandbox, cloud, { "dev1" }), support.device_credentials(sandbox, "dev1")
    local prelude = [[
      local fogcloud = require "fogcloud"
      local credentials = { clientid = %q, loginname = %q, password = %q, mqtthost = "127.0.0.1", mqttport = %d,
        sslport = %d }
      local authority = %q
      local device = { clientid = %q, loginname = %q, password = %q, mqtthost = "127.0.0.1", mqttport = credentials.mqttport }
      local function threads()
        for line in io.lines "/proc/self/status" do
          if line:match "^Threads:" then return tonumber(line:match "%%d+") end
        end
      end
      local before, theirs = threads(), (os.getenv "SANITIZE" or ""):find("thread", 1, true) and 1 or 0
      local function more() -- TSan has one of its own from our first on
        local count = threads() - before
        return count > 0 and count - theirs or 0
      end
    ]]
    local said, code_of_it = script.run(prelude:format(c.clientid, c.loginname, c.password, sandbox.mqtt_port,
      sandbox.tls_port, sandbox.ca_file, d.clientid, d.loginname, d.password) .. code)
    assert.equal(0, code_of_it, said)
    return said
  end

  for _, tls in ipairs { "false", "true" } do
    it("starts none, tls = " .. tls, function()
      assert.equal("0 0 0 0 0 true", run(([[
        local said = {}
        local function note() said[#said + 1] = more() end
        local session = assert(fogcloud.connect(credentials, { tls = %s, ca_file = authority, thread = false,
          server_name = "localhost" }))
        note()
        assert(session:subscribe("d2c/dev1/#", 1, print))
        note()
        assert(session:publish("c2d/dev1/x", "y", { qos = 2 }))
        fogcloud.step(0.05)
        note()
        assert(session:flush())
        note()
        local ok = session:finish(5)
        note()
        io.write(table.concat(said, " "), " ", tostring(ok))
      ]]):format(tls)))
    end)
  end

  it("starts one for a name, which is looked up there", function()
    assert.equal("1", run [[
      credentials.mqtthost = "localhost"
      local session = assert(fogcloud.connect(credentials, { tls = false, thread = false }))
      io.write(more())
      session:close()
    ]])
  end)

  it("stands beside one that has a thread", function()
    assert.equal("1 true true", run [[
      local one = assert(fogcloud.connect(device, { tls = false }))
      local other, got = assert(fogcloud.connect(credentials, { tls = false, thread = false })), nil
      assert(other:subscribe("d2c/dev1/n", 1, function(_, payload) got = payload end))
      io.write(more(), " ", tostring(one:publish("d2c/dev1/n", "y", { qos = 1 }) and one:flush(5)))
      while not got do fogcloud.step(1) end
      one:close()
      other:close()
      fogcloud.run()
      io.write(" ", tostring(other.ended ~= nil and one.ended ~= nil))
    ]])
  end)

  it("is served while a call waits for its reply", function()
    local got = 0
    local session = here.connect { thread = false }
    assert(session:subscribe("d2c/dev1/n", 1, function() got = got + 1 end))
    local device = here.device_session("dev1", { thread = true })
    sandbox:fail { endpoint = "products", delay = 0.3, count = 1 }
    for n = 1, 20 do assert(device:publish("d2c/dev1/n", tostring(n), { qos = 1 })) end
    assert(cloud:products())
    assert.equal(20, session:stats().received)
    support.serve_until(function() return got == 20 end)
  end)

  for name, state in pairs {
    connecting = [[
      local socket = require "socket"
      local deaf = assert(socket.bind("127.0.0.1", 0))
      credentials.mqttport = tonumber((select(2, deaf:getsockname())))
      local session = assert(fogcloud.connect(credentials, { tls = false, thread = false, retry = true, timeout = 0.1,
        connect_timeout = 30 }) or fogcloud.connect(credentials, { tls = false, thread = false, retry = true, timeout = 0.1,
        connect_timeout = 0.01 }))]],
    up = [[local session = assert(fogcloud.connect(credentials, { tls = false, thread = false }))]],
    waiting = [[
      credentials.mqttport = 1
      local session = assert(fogcloud.connect(credentials, { tls = false, thread = false, retry = true }))]],
    busy = [[
      local session = assert(fogcloud.connect(credentials, { tls = false, thread = false }))
      for _ = 1, 100 do session:publish("c2d/dev1/x", "y", { qos = 2 }) end
      fogcloud.step(0)]],
  } do
    for _, ending in ipairs { "", "session:close()", "session:finish(0.1)", "session:close() os.exit(0)", "os.exit(0)",
      "session:close() os.exit(0, true)", "session = nil collectgarbage() fogcloud.step(0)" } do
      it(("ends well: %s, %s"):format(name, ending), function() run(state .. " " .. ending) end)
    end
  end

  it("tells the broker goodbye at the end of the state, and nothing where none was said", function()
    local heard = {}
    local session = here.connect()
    assert(session:subscribe("d2c/dev1/will", 1, function(_, payload) heard[#heard + 1] = payload end))
    local dies = [[
      local session = assert(fogcloud.connect(device, { tls = false, thread = false,
        will = { topic = "d2c/dev1/will", payload = "%s", qos = 1 } }))
    ]]
    run(dies:format "closed" .. "session:close()")
    run(dies:format "closed, and exit" .. "session:close() os.exit(0)")
    run(dies:format "dead")
    support.serve_until(function() return #heard > 0 end)
    assert.same({ "dead" }, heard)
  end)

  it("lets a signal end run", function()
    assert.equal("SIGTERM true", run [[
      local session = assert(fogcloud.connect(credentials, { tls = false, thread = false }))
      os.execute(("(sleep 0.2; kill %d) >/dev/null 2>&1 &"):format(require("fogcloud.core").pid()))
      io.write(fogcloud.run { signals = true }, " ", tostring(session:finish(5)))
    ]])
  end)

  it("is refused where the host has a loop of its own", function()
    assert.matches("session option 'thread': false .* 'other' has a loop of its own", run [[
      package.preload["fogcloud.host.other"] = function()
        local other = {}
        for name, what in pairs(require "fogcloud.host.plain") do other[name] = what end
        other.name, other.step, other.run = "other", nil, nil
        return other
      end
      fogcloud.use "other"
      io.write(select(2, pcall(fogcloud.connect, credentials, { tls = false, thread = false })))
    ]])
  end)

  it("is refused by Paho's driver, which says that it cannot do that", function()
    local credentials = support.client(sandbox, cloud)
    assert.error_matches(function() cloud:connect(credentials, { driver = "paho", thread = false }) end,
      "session option 'thread' = false: driver 'paho' .* cannot do that")
  end)
end)
