-- SPDX-License-Identifier: MIT

--- What a session without a thread (thread = false) costs and saves: a round trip through mosquitto, and the frames of
--- a program that draws 60 times a second, with either mode in turns. Writes a Markdown section to the file given:
--- thread.lua BUILD_DIR [FILE]
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local broker = dofile("bench/broker.lua")
local programs = dofile("bench/programs.lua")
local socket = require "socket"

local out = arg[1]
local ca = out .. "/cert.pem"
local ROUNDS, TRIPS, FRAME, FRAMES = 3, 2000, 1 / 60, 60
local MODES = { { name = "a thread", thread = true }, { name = "none", thread = false } }

local section = dofile("bench/section.lua") "Without a thread"
local percentile = section.percentile

local function options(mode, more)
  local all = { tls = false, thread = mode.thread }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

local function connect(port, id, opts)
  return assert(fogcloud.connect({
    clientid = id, loginname = "x", password = "x", mqtthost = "127.0.0.1", mqttport = port, sslport = port,
  }, opts))
end

local function close(session)
  session:close()
  fogcloud.run()
end

-- One message at a time: what each took, and the CPU of one.
local function round_trips(port, mode, more)
  local session, taken, sent = connect(port, "trips", options(mode, more)), {}, nil
  local function publish()
    sent = core.now()
    session:publish("trips/x", "x")
  end
  assert(session:subscribe("trips/#", 0, function()
    taken[#taken + 1] = (core.now() - sent) * 1e6
    if #taken < TRIPS then publish() end
  end))
  local cpu = os.clock()
  publish()
  while #taken < TRIPS do fogcloud.step(1) end
  cpu = (os.clock() - cpu) / TRIPS * 1e6
  close(session)
  return taken, cpu
end

-- Draws until `done`: what fogcloud.step(0) took of each, in ms; its CPU, and that of a frame.
local function frames(each, done)
  local taken, cpu, next_frame = {}, os.clock(), core.now()
  while not done() do
    each(#taken + 1)
    local since = core.now()
    fogcloud.step(0)
    taken[#taken + 1] = (core.now() - since) * 1e3
    next_frame = next_frame + FRAME
    socket.sleep(math.max(0, next_frame - core.now()))
  end
  return taken, (os.clock() - cpu) / #taken * 1e6
end

local function figures(list, format)
  return format:format(percentile(list, 0.5)), format:format(percentile(list, 0.99)), format:format(list[#list])
end

local function append(list, values)
  for _, value in ipairs(values) do list[#list + 1] = value end
end

-- Every round is each mode once; the rows are in the order of MODES.
local function race(what, run, format)
  local all = { {}, {} }
  local extra = { {}, {} }
  for _ = 1, ROUNDS do
    for i, mode in ipairs(MODES) do
      local taken, value = run(mode)
      append(all[i], taken)
      extra[i][#extra[i] + 1] = value
    end
  end
  for i, mode in ipairs(MODES) do
    local p50, p99, most = figures(all[i], format)
    section:row(what, mode.name, p50, p99, most, ("%.0f"):format(percentile(extra[i], 0.5)))
  end
end

local port, stop, tls_port = broker.start(out)

section:text [[
One message at a time through mosquitto and back, QoS 0, from `publish` to the handler: microseconds, and CPU of this
process.]]
section:columns("over", "thread", "p50 us", "p99 us", "longest us", "CPU, us each")
race("TCP", function(mode) return round_trips(port, mode) end, "%.0f")
race("TLS", function(mode) return round_trips(tls_port, mode, { tls = true, ca_file = ca }) end, "%.0f")

local journal = out .. "/thread.journal"
os.remove(journal)

-- 16 or 17 messages a frame come in, or are published.
local function receiving(mode)
  local peer, stop_peer = programs.serve(("%s/peer pace 0 64 %d 1000"):format(out, 100000))
  local session, count = connect(tonumber(peer), "frames", options(mode)), 0
  assert(session:subscribe("bench/#", 0, function() count = count + 1 end))
  local drawn = 0
  local taken, cpu = frames(function(n) drawn = n end, function() return drawn == FRAMES end)
  assert(count > FRAMES)
  close(session)
  stop_peer()
  return taken, cpu
end

local function publishing(mode, more)
  local session, drawn = connect(port, "frames", options(mode, more)), 0
  local taken, cpu = frames(function(n)
    drawn = n
    for _ = 1, 16 do assert(session:publish("frames/x", ("x"):rep(64), { qos = 1 })) end
  end, function() return drawn == FRAMES end)
  close(session)
  return taken, cpu
end

-- The frames in which a session connects, in a task: several times, each to its end.
local function connecting(mode)
  local all, cpus = {}, {}
  for _ = 1, 5 do
    local opts, session = options(mode, { tls = true, ca_file = ca }), nil
    fogcloud.spawn(function() session = connect(tls_port, "frames", opts) end)
    local taken, cpu = frames(function() end, function() return session ~= nil end)
    append(all, taken)
    cpus[#cpus + 1] = cpu
    close(session)
  end
  return all, percentile(cpus, 0.5)
end

section:text [[
What `fogcloud.step(0)` takes of a frame, at 60 frames a second: milliseconds, and CPU of this process for a frame.]]
section:columns("a frame in which", "thread", "p50 ms", "p99 ms", "longest ms", "CPU, us each")
local FORMAT = "%.2f"
race("nothing is to be done", function(mode)
  local session, drawn = connect(port, "frames", options(mode)), 0
  local taken, cpu = frames(function(n) drawn = n end, function() return drawn == FRAMES end)
  close(session)
  return taken, cpu
end, FORMAT)
race("16 messages of QoS 0 come", receiving, FORMAT)
race("16 are published, QoS 1", publishing, FORMAT)
race("the same, with a journal", function(mode) return publishing(mode, { journal = journal }) end, FORMAT)
race("the same, `journal_sync = \"full\"`", function(mode)
  return publishing(mode, { journal = journal, journal_sync = "full" })
end, FORMAT)
race("it connects over TLS", connecting, FORMAT)
stop()
os.remove(journal)
section:write(arg[2])
