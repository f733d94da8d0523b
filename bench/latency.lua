-- SPDX-License-Identifier: MIT

--- How long a message takes through mosquitto and back, one at a time and at 10,000 a second, against Paho in C; and
--- how many go through it; and from another process's write to the handler. Writes a Markdown section to the file
--- given: latency.lua BUILD_DIR [FILE]
local broker = dofile("bench/broker.lua")
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local programs = dofile("bench/programs.lua")

local out = arg[1]
local ROUNDS, COUNTS = 3, { [0] = 3000, [10000] = 20000 }

-- As latency_paho.c does it.
local function ours(port, rate, count)
  local session, taken = broker.connect(port, "latency"), {}
  local function publish() session:publish("latency/x", ("%.9f"):format(core.now())) end
  fogcloud.spawn(function()
    assert(session:subscribe("latency/#", 0, function(_, payload)
      taken[#taken + 1] = (core.now() - tonumber(payload)) * 1e6
      if rate == 0 and #taken < count then publish() end
    end))
    local from, sent = core.now(), 0
    if rate == 0 then
      publish()
      while #taken < count do fogcloud.sleep(0.1) end
    end
    while rate > 0 and sent < count do
      publish()
      sent = sent + 1
      while sent > (core.now() - from) * rate do fogcloud.sleep(0.001) end
    end
    local deadline = core.now() + 2
    while #taken < count and core.now() < deadline do fogcloud.sleep(0.001) end
    session:close()
  end)
  fogcloud.run()
  return taken
end

local function theirs(program)
  return function(port, rate, count)
    local taken = {}
    for line in programs.shell(("%s/%s %d %d %d"):format(out, program, port, rate, count)):gmatch("[%d.]+") do
      taken[#taken + 1] = tonumber(line)
    end
    return taken
  end
end

local CLIENTS = {
  { name = "Paho as packaged, C", run = theirs "latency_packaged" },
  { name = "Paho lean, C", run = theirs "latency_lean" },
  { name = "**fogcloud, Lua 5.4**", run = ours },
}

local lines = {
  "## Latency", "",
  "Microseconds from `publish` to the handler, QoS 0, through mosquitto on this machine: one message at a time, and",
  "10,000 a second, ten each millisecond. The rounds are interleaved, and all of a client's are taken together.", "",
  "| client | messages a second | p50 us | p99 us | p99.9 us |", "|---|---|---|---|---|",
}

local function percentile(sorted, share) return sorted[math.max(1, math.ceil(#sorted * share))] or 0 / 0 end

local port, stop = broker.start()
for _, rate in ipairs { 0, 10000 } do
  local all = {}
  for _ = 1, ROUNDS do
    for _, client in ipairs(CLIENTS) do
      local list = all[client.name] or {}
      all[client.name] = list
      for _, value in ipairs(client.run(port, rate, COUNTS[rate])) do list[#list + 1] = value end
    end
  end
  for _, client in ipairs(CLIENTS) do
    local list = all[client.name]
    table.sort(list)
    lines[#lines + 1] = ("| %s | %s | %.0f | %.0f | %.0f |"):format(client.name, rate == 0 and "one at a time" or rate,
      percentile(list, 0.5), percentile(list, 0.99), percentile(list, 0.999))
    print(lines[#lines])
  end
end

-- Through the broker, as many as go: a publisher and a subscriber in this process.
local function through(qos, count)
  local from, to, got = broker.connect(port, "from"), broker.connect(port, "to"), 0
  local began, last
  fogcloud.spawn(function()
    assert(to:subscribe("through/#", qos, function() got, last = got + 1, core.now() end))
    began = core.now()
    for _ = 1, count do assert(from:publish("through/x", ("x"):rep(64), { qos = qos, wait = true })) end
    assert(from:flush(60))
    while got < count and core.now() - last < 2 do fogcloud.sleep(0.01) end -- mosquitto may drop of QoS 0
    from:close()
    to:close()
  end)
  fogcloud.run()
  lines[#lines + 1] = ("| %d | %.0f | %d of %d |"):format(qos, got / (last - began), got, count)
  print(lines[#lines])
end

for _, line in ipairs {
  "", "Through mosquitto, 64 B, publisher and subscriber in one process, as many as go:", "",
  "| QoS | messages a second | arrived |", "|---|---|---|",
} do lines[#lines + 1] = line end
through(0, 200000)
through(1, 50000)
stop()

-- From another process's write to the handler: no broker and no publish of ours in between.
local function to_handler(rate, count)
  local peer, stop_peer = programs.serve(("%s/peer pace 0 %d %d"):format(out, rate, count))
  local session, taken = broker.connect(tonumber(peer), "pace"), {}
  fogcloud.spawn(function()
    assert(session:subscribe("bench/#", 0, function(_, payload)
      taken[#taken + 1] = (core.now() - tonumber(payload)) * 1e6
    end))
    local deadline = core.now() + count / rate + 5
    while #taken < count and core.now() < deadline do fogcloud.sleep(0.01) end
    session:close()
  end)
  fogcloud.run()
  stop_peer()
  table.sort(taken)
  lines[#lines + 1] = ("| %d | %.0f | %.0f | %.0f | %d of %d |"):format(rate, percentile(taken, 0.5),
    percentile(taken, 0.99), percentile(taken, 0.999), #taken, count)
  print(lines[#lines])
end

for _, line in ipairs {
  "", "From the write of a sender in C, with no broker between, to the Lua handler: socket, receiving thread, queue,",
  "Lua.", "",
  "| messages a second | p50 us | p99 us | p99.9 us | arrived |", "|---|---|---|---|---|",
} do lines[#lines + 1] = line end
to_handler(1000, 5000)
to_handler(10000, 50000)
to_handler(50000, 250000)

if arg[2] then
  local file = assert(io.open(arg[2], "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end
