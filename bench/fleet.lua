-- SPDX-License-Identifier: MIT

--- What a fleet costs, by its number of workers: token requests, Redis' commands, memory, and how many messages a
--- second come through one broker. From the checkout, after `make build`:
---
---     . scripts/env.sh && lua5.4 bench/fleet.lua [1 4 16 64]
---
--- Everything runs on this machine, whose cores they share: the rate says what the broker and the workers together
--- take of it, and no more.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local ledger = require "examples.fleet.ledger"
local sandboxes = require "fogcloud.sandbox"
local socket = require "socket"

local LIFE, REST, DEVICES, MESSAGES = 10, 10, 64, 8000

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a"):gsub("%s+$", "")
  pipe:close()
  return text
end

local folder, redis_port, sandbox

local function start(environment, command, log)
  return tonumber(run(("env %s %s >>%s/%s 2>&1 </dev/null & echo $!"):format(environment, command, folder, log)))
end

local function commands()
  local total = 0
  for name, calls in run(("redis-cli -p %d info commandstats"):format(redis_port)):gmatch "cmdstat_(%S-):calls=(%d+)" do
    if name ~= "info" then total = total + tonumber(calls) end
  end
  return total
end

local function memory(pids)
  local total = 0
  for _, pid in ipairs(pids) do
    total = total + (tonumber(run(("awk '/^Pss:/ { print $2 }' /proc/%d/smaps_rollup"):format(pid))) or 0)
  end
  return total / #pids / 1024
end

local function wait_for(done)
  local deadline = core.now() + 60
  while not done(ledger.read(folder .. "/ledger")) do
    assert(core.now() < deadline, "it did not happen in time")
    fogcloud.sleep(0.2)
  end
end

local function start_workers(count, slots)
  local account, pids = sandbox:options(), {}
  local environment = ("FLEET_STORE=redis://127.0.0.1:%d FLEET_NAME=scale FLEET_SLOTS=%d FLEET_DEVICES=%s/devices "
    .. "FLEET_LIFE=%d FLEET_LEDGER=%s/ledger FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s FOGCLOUD_CLIENT_SECRET='%s' "
    .. "FOGCLOUD_APP_ID=%s FOGCLOUD_CA_FILE=%s"):format(redis_port, slots, folder, LIFE, folder,
    account.base_url, account.client_id, account.client_secret, sandbox.app_id, sandbox.ca_file)
  for i = 1, count do pids[i] = start(environment, "lua5.4 examples/fleet/worker.lua", "workers.log") end
  wait_for(function(book) return ledger.taken(book) == slots end)
  fogcloud.sleep(LIFE) -- until all have their fair share
  return pids
end

-- All messages as fast as they go; how many a second were handled.
local function flood()
  local sent, tasks, each = {}, {}, MESSAGES / 8
  local sessions = {}
  for i = 1, 8 do
    local id = "device" .. i * 8
    sent[id] = each
    sessions[i] = assert(fogcloud.connect({ clientid = "device-" .. id, loginname = id, password = id .. "-secret",
      mqtthost = "localhost", sslport = sandbox.tls_port }, { ca_file = sandbox.ca_file }))
  end
  local began = core.now()
  for i, session in ipairs(sessions) do
    tasks[i] = fogcloud.spawn(function()
      local topic = ("d2c/device%d/orders"):format(i * 8)
      for n = 1, each do assert(session:publish(topic, tostring(n), { qos = 1, wait = true, timeout = 60 })) end
      assert(session:finish(60))
    end)
  end
  for _, task in ipairs(tasks) do assert(task:wait()) end
  wait_for(function(book) return ledger.missing(book, sent) == 0 end)
  local book = ledger.read(folder .. "/ledger")
  return MESSAGES / (book[#book].at - began)
end

local function measure(count)
  folder = run "mktemp -d /tmp/fogcloud-scale.XXXXXX"
  local free = assert(socket.bind("127.0.0.1", 0))
  redis_port = select(2, free:getsockname())
  free:close()
  local redis = start("", ("redis-server --port %d --save '' --dir %s"):format(redis_port, folder), "redis.log")
  sandbox = sandboxes.start { devices = DEVICES }
  local ids = {}
  for i = 1, DEVICES do ids[i] = "device" .. i end
  local file = assert(io.open(folder .. "/devices", "w"))
  file:write(table.concat(ids, "\n"), "\n")
  file:close()
  local pids = start_workers(count, math.max(16, count))
  local before = commands()
  fogcloud.sleep(REST)
  local per_hour = (commands() - before) / count * 3600 / REST
  local megabytes = memory(pids)
  local rate = flood()
  print(("| %d | %d | %d | %.0f | %.1f | %.0f |"):format(count, math.max(16, count),
    sandbox:count { endpoint = "token" }, per_hour, megabytes, rate))
  for _, pid in ipairs(pids) do os.execute("kill -9 " .. pid) end
  os.execute("kill -9 " .. redis)
  sandbox:stop()
  run("rm -rf " .. folder)
end

fogcloud.spawn(function()
  print "| workers | slots | token requests | Redis commands per worker and hour | MiB per worker | messages/s |"
  print "|---|---|---|---|---|---|"
  for _, count in ipairs(#arg > 0 and arg or { 1, 4, 16 }) do measure(tonumber(count)) end
end)
fogcloud.run()
