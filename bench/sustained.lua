-- SPDX-License-Identifier: MIT

--- How many messages a second a session takes with its bounds as they are: a sender in C goes on for a second at each
--- rate, whatever the client does, and at the bound the session drops the oldest. Writes a Markdown section to the file
--- given.
---
---   sustained.lua BUILD_DIR [FILE]   the driver
---   sustained.lua PORT COUNT SIZE    one client: what arrived, what was dropped, the seconds, the resident set
local programs = dofile("bench/programs.lua")

local function client(port, count)
  local core, fogcloud = require "fogcloud.core", require "fogcloud"
  local session = assert(fogcloud.connect({
    clientid = "bench", loginname = "u", password = "p", mqtthost = "localhost", mqttport = port,
  }, { tls = false }))
  local got, first, last = 0, nil, core.now()
  assert(session:subscribe("bench/#", 0, function()
    got = got + 1
    if got == 1 then first = core.now() end
    if got % 256 == 0 or got == count then last = core.now() end
  end))
  local dropped = 0
  while got + dropped < count and core.now() - last < 2 do
    fogcloud.step(0.1)
    dropped = session:stats().received_dropped
  end
  local rss = programs.read("/proc/self/status"):match("VmHWM:%s*(%d+)")
  print(("%d %d %.6f %d"):format(got, dropped, last - (first or last), rss))
  os.exit(0)
end

if tonumber(arg[1]) then client(tonumber(arg[1]), tonumber(arg[2])) end

local out, to = arg[1], arg[2]
local section = dofile("bench/section.lua") "Receiving at a steady rate"
local TRIES = 3

-- The worst of some tries: dropped, and the rate and the resident set of it.
local function attempt(size, rate)
  local worst
  for _ = 1, TRIES do
    local port, stop = programs.serve(("%s/peer pace 0 %d %d %d"):format(out, size, rate, rate))
    local text = programs.shell(("timeout 30 lua5.4 bench/sustained.lua %s %d"):format(port, rate))
    stop()
    local got, dropped, seconds, rss = text:match("(%d+) (%d+) (%S+) (%d+)")
    assert(got, "no answer from the client")
    if worst == nil or tonumber(dropped) > worst.dropped then
      worst = { dropped = tonumber(dropped), rate = got / seconds, rss = rss / 1024 }
    end
  end
  return worst
end

section:text(([[
QoS 0 over TCP with the default bounds (`in_count`, `in_bytes`), a second at each rate, the worst of %d tries.
Above 50,000 a second those of a millisecond come in one write.]]):format(TRIES))
section:columns("size", "sent a second", "handled a second", "dropped", "RSS, MB")
for _, case in ipairs {
  { 64, { 100000, 300000, 600000, 1000000, 1500000, 2000000, 3000000 } }, { 1024, { 100000, 300000, 600000, 1000000 } },
} do
  for _, rate in ipairs(case[2]) do
    local worst = attempt(case[1], rate)
    section:row(case[1] .. " B", rate, ("%.0f"):format(worst.rate), ("%.2f %%"):format(100 * worst.dropped / rate),
      ("%.1f"):format(worst.rss))
  end
end
section:write(to)
