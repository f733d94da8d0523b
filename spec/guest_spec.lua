-- SPDX-License-Identifier: MIT

-- Guest manners: after use, the process is as it was before.
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local function status()
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("*a")
  file:close()
  local masks = {}
  -- The low half: 32 and 33 belong to the C library, which catches them once there are threads.
  for name, mask in text:gmatch("(Sig%u%l%l):%s*%x+(%x%x%x%x%x%x%x%x)\n") do masks[name] = mask end
  return masks
end

local function child(command)
  local pipe = io.popen(command)
  local text = pipe:read("*a")
  pipe:close()
  return text
end

-- What a child is given: "socket:[4711]" and its like, of which earlier specs may have left some in this process.
local function inherited()
  local found = {}
  for link in child("ls -l /proc/self/fd"):gmatch("-> ([^\n]+)") do
    if link:find("^socket:") or link:find("eventfd", 1, true) or link:find("memfd", 1, true) then found[link] = true end
  end
  return found
end

local function locales()
  local found = {}
  for _, category in ipairs { "all", "collate", "ctype", "monetary", "numeric", "time" } do
    found[category] = os.setlocale(nil, category)
  end
  return found
end

describe("after calls and a session, while they are open,", function()
  local sandbox, before, session

  setup(function()
    sandbox = support.start()
    before = { masks = status(), locales = locales(), environment = child "env | sort", umask = child "umask" }
    before.inherited = inherited()
    local cloud = support.cloud(sandbox)
    session = assert(cloud:connect(support.client(sandbox, cloud, { "dev1" })))
    assert(session:publish("c2d/dev1/x", "y", { qos = 1 }))
    assert(session:flush())
  end)
  teardown(function()
    session:close()
    fogcloud.run()
    sandbox:stop()
  end)

  it("signal dispositions and masks are as before, SIGPIPE's too", function() assert.same(before.masks, status()) end)

  it("the locale is as before, in each category", function() assert.same(before.locales, locales()) end)

  it("the environment is as before", function()
    assert.equal(before.environment, child "env | sort")
    assert.truthy(before.environment:find("PATH=", 1, true))
  end)

  it("the umask is as before", function() assert.equal(before.umask, child "umask") end)

  it("a child inherits none of our descriptors", function()
    for link in pairs(inherited()) do assert.is_true(before.inherited[link], link) end
  end)

  -- How many threads block no signal, and how many all.
  local function open_and_blocking()
    local pipe = io.popen("ls -d /proc/" .. require("fogcloud.core").pid() .. "/task/*")
    local tasks = {}
    for path in pipe:lines() do tasks[#tasks + 1] = path end
    pipe:close() -- before looking: popen blocks signals itself for a moment
    local blocking, open = 0, 0
    for _, path in ipairs(tasks) do
      local file = io.open(path .. "/status")
      local mask = file and file:read("*a"):match("SigBlk:%s*(%x+)") or "gone"
      if file then file:close() end
      if mask:find("^0+$") then open = open + 1 elseif mask ~= "gone" then blocking = blocking + 1 end
    end
    return open, blocking
  end

  it("every thread of ours blocks every signal, so that the host's handlers run on the host's threads", function()
    local open, blocking = open_and_blocking()
    assert.is_true(blocking >= 1, "the driver's thread")
    assert.equal(1, open)
  end)

  it("and once the session is closed all of this is so", function()
    session:close()
    fogcloud.run()
    assert.equal(1, (open_and_blocking()))
    assert.same(before.masks, status())
    for link in pairs(inherited()) do assert.is_true(before.inherited[link], link) end
  end)
end)

describe("a host's own sockets", function()
  it("are inherited by its children as before", function()
    local said, code = script.run [[
      local unix, sockets = require "socket.unix", {}
      for i = 1, 16 do
        sockets[i] = (type(unix) == "table" and unix.stream or unix)()
        local path = os.tmpname()
        os.remove(path)
        assert(sockets[i]:bind(path))
        os.remove(path)
      end
      for i = 1, 16, 2 do sockets[i]:close() end -- what is opened next lies between them
      local function closed_on_exec()
        local count = 0
        for i = 2, 16, 2 do
          local file = assert(io.open(("/proc/self/fdinfo/%d"):format(sockets[i]:getfd())))
          if file:read("*a"):find("flags:%s*0?2%d%d%d%d%d%d") then count = count + 1 end
          file:close()
        end
        return count
      end
      local before = closed_on_exec()
      require("fogcloud").step(0)
      print(before, closed_on_exec())]]
    assert.same({ "0\t0\n", 0 }, { said, code })
  end)
end)

describe("a thread that looks a name up", function()
  it("blocks every signal, as all of ours, and the host's blocks none", function()
    local library = os.tmpname()
    local built, failed = support.shell(("${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o %s spec/support/slow_resolver.c -ldl")
      :format(library))
    assert.equal(0, failed, built)
    finally(function() os.remove(library) end)
    local preload = ("env %s=%s %s"):format(os.getenv("FOG_LUA") and "FOG_PRELOAD" or "LD_PRELOAD", library,
      script.interpreter())
    local theirs = (os.getenv("SANITIZE") or ""):find("thread", 1, true) and 1 or 0 -- TSan's own, from our first thread on
    for threads = 2, 3 do -- looked up for the caller's thread, and for the one of the background
      local said, code = script.run(([[
        local fogcloud = require "fogcloud"
        local cloud = fogcloud.new { base_url = "https://cloud.slow", client_id = "a", client_secret = "b" }
        fogcloud.spawn(function() cloud:products { timeout = 2 } end)
        for _ = 1, %d do fogcloud.step(0) end -- which has a thread made for a call
        local function open_and_blocking()
          local pipe, open, blocking = io.popen("ls -d /proc/" .. require("fogcloud.core").pid() .. "/task/*"), 0, 0
          local paths = pipe:read("*a")
          pipe:close() -- before looking: popen blocks signals itself for a moment
          for path in paths:gmatch("%%S+") do
            local file = io.open(path .. "/status")
            local mask = file and file:read("*a"):match("SigBlk:%%s*(%%x+)") or ""
            if file then file:close() end
            if mask:find("^0+$") then open = open + 1 else blocking = blocking + 1 end
          end
          return open, blocking
        end
        fogcloud.spawn(function()
          local open, blocking
          repeat
            fogcloud.sleep(0.01)
            open, blocking = open_and_blocking()
          until open + blocking >= %d
          print(open, blocking)
          os.exit(0)
        end)
        fogcloud.run()]]):format(threads == 3 and 5 or 0, threads + theirs), preload)
      assert.same({ ("1\t%d\n"):format(threads - 1 + theirs), 0 }, { said, code })
    end
  end)
end)

describe("a host that dies of SIGPIPE", function()
  local sandbox
  setup(function() sandbox = support.start { mqtt_faults = true } end)
  teardown(function() sandbox:stop() end)

  it("does not, when servers hang up while we write", function()
    for _, tls in ipairs { true, false } do
      local said, code = script.run(([[
        local fogcloud = require "fogcloud"
        local sandbox = assert(require("fogcloud.sandbox").attach(%q))
        local cloud = fogcloud.new(sandbox:options())
        local session = assert(cloud:open { app_id = sandbox.app_id, devices = { "dev1" }, session = { tls = %s } })
        for _ = 1, 5 do
          for _ = 1, 50 do session:publish("c2d/dev1/x", ("x"):rep(10000), { qos = 1 }) end
          sandbox:kick "*"
          sandbox:fail { endpoint = "products", cut = "during" }
          cloud:products()
          fogcloud.step(0.1)
        end
        local done, err = session:flush(20)
        if not done then error(tostring(err), 0) end
        session:close()
        print "alive"]]):format(sandbox.url, tostring(tls)), "env --default-signal=PIPE " .. script.interpreter())
      assert.same({ "alive\n", 0 }, { said, code })
    end
  end)
end)
