-- SPDX-License-Identifier: MIT

--- What grows with what: sessions, subscriptions; and small things: starting, sizes, an idle step. Writes a Markdown
--- section to the file given.
local broker = dofile("bench/broker.lua")
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local programs = dofile("bench/programs.lua")
local Router = require "fogcloud.router"

local lines = {}
local function add(line)
  lines[#lines + 1] = line
  if line:find("^|") then print(line) end
end

local function status(field)
  for line in io.lines("/proc/self/status") do
    local value = line:match("^" .. field .. ":%s*(%d+)")
    if value then return tonumber(value) end
  end
end

local function median(values)
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

-- Sessions -----------------------------------------------------------------------------------------------------------

local MESSAGES = 20000

local function in_task(fn)
  fogcloud.spawn(fn)
  fogcloud.run()
end

local function sessions(port, n)
  collectgarbage()
  local before, opened, got, last = status "VmRSS", {}, 0, nil
  in_task(function()
    local began = core.now()
    for i = 1, n do
      opened[i] = broker.connect(port, "scale" .. i)
      assert(opened[i]:subscribe("scale/" .. i, 1, function() got, last = got + 1, core.now() end))
    end
    local connecting = core.now() - began
    collectgarbage()
    local grown, threads = status "VmRSS" - before, status "Threads"
    local sender = broker.connect(port, "sender")
    began = core.now()
    for i = 1, MESSAGES do sender:publish("scale/" .. (i % n + 1), "x", { qos = 1, wait = true }) end
    assert(sender:flush(60))
    while got < MESSAGES and core.now() - last < 5 do fogcloud.sleep(0.005) end
    add(("| %d | %.1f | %.1f | %d | %.0f |"):format(n, connecting * 1000 / n, math.max(0, grown) / n, threads,
      got / (last - began)))
    sender:close()
    for i = 1, n do opened[i]:close() end
  end)
end

-- Subscriptions -----------------------------------------------------------------------------------------------------

local function subscriptions(n)
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
    return median(values)
  end
  local again, new = cost(function() return "status" end), cost(function(i) return "c" .. i end)
  add(("| %d | %.2f | %.2f |"):format(n, again, new))
end

-- Small things ------------------------------------------------------------------------------------------------------

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
  add(("| `require \"fogcloud\"` | %.1f ms |"):format((with - bare) * 1000))
  local rss = programs.shell([[lua5.4 -e 'require "fogcloud" collectgarbage()
    for line in io.lines "/proc/self/status" do print(line:match "VmRSS:%s*(%d+)" or "") end']])
  add(("| resident after it | %.1f MB |"):format(tonumber(rss:match("%d+")) / 1024))
  local size = programs.shell("stat -Lc %s build/lua5.4/fogcloud/core.so; find lua/fogcloud -name '*.lua' "
    .. "-not -path '*/cli/*' -not -path '*/sandbox/*' | xargs cat | wc -c")
  local so, source = size:match("(%d+)%s+(%d+)")
  add(("| core.so, with Paho inside; Lua sources | %.0f KB; %.0f KB |"):format(so / 1000, source / 1000))
end

local function steps(port)
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
  add(("| `step(0)` with nothing to do | %.1f us |"):format(step_us(20000)))
  local waiting = step_us(50, function()
    got = 0
    for _ = 1, 100 do from:publish("step/x", "x") end
    local deadline = core.now() + 1
    while session:stats().inbox < 100 and core.now() < deadline do os.execute("sleep 0.01") end
  end)
  add(("| `step(0)` with 100 messages to handle | %.0f us |"):format(waiting))
  from:close()
  session:close()
  fogcloud.run()
end

local port, stop = broker.start()
add "## Scale"
add ""
add(("Sessions of one process to mosquitto, each with a subscription; %d messages of QoS 1 to them in turn, from one")
  :format(MESSAGES))
add "more. What one needs more in kilobytes includes, for the first, what all share."
add ""
add "| sessions | connect and subscribe, ms each | KB each | threads | messages/s |"
add "|---|---|---|---|---|"
for _, n in ipairs { 1, 10, 100, 1000 } do sessions(port, n) end
add ""
add "Filters in the router, a third of them with `+`: what finding the handlers of a topic costs."
add ""
add "| filters | us, topic that repeats | us, new topic |"
add "|---|---|---|"
for _, n in ipairs { 10, 100, 1000, 10000, 100000 } do subscriptions(n) end
add ""
add "| | |"
add "|---|---|"
starting()
steps(port)
stop()

if arg[1] then
  local file = assert(io.open(arg[1], "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end
