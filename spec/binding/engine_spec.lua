-- SPDX-License-Identifier: MIT

-- Lifetimes: closing in any order, twice, from __gc, at the end of the state, in a forked child.
local RawServer = require "spec.support.raw_server"
local core = require "fogcloud.core"
local script = require "spec.support.script"

local PRELUDE = [[
local core = require "fogcloud.core"
local engine = assert(core.engine())
local function request() -- one that hangs
  return assert(engine:token({ base_url = "%s" },
    { grant_type = "client_credentials", client_id = "i", client_secret = "s" }))
end
local function session() -- one that hangs too: a server that accepts and says nothing
  local s = assert(engine:session { thread = THREAD })
  assert(s:connect { host = "127.0.0.1", port = %d, client_id = "c", tls = false })
  return s
end
]]

for _, thread in ipairs { "true", "false" } do
  describe("lifetimes, with thread = " .. thread .. ",", function()
    local server
    setup(function() server = RawServer.start() end)
    teardown(function() server:stop() end)

    local function ends_well(code, expected, interpreter)
      local output, status = script.run(PRELUDE:gsub("THREAD", thread):format(server:url("slow"), server.port)
        .. code:gsub("THREAD", thread), interpreter)
      assert.equal(0, status, output)
      if expected then assert.equal(expected, output) end
    end

    it("close sessions after their engine, and twice", function()
      ends_well([[
        local s = session()
        engine:close() engine:close()
        s:close() s:close()
        io.write(tostring(s):match("closed"), tostring(engine):match("closed"), tostring((pcall(s.publish, s, "t", "p"))))
      ]], "closedclosedfalse")
    end)

    it("are collected in any order", function()
      ends_well [[
        for _ = 1, 20 do
          local a, b = session(), session()
          request()
          a, b = nil, nil
          collectgarbage()
        end
        engine = nil
        collectgarbage() collectgarbage()
      ]]
    end)

    for _, driven in ipairs { "", "engine:background()" } do
      it("survive the end of the state with traffic in flight " .. driven, function()
        ends_well(driven .. [[
          for _ = 1, 10 do request() session():publish("t", "p", 1) end
          engine:wait(0.02)
        ]])
      end)
    end

    it("survive os.exit with and without closing the state", function()
      ends_well [[ request() session() os.exit(0) ]]
      ends_well [[ request() session() engine:background() engine:wait(0.02) os.exit(0, true) ]]
    end)

    it("let another state of the process go on", function()
      ends_well [[
        local first, second = assert(core.engine()), assert(core.engine())
        local s = assert(second:session { thread = THREAD })
        first:close()
        assert(s:connect { host = "127.0.0.1", port = 1, client_id = "c", tls = false })
        local deadline = core.now() + 20
        while core.now() < deadline do
          second:wait(1)
          local name = second:next()
          if name == "down" then os.exit(0) end
        end
        os.exit(1)
      ]]
    end)

    it("name what is wrong with a wake-up socket that nobody listens for", function()
      ends_well([[
        local ok, why = engine:mirror()
        io.write(tostring(ok), " ", why)
      ]], "nil nothing listens for it")
    end)

    it("tell a forked child that it must start anew", function()
      ends_well([[
        package.cpath = package.cpath:gsub("build/[^/]*/", "build/luajit/")
        local ffi = require "ffi"
        ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
        local s = session()
        local child = ffi.C.fork()
        if child == 0 then
          local ok, err = pcall(engine.wait, engine, 0)
          local fresh = core.engine()
          local mine, why = fresh:session { thread = THREAD }
          s:close()
          engine:close()
          local clear = not ok and err:find("forked") and fresh and mine == nil
            and why == "fogcloud was started before this process was forked, and its threads did not survive"
          fresh:close()
          ffi.C._exit(clear and 7 or 1)
        end
        local status = ffi.new("int[1]")
        ffi.C.waitpid(child, status, 0)
        io.write(math.floor(status[0] / 256))
      ]], "7", "env LUA_CPATH=" .. "'" .. os.getenv("PWD") .. "/build/luajit/?.so;;' luajit")
    end)

    it("stay mapped after the state is gone", function()
      local path = package.cpath:match("[^;]*build[^;]*"):gsub("?", "fogcloud/core")
      local file = io.popen("readelf -d " .. path)
      local text = file:read("*a")
      file:close()
      assert.matches("NODELETE", text)
    end)

    it("raise on wrong use, with the argument named", function()
      local engine = assert(core.engine())
      assert.has_error(function() engine:wait("x") end)
      assert.has_error(function() engine:session { in_count = 0 } end, "option 'in_count' is out of range")
      assert.has_error(function() engine:session { in_count = "many" } end)
      local session = assert(engine:session())
      assert.has_error(function() session:connect { host = "x" } end, "options 'host' and 'port' are required")
      assert.has_error(function() session:publish("t", "p", 3) end)
      assert.has_error(function() session:publish("", "p") end)
      assert.has_error(function() session:publish("a\0b", "p") end)
      local publish = session:publisher()
      assert.has_error(function() publish("t", "p", 3) end)
      assert.has_error(function() publish("", "p") end)
      assert.has_error(function() publish("t", nil) end)
      local queued = session:stats().accepted
      assert.equal(queued + 1, publish("t", "p", 1))
      assert.equal(queued + 1, session:stats().accepted)
      session:close()
      assert.has_error(function() publish("t", "p", 1) end, "the session is closed")
      engine:close()
    end)
  end)
end

describe("an engine's wake-up socket", function()
  local unix = require "socket.unix"

  local function connected(engine)
    local path = assert(engine:listen())
    local client = unix.stream()
    assert(client:connect(path))
    client:settimeout(5)
    return client, path
  end

  local function shell(command)
    local pipe = io.popen(command .. " 2>&1")
    local text = pipe:read("*a")
    pipe:close()
    return text
  end

  it("lies in a folder that nobody else can enter, and is gone once it is connected", function()
    local engine = assert(core.engine())
    local client, path = connected(engine)
    local folder = path:match("^(.*)/")
    assert.equal("700\n", shell("stat -c %a " .. folder))
    assert.is_true(engine:mirror())
    assert.matches("No such file", shell("stat " .. folder))
    engine:wake()
    assert.equal("w", client:receive(1))
    client:close()
    engine:close()
  end)

  it("gets a byte for each wake-up that the reader has not taken", function()
    local engine = assert(core.engine())
    local client = connected(engine)
    assert.is_true(engine:mirror())
    for _ = 1, 3 do
      for _ = 1, 10 do engine:wake() end
      assert.equal("w", client:receive(1))
      assert.is_nil((engine:next()))
    end
    client:settimeout(0)
    assert.is_nil((client:receive(1)))
    engine:close()
    local byte, why = client:receive(1)
    assert.same({ nil, "closed" }, { byte, why })
    client:close()
  end)

  it("can be replaced, and leaves nothing when nobody comes", function()
    local engine = assert(core.engine())
    local first = connected(engine)
    assert.is_true(engine:mirror())
    local second = connected(engine)
    assert.is_true(engine:mirror())
    engine:wake()
    assert.equal("w", second:receive(1))
    assert.equal("closed", select(2, first:receive(1)))
    first:close()
    second:close()
    local path = assert(engine:listen())
    assert.is_nil((engine:mirror())) -- nobody has connected
    assert.matches("No such file", shell("stat " .. path))
    path = assert(engine:listen())
    engine:close()
    assert.matches("No such file", shell("stat " .. path))
  end)
end)
