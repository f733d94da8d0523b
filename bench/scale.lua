-- SPDX-License-Identifier: MIT

--- What grows with what: sessions, subscriptions; and small things: starting, sizes, an idle step. Writes a Markdown
--- section to a file; each measurement is a process of its own, so that none finds what another has left behind.
---
---   scale.lua BUILD_DIR [FILE]          the driver
---   scale.lua sessions|filters PORT N COUNT [CA]   N sessions with a filter each, one session with N; COUNT messages
---   scale.lua send PORT N COUNT         sends COUNT messages to N topics in turn
---   scale.lua steps PORT                frames
local broker = dofile("bench/broker.lua")
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local programs = dofile("bench/programs.lua")
local Router = require "fogcloud.mqtt.router"

local function median(values)
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

-- The processes ------------------------------------------------------------------------------------------------------

local children = {}

local function status(field) return tonumber(programs.read("/proc/self/status"):match(field .. ":%s*(%d+)")) end

local function in_task(fn)
  fogcloud.spawn(fn)
  fogcloud.run()
  os.exit(0)
end

-- Prints: milliseconds to connect and subscribe one, resident KB, threads, messages a second, us of CPU for each.
local function receive(port, n, count, subscribe_all)
  in_task(function()
    local began, got, first, last, cpu = core.now(), 0, nil, core.now(), 0
    subscribe_all(function()
      got, last = got + 1, core.now()
      if got == 1 then first, cpu = last, os.clock() end
    end)
    local each = (core.now() - began) * 1000 / n
    collectgarbage()
    local rss, threads = status "VmRSS", status "Threads"
    if count > 0 then os.execute(("lua5.4 bench/scale.lua send %d %d %d &"):format(port, n, count)) end
    local deadline = core.now() + 30
    while got < count and core.now() < deadline do fogcloud.sleep(0.005) end
    print(("%.2f %d %d %.0f %.2f"):format(each, rss, threads, got / (last - (first or 0)),
      (os.clock() - cpu) / got * 1e6))
    os.exit(got == count and 0 or 1)
  end)
end

function children.sessions(port, n, count, ca)
  receive(port, n, count, function(handler)
    for i = 1, n do
      local session = broker.connect(port, "scale" .. i, ca)
      assert(session:subscribe(("scale/%d/status"):format(i), 1, handler))
    end
  end)
end

function children.filters(port, n, count, ca)
  receive(port, n, count, function(handler)
    local session = broker.connect(port, "scale", ca)
    for i = 1, n do assert(session:subscribe(("scale/%d/%s"):format(i, i % 3 == 0 and "+" or "status"), 1, handler)) end
  end)
end

function children.send(port, n, count)
  in_task(function()
    local session = broker.connect(port, "sender")
    for i = 1, count do session:publish(("scale/%d/status"):format(i % n + 1), "x", { qos = 1, wait = true }) end
    assert(session:flush(60))
    session:close()
  end)
end

-- Prints the microseconds of a step(0) with nothing to do, and with 100 messages.
function children.steps(port)
  local session, from = broker.connect(port, "stepper"), broker.connect(port, "feeder")
  local got = 0
  assert(session:subscribe("step/x", 0, function() got = got + 1 end))
  local function step_us(rounds, prepare)
    local values = {}
    for i = 1, rounds do
      if prepare then prepare() end
      local began = core.now()
      fogcloud.step(0)
      values[i] = (core.now() - began) * 1e6
    end
    return median(values)
  end
  local idle = step_us(20000)
  local waiting = step_us(50, function()
    got = 0
    for _ = 1, 100 do from:publish("step/x", "x") end
    local deadline = core.now() + 1
    while session:stats().inbox < 100 and core.now() < deadline do os.execute("sleep 0.01") end
  end)
  print(("%.2f %.0f"):format(idle, waiting))
  os.exit(0)
end

if children[arg[1]] then children[arg[1]](tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4]), arg[5]) end

-- The driver ---------------------------------------------------------------------------------------------------------

local out, to = arg[1], arg[2]
local ca = out .. "/cert.pem"
local section = dofile("bench/section.lua") "Scale"
local port, stop, tls_port = broker.start(out)

