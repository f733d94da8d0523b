-- SPDX-License-Identifier: MIT

--- Makes a fleet's life hard, and counts: four workers with sixteen slots on three "machines", one Redis, the sandbox's
--- broker, a publisher. Workers are killed and stopped, a machine is cut off, Redis is killed, the broker restarted.
--- From the checkout, after `make build` (as root, for the machines):
--
--     . scripts/env.sh && lua5.4 examples/fleet/run.lua [--messages 20000] [--devices 40] [--workers 4] [--slots 16]
--                                                       [--machines 3] [--life 10]
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local ledger = require "examples.fleet.ledger"
local machines = require "examples.fleet.machines"
local sandboxes = require "fogcloud.sandbox"
local socket = require "socket"

local options = { messages = 20000, devices = 40, workers = 4, slots = 16, machines = 3, life = 10 }
for i = 1, #arg, 2 do
  local name = arg[i]:match "^%-%-(%l+)$"
  if options[name] == nil then error("unknown option " .. arg[i], 0) end
  options[name] = tonumber(arg[i + 1]) or error(arg[i] .. ": a number expected", 0)
end

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a"):gsub("%s+$", "")
  pipe:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local began = core.now()
local function say(text, ...) print(("%6.1f s  %s"):format(core.now() - began, text:format(...))) end

-- Processes -----------------------------------------------------------------------------------------------------------

local folder = run "mktemp -d /tmp/fogcloud-fleet.XXXXXX"
local site, sandbox, redis_pid, redis_port
local workers = {} -- number -> pid

-- Starts a command, whose words are quoted, in the background.
local function start(words, log)
  for i, word in ipairs(words) do words[i] = "'" .. tostring(word):gsub("'", "'\\''") .. "'" end
  return tonumber(run(("%s >>%s/%s 2>&1 </dev/null & echo $!"):format(table.concat(words, " "), folder, log)))
end

local function kill(pid, signal) os.execute(("kill -%s %d 2>/dev/null"):format(signal, pid)) end

local function start_redis()
  redis_pid = start({ "redis-server", "--bind", site.address, "--port", redis_port, "--dir", folder,
    "--appendonly", "yes", "--protected-mode", "no", "--save", "" }, "redis.log")
end

