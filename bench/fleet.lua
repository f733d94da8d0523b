-- SPDX-License-Identifier: MIT

--- What a fleet costs, by its number of workers: token requests, Redis' commands, memory, and how many messages a
--- second come through one broker; what that costs Redis and the broker; and what follows for many more workers.
--- Writes a Markdown section to a file. From the checkout, after `make build`:
---
---     . scripts/env.sh && lua5.4 bench/fleet.lua [FILE [1 4 16 64]]
---
--- Everything runs on this machine, whose cores they share: CPU for each message and each command is what holds on
--- another one, too.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local hosts = require "fogcloud.host"
local ledger = require "examples.fleet.ledger"
local marks = require "fogcloud.store.mark"
local programs = dofile("bench/programs.lua")
local sandboxes = require "fogcloud.sandbox"
local socket = require "socket"
local stores = require "fogcloud.store"

local LIFE, REST, DEVICES, MESSAGES = 10, 20, 64, 64000
local BURST = 5 -- seconds

local section = dofile("bench/section.lua") "Fleets"

local function run(command) return (programs.shell(command):gsub("%s+$", "")) end

-- Processes -----------------------------------------------------------------------------------------------------------

local folder, redis_port, redis, sandbox, broker

local function start(environment, command, log)
  return tonumber(run(("env %s %s >>%s/%s 2>&1 </dev/null & echo $!"):format(environment, command, folder, log)))
end

local TICKS = tonumber(run "getconf CLK_TCK")

