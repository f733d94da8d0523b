-- SPDX-License-Identifier: MIT
--- Runs every case, interleaved: one round is every client once (A B C …), then the next round. Writes results.json.
--- run.lua BUILD_DIR [PATTERN]; ROUNDS in the environment.
local json = require "cjson.safe"
local programs = dofile("bench/programs.lua")
local cases = dofile("bench/cases.lua")

local out, pattern = arg[1], arg[2] or "."
local rounds = tonumber(os.getenv("ROUNDS")) or 5

local function run_one(case, client)
  local line = programs.run(out, case, client, math.floor(case.count * client.share))
  if line == nil then return nil end
  return { rate = line.count / line.seconds, cpu_us = line.cpu / line.count * 1e6, rss_kb = line.rss_kb }
end

local function column(runs, name)
  local values = {}
  for _, run in ipairs(runs) do values[#values + 1] = run[name] end
  table.sort(values)
  local n = #values
  local middle = n % 2 == 1 and values[(n + 1) / 2] or (values[n / 2] + values[n / 2 + 1]) / 2
  return middle, values[1], values[n]
end

local function summary(client, runs)
  local rate, low, high = column(runs, "rate")
  return { client = client.name, rate = rate, min = low, max = high, cpu_us = column(runs, "cpu_us"),
    rss_kb = column(runs, "rss_kb"), runs = #runs }
end

local function print_case(case, results)
  print(("\n%s"):format(case.name))
  print(("  %-34s %12s %12s %12s %8s %9s %6s"):format("", "per second", "min", "max", "us CPU", "RSS MB", "ratio"))
  local base = results[1] and results[1].rate or 1
  for _, r in ipairs(results) do
    if r.client == case.base then base = r.rate end
  end
  for _, r in ipairs(results) do
    r.ratio = r.rate / base
    print(("  %-34s %12.0f %12.0f %12.0f %8.2f %9.1f %6.2f"):format(r.client, r.rate, r.min, r.max, r.cpu_us,
      r.rss_kb / 1024, r.ratio))
  end
end

local function run_case(case)
  local runs = {}
  for _ = 1, rounds do
    for _, client in ipairs(case.clients) do
      runs[client.name] = runs[client.name] or {}
      local run = run_one(case, client)
      if run then table.insert(runs[client.name], run) end
    end
  end
  local results = {}
  for _, client in ipairs(case.clients) do
    if #runs[client.name] > 0 then results[#results + 1] = summary(client, runs[client.name]) end
  end
  print_case(case, results)
  return { name = case.name, base = case.base, unit = case.http and "calls" or "messages", results = results }
end

local machine = {
  cpu = (programs.read("/proc/cpuinfo") or ""):match("model name%s*:%s*([^\n]+)") or "unknown",
  cores = tonumber(programs.shell("nproc")), kernel = programs.shell("uname -sr"):gsub("\n", ""),
  system = (programs.read("/etc/os-release") or ""):match('PRETTY_NAME="([^"]+)"') or "unknown",
  date = os.date("!%Y-%m-%d"), rounds = rounds,
  load = (programs.read("/proc/loadavg") or ""):match("^%S+"),
}

local all = {}
for _, case in ipairs(cases) do
  if case.name:find(pattern) then all[#all + 1] = run_case(case) end
end
local file = assert(io.open(out .. "/results.json", "w"))
file:write(json.encode { machine = machine, cases = all }, "\n")
file:close()