local function start_worker(i)
  local words = site:prefix(i)
  local account = sandbox:options()
  local store = ("redis://%s:%d/0?timeout=%g"):format(site.address, redis_port, math.min(2, options.life / 4))
  for _, word in ipairs {
    "env", "FLEET_STORE=" .. store,
    "FLEET_NAME=orders", "FLEET_SLOTS=" .. options.slots, "FLEET_DEVICES=" .. folder .. "/devices",
    "FLEET_LIFE=" .. options.life, "FLEET_LEDGER=" .. folder .. "/ledger",
    "FOGCLOUD_BASE_URL=" .. account.base_url, "FOGCLOUD_CLIENT_ID=" .. account.client_id,
    "FOGCLOUD_CLIENT_SECRET=" .. account.client_secret, "FOGCLOUD_APP_ID=" .. sandbox.app_id,
    "FOGCLOUD_CA_FILE=" .. sandbox.ca_file, os.getenv "FLEET_LUA" or "lua5.4", "examples/fleet/worker.lua",
  } do
    words[#words + 1] = word
  end
  workers[i] = start(words, "workers.log")
end

local function set_up()
  site = machines.new(options.machines)
  if site.real then
    say("%d machines (network namespaces), %d workers, %d slots", site.count, options.workers, options.slots)
  else
    say("one machine, without network namespaces: %s", site.why)
  end
  sandbox = sandboxes.start { address = site.address, tls = true, persistence = true, devices = options.devices }
  local ids = {}
  for i = 1, options.devices do ids[i] = "device" .. i end
  write(folder .. "/devices", table.concat(ids, "\n") .. "\n")
  local free = assert(socket.bind(site.address, 0))
  redis_port = select(2, free:getsockname())
  free:close()
  start_redis()
  for i = 1, options.workers do start_worker(i) end
end

local function tear_down()
  for _, pid in pairs(workers) do
    kill(pid, "CONT")
    kill(pid, "KILL")
  end
  if redis_pid then kill(redis_pid, "KILL") end
  if sandbox then sandbox:stop() end
  if site then site:remove() end
end

-- The publisher -------------------------------------------------------------------------------------------------------

local sent = {}

-- Numbers the messages of one device from 1 to `count`, spread over `seconds`.
local function publish(id, count, seconds)
  local credentials = { clientid = "device-" .. id, loginname = id, password = id .. "-secret", mqtthost = site.address,
    sslport = sandbox.tls_port }
  local how = { ca_file = sandbox.ca_file, backoff_base = 0.2, backoff_cap = 2 }
  local session = assert(fogcloud.connect(credentials, how))
  for number = 1, count do
    assert(session:publish(("d2c/%s/orders"):format(id), tostring(number), { qos = 1, wait = true, timeout = 60 }))
    sent[id] = number
    fogcloud.sleep(seconds / count)
  end
  assert(session:finish(60))
end

-- Trouble -------------------------------------------------------------------------------------------------------------

local events = {}

local function trouble(text, ...)
  events[#events + 1] = { at = core.now(), text = text:format(...) }
  say(text, ...)
end

-- What is over is told, and no longer counted.
local function relief(text)
  events[#events].ends = core.now()
  say(text)
end

local function make_trouble(life)
  fogcloud.sleep(life)
  trouble("worker 1 is killed (-9)")
  kill(workers[1], "KILL")
  fogcloud.sleep(2 * life)
  relief "another worker begins in its place"
  start_worker(1)
  fogcloud.sleep(life)
  trouble(site.real and "machine 2 is cut off" or "worker 2 is stopped (SIGSTOP)")
  if site.real then site.cut(2, true) else kill(workers[2], "STOP") end
  fogcloud.sleep(2.5 * life)
  relief "it is back"
  if site.real then site.cut(2, false) else kill(workers[2], "CONT") end
  fogcloud.sleep(life)
  trouble "Redis is killed"
  kill(redis_pid, "KILL")
  fogcloud.sleep(1.5 * life)
  say "Redis is started"
  start_redis()
  fogcloud.sleep(1.5 * life)
  trouble "the broker is restarted"
  sandbox:broker "stop"
  fogcloud.sleep(life / 4)
  sandbox:broker "start"
  fogcloud.sleep(life)
  trouble "worker 3 is stopped (SIGSTOP), so that it goes on when its time is over"
  kill(workers[3], "STOP")
  fogcloud.sleep(1.7 * life)
  relief "it goes on"
  kill(workers[3], "CONT")
end

-- All of it -----------------------------------------------------------------------------------------------------------

local function wait_for(what, seconds, done)
  local deadline = core.now() + seconds
  while core.now() < deadline do
    if done(ledger.read(folder .. "/ledger")) then return true end
    fogcloud.sleep(options.life / 10)
  end
  say("waited in vain for %s", what)
  return false
end

local function demonstrate()
  local life = options.life
  wait_for("all slots to be taken", 3 * life + 10, function(book) return ledger.taken(book) == options.slots end)
  say "all slots are taken"
  local tasks = { fogcloud.spawn(make_trouble, life) }
  local each = math.ceil(options.messages / options.devices)
  for i = 1, options.devices do tasks[#tasks + 1] = fogcloud.spawn(publish, "device" .. i, each, 13 * life) end
  for _, task in ipairs(tasks) do
    local ok, why = task:wait()
    if not ok then error(why, 0) end
  end
  say "all is published"
  wait_for("all messages", 6 * life + 10, function(book) return ledger.missing(book, sent) == 0 end)
  local report = ledger.report(ledger.read(folder .. "/ledger"), sent, events)
  report.tokens = sandbox:count { endpoint = "token" }
  write(folder .. "/ledger.end", "")
  fogcloud.sleep(life / 2)
  return report
end

local report, why
fogcloud.spawn(function() report = demonstrate() end)
local ok = pcall(function()
  set_up()
  fogcloud.run()
end)
if report == nil or not ok then why = run(("tail -n 30 %s/workers.log"):format(folder)) end
tear_down()
if report == nil then
  io.stderr:write("the demonstration failed\n", why, "\n")
  os.exit(1, true)
end
local good = ledger.print(report)
run("rm -rf " .. folder)
os.exit(good and 0 or 1, true)
