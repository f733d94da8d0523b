-- SPDX-License-Identifier: MIT

--- How long calls into the core take while somebody else stalls: a resolver that takes four seconds, a broker that
--- accepts and says nothing, one that reads nothing. A healthy session publishes and is served meanwhile; every call is
--- timed. Writes a Markdown section to the file given.
local library = os.getenv "FOG_SLOW_RESOLVER"

if library == nil then -- once more, with a resolver that is slow where it is asked to be
  library = os.tmpname()
  assert(os.execute(("${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o %s spec/support/slow_resolver.c -ldl"):format(library)))
  local again = "FOG_SLOW_RESOLVER=%s LD_PRELOAD=%s lua5.4 bench/stall.lua '%s'"
  local ok = os.execute(again:format(library, library, arg[1] or ""))
  os.remove(library)
  os.exit(ok == true or ok == 0)
end

local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local link_options = require "fogcloud.mqtt.link_options"
local options = require "fogcloud.mqtt.options"
local scripted_broker = require "spec.support.scripted_broker"
local support = require "spec.support.sandbox"

local SECONDS = 5 -- of each situation
local BINS = { 1e-5, 1e-4, 1e-3, 1e-2 }

local sandbox = support.start()
local cloud = support.cloud(sandbox)
local session = assert(cloud:connect(support.client(sandbox, cloud, { "dev1" }), { tls = false }))

local function timed(times, fn, ...)
  local since = core.now()
  fn(...)
  times[#times + 1] = core.now() - since
end

-- The calls on a session that is stuck itself: towards the same target, made, used and closed.
local function use_stuck(times, target)
  local handle
  timed(times, function() handle = session.pump.engine:session() end)
  timed(times, handle.connect, handle, target)
  timed(times, handle.publish, handle, "c2d/dev1/n", "x", 1)
  timed(times, handle.subscribe, handle, 1, "a/b", 1)
  timed(times, handle.unsubscribe, handle, 2, "a/b")
  timed(times, handle.leave, handle)
  timed(times, handle.close, handle)
end

local function measure(target)
  local times, handle, pump = {}, session.handle, session.pump
  local deadline, next_stuck = core.now() + SECONDS, core.now()
  while core.now() < deadline do
    if target and core.now() >= next_stuck then
      next_stuck = core.now() + SECONDS / 10
      use_stuck(times, target)
    end
    timed(times, handle.publish, handle, "c2d/dev1/n", "x", 1)
    timed(times, handle.stats, handle)
    timed(times, pump.engine.wait, pump.engine, 0)
    timed(times, pump.collect, pump)
    timed(times, session.handlers.receive)
    fogcloud.step(0.0005)
  end
  return times
end

local function percentile(sorted, share) return sorted[math.max(1, math.ceil(#sorted * share))] * 1e6 end

local lines = {
  "## While something stalls", "",
  "Calls into the core (publish, stats, wait, collect, receive) of a healthy session, each timed, while another one of",
  "the same process is stuck; ten times also those of a stuck one (connect, publish, subscribe, unsubscribe, leave,",
  "close). No call may take over 1 ms at p99.", "",
  "| situation | calls | p50 us | p99 us | p99.9 us | max us | < 10 us | < 100 us | < 1 ms | < 10 ms | more |",
  "|---|---|---|---|---|---|---|---|---|---|---|",
}

local function report(name, times)
  table.sort(times)
  local counts, at = {}, 1
  for i, bound in ipairs(BINS) do
    local before = at
    while at <= #times and times[at] < bound do at = at + 1 end
    counts[i] = ("%.3f %%"):format((at - before) * 100 / #times)
  end
  counts[#BINS + 1] = ("%.3f %%"):format((#times - at + 1) * 100 / #times)
  lines[#lines + 1] = ("| %s | %d | %.1f | %.1f | %.1f | %.0f | %s |"):format(name, #times, percentile(times, 0.5),
    percentile(times, 0.99), percentile(times, 0.999), times[#times] * 1e6, table.concat(counts, " | "))
  print(lines[#lines])
end

-- Keeps a session of somebody else's connecting, again and again, for as long as it is measured.
local function beside(name, credentials, opts)
  local stop = false
  local task = fogcloud.spawn(function()
    while not stop do
      local other = fogcloud.connect(credentials, opts)
      if other then
        for _ = 1, 100 do other:publish("x", ("x"):rep(100000)) end
        while not stop do fogcloud.sleep(0.1) end
        other:close()
      end
    end
  end)
  fogcloud.step(0.05)
  report(name, measure(link_options.link(credentials, options.check(opts), { link = 1, connects = 0 })))
  stop = true
  task:cancel()
  session:flush(30)
end

print "While something stalls"
report("nothing stalls", measure())
beside("a resolver takes 4 s", {
  clientid = "other", loginname = "l", password = "p", mqtthost = "broker.slow", mqttport = 1883, sslport = 8883,
}, { tls = false })
for name, mode in pairs { ["a broker says nothing"] = "silent", ["a broker reads nothing"] = "deaf" } do
  local broker = scripted_broker.start(mode)
  beside(name, broker:credentials(), { tls = false, connect_timeout = 2, keepalive = 0 })
  broker:stop()
end
session:close()
sandbox:stop()
if arg[1] and arg[1] ~= "" then
  local file = assert(io.open(arg[1], "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end
os.exit(0, false) -- sessions that never came up are not waited for