-- Seconds of CPU that a process has had.
local function cpu(pid)
  local fields = {}
  for field in (programs.read(("/proc/%d/stat"):format(pid)) or ""):match("^.*%)(.*)$"):gmatch("%S+") do
    fields[#fields + 1] = tonumber(field) or 0
  end
  return (fields[12] + fields[13]) / TICKS
end

local function cpu_of_all(pids)
  local total = 0
  for _, pid in ipairs(pids) do total = total + cpu(pid) end
  return total
end

-- MiB of a process that are its own, or its share of what it has in common with others.
local function memory(pid)
  return (tonumber(run(("awk '/^Pss:/ { print $2 }' /proc/%d/smaps_rollup"):format(pid))) or 0) / 1024
end

local function redis_info(part) return run(("redis-cli -p %d info %s"):format(redis_port, part)) end

-- Redis' own count: of a script, and of what it calls.
local function commands()
  local total = 0
  for name, calls in redis_info("commandstats"):gmatch "cmdstat_(%S-):calls=(%d+)" do
    if name ~= "info" then total = total + tonumber(calls) end
  end
  return total
end

local function wait_for(done)
  local deadline = core.now() + 120
  while not done() do
    assert(core.now() < deadline, "it did not happen in time")
    fogcloud.sleep(0.1)
  end
end

-- A fleet -------------------------------------------------------------------------------------------------------------

local function set_up()
  folder = run "mktemp -d /tmp/fogcloud-scale.XXXXXX"
  local free = assert(socket.bind("127.0.0.1", 0))
  redis_port = select(2, free:getsockname())
  free:close()
  redis = start("", ("redis-server --port %d --save '' --dir %s"):format(redis_port, folder), "redis.log")
  sandbox = sandboxes.start { devices = DEVICES }
  for pid, parent in run("ps -o pid=,ppid= -C mosquitto"):gmatch "(%d+) +(%d+)" do
    if tonumber(parent) == sandbox:info().pid then broker = tonumber(pid) end
  end
  local ids = {}
  for i = 1, DEVICES do ids[i] = "device" .. i end
  programs.write(folder .. "/devices", table.concat(ids, "\n") .. "\n")
end

local function clean_up(pids)
  for _, pid in ipairs(pids) do os.execute("kill -9 " .. pid) end
  os.execute("kill -9 " .. redis)
  sandbox:stop()
  run("rm -rf " .. folder)
end

local function start_workers(count, slots)
  local account, pids = sandbox:options(), {}
  local environment = ("FLEET_STORE=redis://127.0.0.1:%d FLEET_NAME=scale FLEET_SLOTS=%d FLEET_DEVICES=%s/devices "
    .. "FLEET_LIFE=%d FLEET_LEDGER=%s/ledger FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s FOGCLOUD_CLIENT_SECRET='%s' "
    .. "FOGCLOUD_APP_ID=%s FOGCLOUD_CA_FILE=%s"):format(redis_port, slots, folder, LIFE, folder,
    account.base_url, account.client_id, account.client_secret, sandbox.app_id, sandbox.ca_file)
  for i = 1, count do pids[i] = start(environment, "lua5.4 examples/fleet/worker.lua", "workers.log") end
  wait_for(function() return ledger.taken(ledger.read(folder .. "/ledger")) == slots end)
  fogcloud.sleep(LIFE) -- until all have their fair share
  return pids
end

local function publishers()
  local sessions = {}
  for i = 1, DEVICES do
    local id = "device" .. i
    sessions[i] = assert(fogcloud.connect({ clientid = "device-" .. id, loginname = id, password = id .. "-secret",
      mqtthost = "localhost", sslport = sandbox.tls_port }, { ca_file = sandbox.ca_file }))
  end
  return sessions
end

-- All messages as fast as they go: how many a second were handled, and the us of CPU that one takes of the broker, and
-- of its worker.
local function flood(pids)
  local sent, tasks, each, sessions = {}, {}, MESSAGES // DEVICES, publishers()
  local function handled() return tonumber(run(("grep -c ' handled ' %s/ledger"):format(folder))) end
  local began, of_broker, of_workers = core.now(), cpu(broker), cpu_of_all(pids)
  for i, session in ipairs(sessions) do
    sent["device" .. i] = each
    tasks[i] = fogcloud.spawn(function()
      local topic = ("d2c/device%d/orders"):format(i)
      for n = 1, each do assert(session:publish(topic, tostring(n), { qos = 1, wait = true, timeout = 60 })) end
      assert(session:finish(60))
    end)
  end
  for _, task in ipairs(tasks) do assert(task:wait()) end
  wait_for(function() return handled() >= MESSAGES end)
  of_broker, of_workers = cpu(broker) - of_broker, cpu_of_all(pids) - of_workers
  local book = ledger.read(folder .. "/ledger")
  assert(ledger.missing(book, sent) == 0)
  return MESSAGES / (book[#book].at - began), of_broker / MESSAGES * 1e6, of_workers / MESSAGES * 1e6
end

-- Figures of a fleet of so many workers, and a row of them.
local function measure(count)
  set_up()
  local slots = math.max(16, count)
  local pids = start_workers(count, slots)
  local before = commands()
  fogcloud.sleep(REST)
  local figures = { per_hour = (commands() - before) / count * 3600 / REST, own = 0 }
  for _, pid in ipairs(pids) do figures.own = figures.own + memory(pid) / count end
  figures.rate, figures.broker_us, figures.worker_us = flood(pids)
  section:row(count, slots, ("%d"):format(sandbox:count { endpoint = "token" }), ("%.0f"):format(figures.per_hour),
    ("%.1f"):format(figures.own), ("%.0f"):format(figures.rate),
    ("%.1f"):format(figures.broker_us), ("%.1f"):format(figures.worker_us))
  clean_up(pids)
  return figures
end

-- Redis ---------------------------------------------------------------------------------------------------------------

-- The us of CPU of one command of those that a fleet has for Redis: of as many workers as there are devices, each with
-- a connection of its own, one command after the other.
local function redis_us()
  set_up()
  local tasks, workers = {}, {}
  for i = 1, DEVICES do -- another URL is another connection
    local url = ("redis://127.0.0.1:%d/0?timeout=%.3f"):format(redis_port, 10 + i / 1000)
    workers[i] = stores.resolve(url, hosts.get())
    assert(workers[i]:join("fleet", "member " .. i, LIFE))
  end
  local before, used, ends = commands(), cpu(redis), core.now() + BURST
  for i, store in ipairs(workers) do
    tasks[i] = fogcloud.spawn(function()
      local mark = marks.new()
      while core.now() < ends do
        for _ = 1, 5 do assert(store:join("fleet", "member " .. i, LIFE)) end -- as often as a worker with one slot
        for _ = 1, 3 do assert(store:lease("slot " .. i, mark, LIFE)) end
      end
    end)
  end
  for _, task in ipairs(tasks) do assert(task:wait()) end
  local each = (cpu(redis) - used) / (commands() - before) * 1e6
  clean_up {}
  return each
end

-- Many more -----------------------------------------------------------------------------------------------------------

-- With two digits.
local function round(value)
  local size = 10 ^ math.floor(math.log(value, 10) - 1)
  return ("%.14g"):format(math.floor(value / size + 0.5) * size)
end

local function extrapolate(first, last, of_redis)
  section:text(([[
So a core of the broker is full at %s messages a second where they come in batches, and at %s where each comes alone,
to another worker. One of Redis is full at %s commands, by its CPU when each worker's come one by one on a connection of
its own. From the last row, with a slot for each worker:]]):format(round(1e6 / first.broker_us),
    round(1e6 / last.broker_us), round(1e6 / of_redis)))
  section:columns("workers", "Redis commands a second", "cores of Redis", "GiB of the workers")
  for _, count in ipairs { 64, 1000, 10000, 25000, 100000 } do
    local each = count * last.per_hour / 3600
    section:row(count, round(each), round(each * of_redis / 1e6), round(count * last.own / 1024))
  end
end

fogcloud.spawn(function()
  section:text(([[
A fleet over one Redis and one mosquitto with TLS, a lease's life of %d s; %d devices, %d messages of QoS 1, each
handled and noted in a file by its worker. The publishers are on the same machine, too.]]):format(LIFE, DEVICES,
    MESSAGES))
  section:columns("workers", "slots", "token requests in a token's life", "Redis commands per worker and hour",
    "MiB per worker (its own part)", "messages/s, all together", "us of the broker's CPU a message",
    "us of a worker's CPU a message")
  local first, last
  local counts = { table.unpack(arg, 2) }
  for _, count in ipairs(#counts > 0 and counts or { 1, 4, 16, 64 }) do
    last = measure(math.tointeger(tonumber(count)))
    first = first or last
  end
  extrapolate(first, last, redis_us())
  section:write(arg[1])
end)
fogcloud.run()
