-- SPDX-License-Identifier: MIT
--- Instructions per operation, counted by Callgrind: they hardly depend on how busy the machine is. Each client runs
--- twice, and what the longer run needs more is divided by the operations that it does more, so that starting and
--- connecting do not count. Only user space: a system call is one instruction here.
---
---   instructions.lua BUILD_DIR BASELINE.json compare|guard|store
---
--- ONLY in the environment: those whose names match, a Lua pattern; store keeps the others.
--- guard is the short form of compare, for make test: fogcloud alone, where a change would be felt most.
local json = require "cjson.safe"
local programs = dofile("bench/programs.lua")

local out, baseline_path, action = arg[1], arg[2], arg[3]
local CHANGE = 0.05

local FOGCLOUD = "env %s LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/lua5.4/?.so;;'"
  .. " valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=$OUT/callgrind.log lua5.4 bench/"
local C = "valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=$OUT/callgrind.log $OUT/"

-- With what is to stand in front.
local function fogcloud(program, environment) return FOGCLOUD:format(environment or "") .. program end

local function mqtt(name, mode, qos, size, tls)
  return { name = name, mode = mode, qos = qos, size = size, tls = tls, window = 100, short = 5000, long = 25000,
    clients = { { name = "libmosquitto, C", command = C .. "client_mosq" },
      { name = "fogcloud", command = fogcloud "client_fogcloud.lua" } } }
end

local function http(name, many)
  return { name = name, http = true, many = many, short = 128, long = 1152,
    clients = { { name = "libcurl, C", command = C .. "http_curl" },
      { name = "fogcloud", command = fogcloud "http_fogcloud.lua" } } }
end

-- The same with the second driver, for whom nothing else is measured: what it receives depends on when its threads run.
local function with_paho(case)
  local client = { name = "fogcloud, Paho", command = fogcloud("client_fogcloud.lua", "FOGCLOUD_MQTT_DRIVER=paho") }
  case.clients, case.guarded, case.short, case.long = { client }, true, 1000, 6000
  return case
end

local function guarded(case)
  case.guarded = true
  return case
end

local CASES = {
  guarded(mqtt("receive, 64 B, QoS 0", "recv", 0, 64)), guarded(mqtt("receive, 64 B, QoS 1", "recv", 1, 64)),
  mqtt("receive, 1 KiB, QoS 0", "recv", 0, 1024),
  mqtt("publish, 64 B, QoS 0", "pub", 0, 64), guarded(mqtt("publish, 64 B, QoS 1", "pub", 1, 64)),
  mqtt("receive, 64 B, QoS 0, TLS", "recv", 0, 64, true), mqtt("receive, 1 KiB, QoS 0, TLS", "recv", 0, 1024, true),
  mqtt("publish, 64 B, QoS 1, TLS", "pub", 1, 64, true),
  with_paho(mqtt("publish, 64 B, QoS 0", "pub", 0, 64)),
  guarded(http("HTTP calls, one at a time", 1)), guarded(http("HTTP calls, 64 at a time", 64)),
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
local only = os.getenv "ONLY" or "."
local counts, same, changed = {}, 0, 0
for _, case in ipairs(CASES) do
  for _, client in ipairs(case.clients) do
    local ours = client.name:find("^fogcloud") ~= nil
    local name = case.name .. ": " .. client.name
    if not name:find(only) then
      counts[name] = baseline[name]
    elseif action ~= "guard" or (ours and case.guarded) then
      local now, before = per_operation(case, client), baseline[name]
      local function change() return before and now / before - 1 or 0 end
      local function is_loud() return ours and action ~= "store" and (before == nil or math.abs(change()) > CHANGE) end
      -- Threads that were scheduled in an odd way: not twice.
      if is_loud() then now = per_operation(case, client) end
      local loud = is_loud()
      counts[name] = now
      if loud then changed = changed + 1 else same = same + 1 end
      print(("%-46s %8d %s%s"):format(name, now, before and ("%+6.1f %%"):format(100 * change()) or "",
        loud and "  <-- changed" or ""))
    end
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
elseif changed > 0 then
  print("changed by more than 5 %, or not stored; if it is meant: make -C bench baseline")
end
print(("%d passed, %d failed"):format(same, changed))
os.exit(changed == 0 and 0 or 1)
