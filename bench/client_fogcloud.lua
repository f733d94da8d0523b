-- SPDX-License-Identifier: MIT
-- fogcloud itself, through its public face. Arguments and output as in common.h.
local fogcloud = require "fogcloud"

local mode, ca = arg[1], arg[7]
local port, qos, size, count = tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])
local window = tonumber(arg[6])
local stopwatch = dofile "bench/stopwatch.lua"(require("fogcloud.core").now)

local journal, sync = os.getenv "BENCH_JOURNAL", os.getenv "BENCH_SYNC"
if journal then os.remove(journal) end

-- The bounds are out of the way: what is dropped at them would only make the figures better.
local session = assert(fogcloud.connect({
  clientid = "bench", loginname = "u", password = "p", mqtthost = "localhost", mqttport = port, sslport = port,
}, { tls = ca ~= nil, ca_file = ca, window = window, in_count = count + 1, in_bytes = 2 ^ 31,
  journal = journal, journal_sync = sync, thread = os.getenv "BENCH_THREAD" ~= "0" }))

local seen, finished = 0, false
if mode == "recv" then
  assert(session:subscribe("bench/#", qos, function()
    seen = seen + 1
    if seen == 1 then stopwatch.start() end
    if seen == count then
      stopwatch.report(count)
      finished = true
    end
  end))
  while not finished do fogcloud.step(1) end
else
  assert(session:subscribe("done", 0, function()
    stopwatch.report(count)
    finished = true
  end))
  local payload, options = ("x"):rep(size), { qos = qos, wait = true }
  stopwatch.start()
  for _ = 1, count do assert(session:publish("bench/topic", payload, options)) end
  while not finished do fogcloud.step(1) end
end
os.exit(0) -- not close: that is not what is measured
