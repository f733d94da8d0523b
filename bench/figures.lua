-- SPDX-License-Identifier: MIT
--- Figures that are not a race against peers: how far a deadline is overrun, and what the sandbox carries. Writes a
--- Markdown section to the file given.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local sandboxes = require "fogcloud.sandbox"
local system = require "fogcloud.sandbox.core"

local lines = { "## Deadlines and the sandbox", "", "| figure | value |", "|---|---|" }

local function figure(name, format, ...)
  local value = format:format(...)
  print(("  %-70s %s"):format(name, value))
  lines[#lines + 1] = ("| %s | %s |"):format(name, value)
end

local function percentile(values, part)
  table.sort(values)
  return values[math.max(1, math.ceil(part * #values))]
end

local function timed(n, fn)
  local values = {}
  for i = 1, n do
    local started = core.now()
    fn(i)
    values[i] = core.now() - started
  end
  return values
end

local function overrun(sandbox, cloud)
  assert(cloud:token())
  sandbox:fail { endpoint = "products", delay = 5, count = 0 }
  local values = timed(100, function() assert(not cloud:products { timeout = 0.05 }) end)
  sandbox:reset()
  figure("overrun of a 50 ms deadline on a silent server, p50, p99", "%.2f ms, %.2f ms",
    (percentile(values, 0.5) - 0.05) * 1e3, (percentile(values, 0.99) - 0.05) * 1e3)
end

local DEVICES = 10000

local function seed()
  local devices = {}
  for i = 1, DEVICES + 10 do devices[i] = { id = "dev" .. i, password = "p" } end
  return { accounts = { { client_id = "bench-id", client_secret = "bench-secret", apps = { "app" }, products = {},
    devices = devices } } }
end

local function grants(sandbox, cloud)
  local client = assert(cloud:create_client(sandbox.app_id))
  local id = client.clientid
  for i = 1, 10 do assert(cloud:grant(id, "dev" .. i)) end
  local function p50()
    local values = {}
    for i = 1, 300 do
      values[i] = timed(1, function() assert(cloud:grant(id, "dev11")) end)[1]
      assert(cloud:revoke(id, "dev11"))
    end
    return percentile(values, 0.5)
  end
  local few = p50()
  local ids = {}
  for i = 12, DEVICES do ids[#ids + 1] = "dev" .. i end
  local started = core.now()
  assert(cloud:grant_all(id, ids))
  figure("grant_all of 10,000 devices, one process", "%.0f per second", #ids / (core.now() - started))
  local many = p50()
  figure("a grant with 10 devices granted, p50", "%.2f ms", few * 1e3)
  figure("the same with 10,000", "%.2f ms, %.2f times as long", many * 1e3, many / few)
end

local function requests(cloud)
  local values, started = {}, core.now()
  for _ = 1, 32 do
    fogcloud.spawn(function()
      for _, value in ipairs(timed(200, function() assert(cloud:products()) end)) do values[#values + 1] = value end
    end)
  end
  fogcloud.run()
  figure("API requests at the sandbox, 32 at a time", "%.0f per second, p99 %.1f ms", #values / (core.now() - started),
    percentile(values, 0.99) * 1e3)
end

-- Messages per second from one session to another through a broker.
local function through(from, to)
  local count, got, last = 60000, 0, nil
  local opts = { tls = false, out_count = 100000, in_count = 100000, out_bytes = 1e8, in_bytes = 1e8 }
  local publisher, subscriber = assert(fogcloud.connect(from, opts)), assert(fogcloud.connect(to, opts))
  assert(subscriber:subscribe("c2d/dev1/#", 0, function()
    got, last = got + 1, core.now()
  end))
  local started = core.now()
  for i = 1, count do assert(publisher:publish("c2d/dev1/n", ("%064d"):format(i), { wait = true })) end
  local deadline = core.now() + 20
  while got < count and core.now() < deadline do fogcloud.step(0.01) end
  publisher:close()
  subscriber:close()
  fogcloud.run()
  assert(got == count, ("%d of %d messages came"):format(got, count))
  return got / (last - started)
end

local function bare_broker()
  local folder, port = system.make_folder(), system.free_port()
  local path = folder .. "/mosquitto.conf"
  local file = assert(io.open(path, "w"))
  local config = "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 100000\n"
  file:write(config:format(port))
  file:close()
  local pid = assert(system.spawn({ "/usr/sbin/mosquitto", "-c", path }))
  while not system.listens(port) do system.poll({}, 0.01) end
  return port, function()
    system.kill(pid, 15)
    system.wait(pid, true)
    system.remove_folder(folder)
  end
end

local function broker(sandbox, cloud)
  local client = assert(cloud:create_client(sandbox.app_id))
  assert(cloud:grant(client.clientid, "dev1"))
  local function login(id, name, password, port)
    return { clientid = id, loginname = name, password = password, mqtthost = "localhost", mqttport = port }
  end
  local port, stop = bare_broker()
  local ours, bare = {}, {}
  for i = 1, 3 do
    ours[i] = through(client, login("device-dev1", "dev1", "p", client.mqttport))
    bare[i] = through(login("a", "a", "p", port), login("b", "b", "p", port))
  end
  stop()
  local with, without = percentile(ours, 0.5), percentile(bare, 0.5)
  figure("messages through the sandbox's broker, QoS 0, 64 B", "%.0f per second", with)
  figure("messages through mosquitto without the plugin", "%.0f per second; the sandbox's is %.2f of it", without,
    with / without)
end

local sandbox = sandboxes.start { seed = seed() }
local cloud = fogcloud.new(sandbox:options())
overrun(sandbox, cloud)
cloud = fogcloud.new(sandbox:options())
grants(sandbox, cloud)
requests(cloud)
broker(sandbox, cloud)
sandbox:stop()

local out = assert(io.open(arg[1], "w"))
out:write(table.concat(lines, "\n"), "\n")
out:close()