local function child(...)
  local text = programs.shell("timeout 90 lua5.4 bench/scale.lua " .. table.concat({ ... }, " "))
  local values = {}
  for value in text:gmatch("%S+") do values[#values + 1] = tonumber(value) end
  assert(#values > 0, "no answer from scale.lua " .. table.concat({ ... }, " "))
  return values
end

-- The median of each value, over some runs of the same.
local function children_of(rounds, ...)
  local columns, medians = {}, {}
  for _ = 1, rounds do
    for i, value in ipairs(child(...)) do
      columns[i] = columns[i] or {}
      table.insert(columns[i], value)
    end
  end
  for i, values in ipairs(columns) do medians[i] = median(values) end
  return medians
end

local function kilobytes_more(n, rss, rss_of_one) -- of each session after the first
  return n > 1 and ("%.1f"):format((rss - rss_of_one) / (n - 1)) or ""
end

local MESSAGES, ROUNDS = 20000, 3

local function sessions()
  section:text(([[
Sessions of one process to mosquitto, each with a subscription; %d messages of QoS 1 to them in turn, from another
process.]]):format(MESSAGES))
  section:columns("sessions", "connect and subscribe, ms each", "over TLS", "KB each", "KB each over TLS", "threads",
    "messages/s", "CPU, us each")
  local one, tls_one, most, double
  for _, n in ipairs { 1, 3, 10, 30, 100, 300, 1000 } do
    local plain, tls = children_of(ROUNDS, "sessions", port, n, MESSAGES), child("sessions", tls_port, n, 0, ca)
    one, tls_one = one or plain, tls_one or tls
    if plain[4] >= one[4] / 2 then most = n end
    if plain[5] >= one[5] * 2 then double = double or n end
    section:row(n, plain[1], tls[1], kilobytes_more(n, plain[2], one[2]), kilobytes_more(n, tls[2], tls_one[2]),
      plain[3], ("%.0f"):format(plain[4]), plain[5])
  end
  section:text(("At least half of the rate of one session is left with up to %d. %s."):format(most, double
    and ("From %d on a message costs twice the CPU or more"):format(double) or "A message never costs twice the CPU"))
  return one, tls_one
end

local function filters()
  section:text "Filters of one session to mosquitto, a third of them with `+`, and messages to all of them in turn."
  section:columns("filters", "subscribe, ms each", "messages/s", "CPU, us each")
  for _, n in ipairs { 1, 10, 100, 1000, 10000 } do
    local values = children_of(ROUNDS, "filters", port, n, MESSAGES)
    section:row(n, values[1], ("%.0f"):format(values[4]), values[5])
  end
end

-- The router alone.
local function finding(n)
  local router, handler = Router.new(), function() end
  for i = 1, n do router:add(("d2c/dev%d/%s"):format(i, i % 3 == 0 and "+" or "status"), handler) end
  local function cost(channel) -- of a message whose topic repeats, or is new each time
    local values = {}
    for round = 1, 21 do
      local topics = {}
      for i = 1, 1000 do topics[i] = ("d2c/dev%d/%s"):format(1 + i * 7919 % n, channel(round * 1000 + i)) end
      local began = core.now()
      for i = 1, #topics do router:match(topics[i]) end
      values[round] = (core.now() - began) / #topics * 1e6
    end
    return ("%.2f"):format(median(values))
  end
  section:row(n, cost(function() return "status" end), cost(function(i) return "c" .. i end))
end

local function seconds_of(command)
  local values = {}
  for i = 1, 21 do
    local began = core.now()
    assert(os.execute(command))
    values[i] = core.now() - began
  end
  return median(values)
end

local function starting()
  local bare, with = seconds_of "lua5.4 -e ''", seconds_of "lua5.4 -e 'require \"fogcloud\"'"
  section:row("`require \"fogcloud\"`", ("%.1f ms"):format((with - bare) * 1000))
  local rss = programs.shell([[lua5.4 -e 'require "fogcloud" collectgarbage()
    for line in io.lines "/proc/self/status" do print(line:match "VmRSS:%s*(%d+)" or "") end']])
  section:row("resident after it", ("%.1f MB"):format(tonumber(rss:match("%d+")) / 1024))
  local size = programs.shell("stat -Lc %s build/lua5.4/fogcloud/core.so; find lua/fogcloud -name '*.lua' "
    .. "-not -path '*/cli/*' -not -path '*/sandbox/*' | xargs cat | wc -c")
  local so, source = size:match("(%d+)%s+(%d+)")
  section:row("core.so; Lua sources", ("%.0f KB; %.0f KB"):format(so / 1000, source / 1000))
end

local one, tls_one = sessions()
filters()
section:text "Filters in the router alone: what finding the handlers of a topic costs."
section:columns("filters", "us, topic that repeats", "us, new topic")
for _, n in ipairs { 10, 100, 1000, 10000, 100000 } do finding(n) end
section:columns("what", "value")
starting()
section:row("resident with a session up, plain", ("%.1f MB"):format(one[2] / 1024))
section:row("resident with a session up, TLS", ("%.1f MB"):format(tls_one[2] / 1024))
local idle, busy = table.unpack(child("steps", port))
section:row("`step(0)` with nothing to do", ("%.2f us"):format(idle))
section:row("`step(0)` with 100 messages to handle", ("%.0f us"):format(busy))
stop()
section:write(to)
os.exit(0)
