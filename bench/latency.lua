-- SPDX-License-Identifier: MIT

--- How long a message takes through mosquitto and back, one at a time and at 10,000 a second, against Paho in C; where
--- that time goes; and from another process's write to the handler. Writes a Markdown section to the file given:
--- latency.lua BUILD_DIR [FILE]. With the core of bench/stamp.c, which writes moments into the messages.
local broker = dofile("bench/broker.lua")
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local programs = dofile("bench/programs.lua")

local out = arg[1]
local ca = out .. "/cert.pem"
local ROUNDS, COUNTS = 3, { [0] = 3000, [10000] = 20000 }
local BLANK = ("0"):rep(40) -- behind the moment of sending: where the core writes two more

local section = dofile("bench/section.lua") "Latency"
local percentile = section.percentile

-- The moments of a payload: sent, put into the inbox, taken out of the outbox.
local function moments(payload)
  return tonumber(payload:sub(1, 20)), tonumber(payload:sub(21, 40)), tonumber(payload:sub(41, 60))
end

-- As latency_paho.c does it. What each took, and the three parts of it.
local function ours(port, rate, count, authority)
  local session = broker.connect(port, "latency", authority)
  local taken, parts = {}, { {}, {}, {} }
  local function publish() session:publish("latency/x", ("%020.9f"):format(core.now()) .. BLANK) end
  fogcloud.spawn(function()
    assert(session:subscribe("latency/#", 0, function(_, payload)
      local now, sent, put, fed = core.now(), moments(payload)
      local n = #taken + 1
      taken[n] = (now - sent) * 1e6
      parts[1][n], parts[2][n], parts[3][n] = (fed - sent) * 1e6, (put - fed) * 1e6, (now - put) * 1e6
      if rate == 0 and n < count then publish() end
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
  return taken, parts
end

local function numbers(command)
  local taken = {}
  for line in programs.shell(command):gmatch("[%d.]+") do taken[#taken + 1] = tonumber(line) end
  return taken
end

local function theirs(program)
  return function(port, rate, count, authority)
    return numbers(("%s/%s %d %d %d %s"):format(out, program, port, rate, count, authority or ""))
  end
end

local CLIENTS = {
  { name = "Paho as packaged, C", run = theirs "latency_packaged" },
  { name = "**fogcloud, Lua 5.4**", run = ours },
}

local function append(list, values)
  for _, value in ipairs(values) do list[#list + 1] = value end
end

local function figures(values)
  return ("%.0f"):format(percentile(values, 0.5)), ("%.0f"):format(percentile(values, 0.99)),
    ("%.0f"):format(percentile(values, 0.999))
end

-- One rate over one transport, for all clients; the parts of ours.
local function race(transport, port, rate, authority)
  local all, our_parts = {}, { {}, {}, {} }
  for _ = 1, ROUNDS do
    for i, client in ipairs(CLIENTS) do
      all[i] = all[i] or {}
      local taken, parts = client.run(port, rate, COUNTS[rate], authority)
      append(all[i], taken)
      for k, part in ipairs(parts or {}) do append(our_parts[k], part) end
    end
  end
  for i, client in ipairs(CLIENTS) do
    section:row(client.name, transport, rate == 0 and "one at a time" or rate, figures(all[i]))
  end
  return our_parts
end

local port, stop, tls_port = broker.start(out)
section:text [[
Microseconds from `publish` to the handler, QoS 0, through mosquitto on this machine: one message at a time, and
10,000 a second, ten each millisecond. The rounds are interleaved, and all of a client's are taken together.]]
section:columns("client", "over", "messages a second", "p50 us", "p99 us", "p99.9 us")
local parts = race("TCP", port, 0)
local busy_parts = race("TCP", port, 10000)
local tls_parts = race("TLS", tls_port, 0, ca)
race("TLS", tls_port, 10000, ca)
stop()

section:text [[
Where the time of fogcloud's goes, and what it costs here to wake another thread: Lua wakes the driver's thread, and
that wakes Lua. With Paho in C the sending thread writes to the socket, and the handler runs on the thread that
receives.]]
section:columns("what", "p50 us", "p99 us", "p99.9 us")
for _, of in ipairs {
  { "one at a time", parts }, { "10,000 a second", busy_parts }, { "one at a time, TLS", tls_parts },
} do
  section:row(of[1] .. ": `publish` until the driver has the message", figures(of[2][1]))
  section:row(of[1] .. ": write, mosquitto, read, until it is in the inbox", figures(of[2][2]))
  section:row(of[1] .. ": inbox to handler", figures(of[2][3]))
end
section:row("a wake-up alone: condition variable", figures(numbers(out .. "/wakeup cond 3000")))
section:row("a wake-up alone: eventfd and poll", figures(numbers(out .. "/wakeup eventfd 3000")))

-- From another process's write to the handler: no broker and no publish of ours in between.
local function to_handler(rate, count)
  local peer, stop_peer = programs.serve(("%s/peer pace 0 40 %d %d"):format(out, count, rate))
  local session, taken, queued = broker.connect(tonumber(peer), "pace"), {}, {}
  fogcloud.spawn(function()
    assert(session:subscribe("bench/#", 0, function(_, payload)
      local now, sent, put = core.now(), moments(payload)
      taken[#taken + 1], queued[#queued + 1] = (now - sent) * 1e6, (now - put) * 1e6
    end))
    local deadline = core.now() + count / rate + 5
    while #taken < count and core.now() < deadline do fogcloud.sleep(0.01) end
    session:close()
  end)
  fogcloud.run()
  stop_peer()
  local p50, p99, p999 = figures(taken)
  section:row(rate, ("%.1f"):format(percentile(queued, 0.5)), ("%.0f"):format(percentile(queued, 0.99)), p50, p99, p999,
    ("%d of %d"):format(#taken, count))
end

section:text [[
From a sender in C, with no broker between, to the Lua handler: from the inbox (the queue between the driver's thread
and Lua), and from the sender's write.]]
section:columns("messages a second", "queue to handler, p50 us", "its p99 us", "write to handler, p50 us", "its p99 us",
  "its p99.9 us", "arrived")
to_handler(1000, 5000)
to_handler(10000, 50000)
to_handler(50000, 250000)
section:write(arg[2])
