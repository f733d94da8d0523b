-- SPDX-License-Identifier: MIT
--- What a FogCloud call that takes long costs the other requests of its nginx worker, and what the gateway of
--- examples/openresty carries. Driven by wrk. Writes a Markdown section to the file given.
local Nginx = require "spec.support.nginx"
local gateway = require "spec.support.gateway"
local sandboxes = require "fogcloud.sandbox"
local socket = require "socket"
local system = require "fogcloud.sandbox.core"

local SECONDS, ROUNDS = 4, 3
local TERM = 15

local lines = { "## In nginx", "", "| figure | p50 | p99 | per second |", "|---|---|---|---|" }

local function milliseconds(text)
  local number, unit = text:match("^([%d.]+)(%a+)$")
  return tonumber(number) * ({ us = 1e-3, ms = 1, s = 1e3 })[unit]
end

-- One run of wrk: p50 and p99 in milliseconds, requests a second.
local function wrk(url, connections, script)
  local pipe = assert(io.popen(("wrk -t1 -c%d -d%ds --latency %s '%s'"):format(connections, SECONDS,
    script and "-s " .. script or "", url)))
  local text = pipe:read("*a")
  pipe:close()
  assert(not text:find("Non%-2xx"), text)
  return { milliseconds(text:match("\n%s+50%%%s+(%S+)")), milliseconds(text:match("\n%s+99%%%s+(%S+)")),
    tonumber(text:match("Requests/sec:%s+(%S+)")) }
end

local function median(runs, column)
  local values = {}
  for i, run in ipairs(runs) do values[i] = run[column] end
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

local function figure(name, runs)
  local p50, p99, rate = median(runs, 1), median(runs, 2), median(runs, 3)
  print(("  %-70s %8.2f ms %8.2f ms %9.0f/s"):format(name, p50, p99, rate))
  lines[#lines + 1] = ("| %s | %.2f ms | %.2f ms | %.0f |"):format(name, p50, p99, rate)
  return p99
end

-- Requests of others, alone and while `many` calls that take two seconds each are under way, in turns.
local SERVER = [[
  location /other { content_by_lua_block { ngx.say "ok" } }
  location /sleep { content_by_lua_block { ngx.sleep(2) ngx.say "slept" } }
  location /slow { content_by_lua_block { ngx.say(#assert(cloud:products())) } }
  location /call { content_by_lua_block { ngx.say(assert(cloud:grant(account.client, "dev1")).device_id) } }
]]
local HTTP = [[
  init_worker_by_lua_block {
    local fogcloud = require "fogcloud"
    account = {}
    cloud = assert(fogcloud.new {
      base_url = "%s", ca_file = "%s", client_id = "%s", client_secret = "%s",
    })
    fogcloud.spawn(function() account.client = assert(cloud:create_client("%s")).clientid end)
  }
]]

local function background(url, many)
  local pid, to, from = system.spawn({ "/usr/bin/curl", "-s", "-Z", "--parallel-immediate", "--parallel-max",
    tostring(many), "-o", "/dev/null", url .. "?[1-100000]" }, "/dev/null")
  assert(pid, to)
  return function()
    system.kill(pid, TERM)
    system.wait(pid, true)
    system.close_fd(to)
    system.close_fd(from)
  end
end

local function beside_slow_calls()
  local sandbox = sandboxes.start { tls = true }
  local options = sandbox:options()
  local nginx = Nginx.start { workers = 1, server = SERVER, http = HTTP:format(options.base_url, sandbox.ca_file,
    options.client_id, options.client_secret, sandbox.app_id) }
  socket.sleep(0.5) -- the client is made meanwhile
  figure("a request that makes one call, one at a time", { wrk(nginx.url .. "/call", 1) })
  figure("32 at a time", { wrk(nginx.url .. "/call", 32) })
  local alone, asleep, beside = {}, {}, {}
  local function run_beside(path)
    local stop = background(nginx.url .. path, 20)
    socket.sleep(1)
    local run = wrk(nginx.url .. "/other", 2)
    stop()
    return run
  end
  for round = 1, ROUNDS do
    alone[round] = wrk(nginx.url .. "/other", 2)
    asleep[round] = run_beside("/sleep")
    sandbox:fail { endpoint = "products", delay = 2, count = 0 }
    beside[round] = run_beside("/slow")
    sandbox:heal()
  end
  figure("other requests of a worker, alone", alone)
  local before = figure("the same beside 20 requests that sleep for 2 s each", asleep)
  local after = figure("the same beside 20 calls that take 2 s each", beside)
  lines[#lines + 1] = ("| p99 beside calls, of that beside sleepers | | %.2f times | |"):format(after / before)
  nginx:stop()
  sandbox:stop()
end

local POST = [[
wrk.method, wrk.body = "POST", '{"power":true}'
]]

local function through_the_gateway()
  local sandbox = sandboxes.start()
  local nginx = gateway.start(sandbox, 1)
  local device = sandbox:device("dev1")
  nginx:wait_for("the session", function()
    assert(device:report("status", '{"power":true}'))
    return select(2, nginx:get("/devices/dev1/status")) == 200
  end)
  local script = nginx.folder .. "/post.lua"
  local file = assert(io.open(script, "w"))
  file:write(POST)
  file:close()
  local commands, statuses = {}, {}
  for round = 1, ROUNDS do
    commands[round] = wrk(nginx.url .. "/devices/dev1/commands", 16, script)
    statuses[round] = wrk(nginx.url .. "/devices/dev1/status", 16)
  end
  figure("gateway: POST /devices/:id/commands, QoS 1, one worker", commands)
  figure("gateway: GET /devices/:id/status, one worker", statuses)
  nginx:stop()
  device:close()
  sandbox:stop()
end

print "In nginx"
beside_slow_calls()
through_the_gateway()
local file = assert(io.open(arg[1], "w"))
file:write(table.concat(lines, "\n"), "\n")
file:close()
