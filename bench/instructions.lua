-- SPDX-License-Identifier: MIT
--- Instructions per operation, counted by Callgrind: they hardly depend on how busy the machine is. Each client runs
--- twice, and what the longer run needs more is divided by the operations that it does more, so that starting and
--- connecting do not count. Only user space: a system call is one instruction here.
---
---   instructions.lua BUILD_DIR BASELINE.json compare|store
local json = require "cjson.safe"
local programs = dofile("bench/programs.lua")

local out, baseline_path, action = arg[1], arg[2], arg[3]
local CHANGE = 0.05

local FOGCLOUD = "env LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/lua5.4/?.so;;'"
  .. " valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=$OUT/callgrind.log lua5.4 bench/"
local C = "valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=$OUT/callgrind.log $OUT/"

local function mqtt(name, mode, qos, size, tls)
  return { name = name, mode = mode, qos = qos, size = size, tls = tls, window = 100, short = 5000, long = 25000,
    clients = { { name = "libmosquitto, C", command = C .. "client_mosq" },
      { name = "fogcloud", command = FOGCLOUD .. "client_fogcloud.lua" } } }
end

local function http(name, many)
  return { name = name, http = true, many = many, short = 128, long = 1152,
    clients = { { name = "libcurl, C", command = C .. "http_curl" },
      { name = "fogcloud", command = FOGCLOUD .. "http_fogcloud.lua" } } }
end

local CASES = {
  mqtt("receive, 64 B, QoS 0", "recv", 0, 64), mqtt("receive, 64 B, QoS 1", "recv", 1, 64),
  mqtt("receive, 1 KiB, QoS 0", "recv", 0, 1024),
  mqtt("publish, 64 B, QoS 0", "pub", 0, 64), mqtt("publish, 64 B, QoS 1", "pub", 1, 64),
  mqtt("receive, 64 B, QoS 0, TLS", "recv", 0, 64, true), mqtt("receive, 1 KiB, QoS 0, TLS", "recv", 0, 1024, true),
  mqtt("publish, 64 B, QoS 1, TLS", "pub", 1, 64, true),
  http("HTTP calls, one at a time", 1), http("HTTP calls, 64 at a time", 64),
}

local function instructions(case, client, count)
  local ok, why = programs.run(out, case, client, count)
  assert(ok, ("%s failed at %s: %s"):format(client.name, case.name, why))
  local log = programs.read(out .. "/callgrind.log")
  return assert(tonumber(log:match("Collected : (%d+)")), "no count in callgrind's log")
end

local function per_operation(case, client)
  local short, long = instructions(case, client, case.short), instructions(case, client, case.long)
  return math.floor((long - short) / (case.long - case.short) + 0.5)
end

local baseline = json.decode(programs.read(baseline_path) or "") or {}
local counts, changed = {}, false
for _, case in ipairs(CASES) do
  for _, client in ipairs(case.clients) do
    local name = case.name .. ": " .. client.name
    local now, before = per_operation(case, client), baseline[case.name .. ": " .. client.name]
    counts[name] = now
    local change = before and now / before - 1 or 0
    local loud = math.abs(change) > CHANGE and client.name == "fogcloud"
    changed = changed or loud
    print(("%-46s %8d %s%s"):format(name, now, before and ("%+6.1f %%"):format(100 * change) or "",
      loud and "  <-- changed" or ""))
  end
end

local function write(path)
  local names, lines = {}, {}
  for name in pairs(counts) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do lines[i] = ("  %s: %d"):format(json.encode(name), counts[name]) end
  local file = assert(io.open(path, "w"))
  file:write("{\n", table.concat(lines, ",\n"), "\n}\n")
  file:close()
end

write(out .. "/instructions.json")
if action == "store" then
  write(baseline_path)
elseif changed then
  print("changed by more than 5 %; if it is meant: make -C bench baseline")
  os.exit(1)
end
