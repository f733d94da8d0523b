-- SPDX-License-Identifier: MIT

-- The library inside a real nginx; the specs ask it over HTTP. Runs in one Lua only: nginx has its own.
local socket = require "socket"
local Nginx = require "spec.support.nginx"
local support = require "spec.support.sandbox"

-- What every configuration here has: a cloud of the sandbox's account, one per worker, as fogcloud_of_the_spec.
local CLOUD = [[
local M = {}
function M.cloud(more)
  local options = %s
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(require("fogcloud").new(options))
end
M.app_id = %q
function M.shared()
  M.one = M.one or M.cloud { store = "shdict:fogcloud" }
  return M.one
end
return M
]]

local function literal(t)
  local parts = {}
  for name, value in pairs(t) do parts[#parts + 1] = ("%s = %q"):format(name, value) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

describe("fogcloud in nginx", function()
  local sandbox, nginx

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)
  before_each(function() sandbox:reset() end)
  after_each(function()
    if nginx then nginx:stop() end
    nginx = nil
  end)

  local function start(options)
    options.files = { ["account.lua"] = CLOUD:format(literal(sandbox:options()), sandbox.app_id) }
    nginx = Nginx.start(options)
    return nginx
  end

  local function assert_clean(except)
    assert.same({}, nginx:complaints(except))
    assert.equal("", nginx:wake_up_folders())
  end

  it("makes calls from content, access, rewrite and timer", function()
    start { server = [[
      location /content { content_by_lua_block { ngx.say(#assert(require("account").cloud():products())) } }
      location /access {
        access_by_lua_block { ngx.ctx.n = #assert(require("account").cloud():products()) }
        content_by_lua_block { ngx.say(ngx.ctx.n) }
      }
      location /rewrite {
        rewrite_by_lua_block { ngx.ctx.n = #assert(require("account").cloud():products()) }
        content_by_lua_block { ngx.say(ngx.ctx.n) }
      }
      location /timer { content_by_lua_block {
        local n
        local done = require("ngx.semaphore").new(0)
        ngx.timer.at(0, function()
          n = #assert(require("account").cloud():products())
          done:post(1)
        end)
        done:wait(10)
        ngx.say(n)
      } }
      location /spawn { content_by_lua_block {
        local fogcloud = require "fogcloud"
        local cloud = require("account").cloud()
        local task = fogcloud.spawn(function() return #assert(cloud:products()), fogcloud.info().host end)
        local ok, n, host = task:wait(10)
        ngx.say(n, " ", host)
      } }
      location /threads { content_by_lua_block {
        local cloud, threads, n = require("account").cloud(), {}, 0
        local function call() return #assert(cloud:products()) end
        for i = 1, 10 do threads[i] = ngx.thread.spawn(call) end
        for i = 1, 10 do n = n + select(2, ngx.thread.wait(threads[i])) end
        ngx.say(n + coroutine.wrap(call)())
      } }
    ]] }
    assert.equal("22\n", (nginx:get("/threads")))
    for _, phase in ipairs { "content", "access", "rewrite", "timer" } do
      assert.equal("2\n", (nginx:get("/" .. phase)), phase)
    end
    assert.equal("2 openresty\n", (nginx:get("/spawn")))
    assert_clean()
  end)

  it("makes one token request for eight workers and two hundred requests, cold", function()
    start { workers = 8, http = "lua_shared_dict fogcloud 1m;", server = [[
      location /call { content_by_lua_block {
        local products, err = require("account").shared():products()
        ngx.say(ngx.worker.id(), " ", products and #products or tostring(err))
      } }
    ]] }
    sandbox:fail { endpoint = "token", delay = 0.2, count = 0 }
    local workers, served = {}, 0
    for _, line in ipairs(nginx:get_many("/call", 200)) do
      local worker, products = line:match("^(%d) (.*)")
      assert.equal("2", products)
      if not workers[worker] then served = served + 1 end
      workers[worker] = true
    end
    assert.is_true(served > 4, "only " .. served .. " workers were asked")
    assert.equal(200, sandbox:count { endpoint = "products" })
    assert.equal(1, sandbox:count { endpoint = "token" })
    assert_clean()
  end)

  it("may be loaded in init_by_lua, where a call says clearly that it is too early", function()
    start { http = [[
      init_by_lua_block {
        fogcloud, seen = require "fogcloud", {}
        local ok, err = pcall(fogcloud.new, {})
        seen.too_early = err
      }
      init_worker_by_lua_block {
        local cloud = require("account").cloud() -- nothing to wait for
        local ok, err, more = pcall(cloud.products, cloud)
        seen.no_wait = tostring(err) .. tostring(more)
        fogcloud.spawn(function() seen.from_worker = #assert(cloud:products()) end)
      }
    ]], server = [[
      location /errors { content_by_lua_block { ngx.say(seen.too_early, "\n", tostring(seen.no_wait)) } }
      location /spawned { content_by_lua_block { ngx.say(seen.from_worker) } }
      location /run { content_by_lua_block { ngx.say(select(2, pcall(fogcloud.run))) } }
      location /log {
        content_by_lua_block { ngx.say "ok" }
        log_by_lua_block { local cloud = require("account").cloud(); seen.log_error = select(2, pcall(cloud.token, cloud)) }
      }
      location /logged { content_by_lua_block { ngx.say(seen.log_error) } }
    ]] }
    local errors = nginx:get("/errors")
    assert.matches("begin in init_worker_by_lua*", errors, 1, true)
    assert.matches("nginx cannot wait in init_worker_by_lua*", errors, 1, true)
    nginx:wait_for("the call of init_worker", function() return nginx:get("/spawned") == "2\n" end)
    assert.matches("'openresty' has a loop of its own", (nginx:get("/run")))
    assert.equal("ok\n", (nginx:get("/log")))
    assert.matches("nginx cannot wait in log_by_lua*", (nginx:get("/logged")), 1, true)
    assert_clean()
  end)

  it("leaves nothing behind without the code cache", function()
    start { http = "lua_code_cache off;", server = [[
      location /call { content_by_lua_block { ngx.say(#assert(require("account").cloud():products())) } }
      location /session { content_by_lua_block {
        local cloud = require("account").cloud()
        local account = require "account"
        local session = assert(cloud:open { app_id = account.app_id, devices = { "dev1" } })
        session:subscribe("d2c/dev1/status", 1, function() end)
        session:publish("c2d/dev1/commands", "x", { qos = 1 })
        local ok, err = session:finish(5)
        ngx.say(ok and "done" or tostring(err))
      } }
      location /left { content_by_lua_block {
        collectgarbage()
        local function count(command)
          local pipe = io.popen(command)
          local n = tonumber(pipe:read("*l"))
          pipe:close()
          return n
        end
        local pid = ngx.worker.pid()
        ngx.say(count("ls /proc/" .. pid .. "/fd | wc -l"), " ", count("ls /proc/" .. pid .. "/task | wc -l"), " ",
          (io.open("/proc/self/status"):read("*a"):match("VmRSS:%s*(%d+)")))
      } }
    ]] }
    local function left()
      local fds, threads, kb = nginx:get("/left"):match("(%d+) (%d+) (%d+)")
      return tonumber(fds), tonumber(threads), tonumber(kb)
    end
    local function ask(path, answer, count) -- one after the other
      local text = nginx:get(("%s?[1-%d]"):format(path, count))
      assert.equal(count, select(2, text:gsub(answer .. "\n", "")), text .. nginx:log())
    end
    for _, one in ipairs { { "/call", "2", 100 }, { "/session", "done", 50 } } do
      local path, answer, count = one[1], one[2], one[3]
      ask(path, answer, count / 2) -- until the allocator has its fill
      local fds, threads, kb = left()
      ask(path, answer, count)
      local more_fds, more_threads, more_kb = left()
      assert.is_true(more_fds <= fds + 10, ("%s: %d descriptors, then %d"):format(path, fds, more_fds))
      assert.is_true(more_kb <= kb + 2048, ("%s: %d KB, then %d"):format(path, kb, more_kb))
      assert.is_true(more_threads <= threads + 10, ("%s: %d threads, then %d"):format(path, threads, more_threads))
    end
    assert_clean("lua_code_cache is off")
  end)

  it("lets others have the worker while a call takes long", function()
    start { server = [[
      location /slow { content_by_lua_block { ngx.say(#assert(require("account").cloud():products())) } }
      location /other { content_by_lua_block { ngx.say "ok" } }
    ]] }
    sandbox:fail { endpoint = "products", delay = 3, count = 0 }
    local path = nginx.folder .. "/slow"
    os.execute(("(curl -s %s/slow >%s.part; mv %s.part %s) &"):format(nginx.url, path, path, path))
    nginx:wait_for("the call to be made", function() return sandbox:count { endpoint = "token" } == 1 end)
    local others = 0
    nginx:wait_for("the slow one", function()
      assert.equal("ok\n", (nginx:get("/other")))
      others = others + 1
      return io.open(path)
    end)
    assert.is_true(others > 5, others .. " were answered meanwhile")
    assert_clean()
  end)

  it("ends what a request that went away was waiting for", function()
    start { server = [[
      location /slow { content_by_lua_block {
        ngx.on_abort(function() ngx.exit(499) end)
        require("account").shared():products()
        ngx.log(ngx.ERR, "it went on")
      } }
      location /running { content_by_lua_block { ngx.say(ngx.timer.running_count(), " ", ngx.timer.pending_count()) } }
    ]], http = "lua_check_client_abort on; lua_shared_dict fogcloud 1m;" }
    sandbox:fail { endpoint = "products", delay = 1, count = 0 }
    os.execute(("curl -s -m 0.4 %s/slow"):format(nginx.url))
    nginx:wait_for("the pump to end", function() return nginx:get("/running") == "0 0\n" end)
    assert_clean()
  end)

  it("closes the session that a request was opening when it went away", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    start { http = "lua_check_client_abort on;", server = ([[
      location /open { content_by_lua_block {
        ngx.on_abort(function() ngx.exit(499) end)
        require("fogcloud").connect({ clientid = "c", loginname = "x", password = "y", mqtthost = "127.0.0.1",
          mqttport = %d }, { tls = false })
        ngx.log(ngx.ERR, "it went on")
      } }
      location /running { content_by_lua_block { ngx.say(ngx.timer.running_count()) } }
    ]]):format(port) }
    os.execute(("curl -s -m 0.4 %s/open"):format(nginx.url))
    server:settimeout(10)
    local broker = assert(server:accept())
    assert(broker:send("\32\2\0\0")) -- CONNACK
    broker:settimeout(10)
    local _, why = broker:receive(100000) -- the client's CONNECT and DISCONNECT are less
    assert.equal("closed", why)
    broker:close()
    server:close()
    nginx:wait_for("the pump to end", function() return nginx:get("/running") == "0\n" end)
    assert_clean()
  end)

  it("says in time what nginx does not give it", function()
    local CALL = [[
      location /call { content_by_lua_block {
        local _, err = require("account").cloud():products { timeout = tonumber(ngx.var.arg_timeout) }
        ngx.say(tostring(err))
      } }
      location /connect { content_by_lua_block {
        local _, err = require("fogcloud").connect({ clientid = "c", loginname = "x", password = "y", mqtthost = "127.0.0.1",
          mqttport = 1 }, { tls = false, timeout = 60 })
        ngx.say(tostring(err))
      } }
    ]]
    start { server = CALL, http = [[ lua_max_pending_timers 4; init_worker_by_lua_block {
      for i = 1, 4 do assert(ngx.timer.at(1000, function() end)) end
    } ]] }
    assert.matches("lua_max_pending_timers are not enough", (nginx:get("/call?timeout=0.5")), 1, true)
    assert.equal(1, #nginx:complaints())
    assert_clean("lua_max_pending_timers are not enough")
    nginx:stop()
    start { server = CALL, http = [[ init_worker_by_lua_block {
      local ffi = require "ffi"
      ffi.cdef "int setenv(const char *, const char *, int);"
      ffi.C.setenv("TMPDIR", "/nonexistent", 1)
    } ]] }
    assert.matches("no wake-up socket in TMPDIR: No such file", (nginx:get("/call?timeout=60")), 1, true)
    assert.matches("no wake-up socket in TMPDIR: No such file", (nginx:get("/connect")), 1, true)
    assert_clean("the wake%-up socket is not served")
  end)

  it("makes a call when nginx has a timer for it again", function()
    start { http = [[ lua_max_pending_timers 4; init_worker_by_lua_block {
      for i = 1, 4 do assert(ngx.timer.at(1, function() end)) end
    } ]], server = [[
      location /call { content_by_lua_block { ngx.say(#assert(require("account").cloud():products())) } }
    ]] }
    assert.equal("2\n", (nginx:get("/call")))
    assert_clean("lua_max_pending_timers are not enough")
  end)

  it("wakes by events alone: an idle session costs no turn of the loop", function()
    start { workers = 1, server = [[
      location /open { content_by_lua_block {
        local account = require "account"
        account.session = assert(account.cloud():open { app_id = account.app_id, devices = { "dev1" } })
        account.session:subscribe("d2c/dev1/status", 1, function(_, payload) account.last = payload end)
        ngx.say "open"
      } }
      location /last { content_by_lua_block { ngx.say(require("account").last) } }
    ]] }
    assert.equal("open\n", (nginx:get("/open")))
    local device = sandbox:device("dev1")
    assert(device:report("status", "1"))
    nginx:wait_for("the message", function() return nginx:get("/last") == "1\n" end)
    local pid = nginx:workers()[1]
    local function turns()
      local file = assert(io.open(("/proc/%d/task/%d/status"):format(pid, pid)))
      local text = file:read("*a")
      file:close()
      return tonumber(text:match("voluntary_ctxt_switches:%s*(%d+)"))
    end
    socket.sleep(0.2) -- curl's connection is closed by now
    local before = turns()
    socket.sleep(1.5)
    assert.is_true(turns() - before <= 1, (turns() - before) .. " turns in 1.5 s")
    device:close()
    local old = nginx:reload() -- a session that nobody closed does not hold up a worker's end
    nginx:wait_for("the old worker to end", function() return nginx:are_gone(old) end)
    assert_clean()
  end)

  it("cancels tasks, and reports what nobody waits for", function()
    start { server = [[
      location /cancel { content_by_lua_block {
        local fogcloud = require "fogcloud"
        local task = fogcloud.spawn(function() return fogcloud.sleep(30) end)
        ngx.sleep(0.01)
        task:cancel()
        local ok, slept, why = task:wait(5)
        ngx.say(tostring(ok), " ", tostring(slept), " ", why)
      } }
      location /throw { content_by_lua_block {
        local fogcloud = require "fogcloud"
        local ok, err = fogcloud.spawn(error, "awaited", 0):wait(5)
        fogcloud.spawn(error, "nobody waits for me")
        ngx.say(tostring(ok), " ", err:match("^%w+"))
      } }
    ]] }
    assert.equal("true nil cancelled\n", (nginx:get("/cancel")))
    assert.equal("nil awaited\n", (nginx:get("/throw")))
    nginx:wait_for("the report", function() return nginx:log():find("error in a task: nobody waits for me", 1, true) end)
  end)

  it("loses no task to nginx's limits on timers", function()
    start { http = "lua_max_running_timers 8; lua_max_pending_timers 16;", server = [[
      location /many { content_by_lua_block {
        local fogcloud = require "fogcloud"
        local tasks, done = {}, 0
        for i = 1, 60 do tasks[i] = fogcloud.spawn(function() assert(fogcloud.sleep(0.02)) done = done + 1 end) end
        for i = 1, 60 do assert(tasks[i]:wait(20)) end
        ngx.say(done)
      } }
    ]] }
    assert.equal("60\n", (nginx:get("/many")), nginx:log())
    assert_clean("timers are not enough")
  end)

  it("ends sessions of many Lua states with their worker", function()
    start { http = "lua_code_cache off;", server = [[
      location /open { content_by_lua_block {
        local account = require "account"
        local session = assert(account.cloud():open { app_id = account.app_id, devices = { "dev1" } })
        assert(session:publish("c2d/dev1/commands", "x", { qos = 1 }))
        ngx.say "open"
      } }
    ]] }
    local device, got = sandbox:device("dev1"), 0
    assert(device:on_command(function() got = got + 1 end))
    for _ = 1, 3 do assert.equal("open\n", (nginx:get("/open"))) end
    local old = nginx:reload()
    support.serve_until(function() return got == 3 and nginx:are_gone(old) end)
    device:close()
    assert_clean("lua_code_cache is off")
  end)
end)
