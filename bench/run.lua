-- SPDX-License-Identifier: MIT
--- Runs every case, interleaved: one round is every client once (A B C …), then the next round. Writes results.json,
--- and fails when a run of fogcloud did: run.lua BUILD_DIR [PATTERN]; ROUNDS in the environment.
local json = require "cjson.safe"
local machine = dofile("bench/machine.lua")
local programs = dofile("bench/programs.lua")
local cases = dofile("bench/cases.lua")

local out, pattern = arg[1], arg[2] or "."
local rounds = tonumber(os.getenv("ROUNDS")) or 3
local failed = 0 -- runs of fogcloud

local function run_one(case, client)
  local line, why = programs.run(out, case, client, math.floor(case.count * client.share))
  if line == nil then
    print(("  a run of %s failed: %s"):format(client.name, why))
    if client.ours then failed = failed + 1 end
    return nil
  end
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
  local result = { client = client.name, ours = client.ours, runs = #runs }
  if #runs == 0 then return result end
  result.rate, result.min, result.max = column(runs, "rate")
  result.cpu_us, result.rss_kb = column(runs, "cpu_us"), column(runs, "rss_kb")
  return result
end

local function base_rate(case, results)
  for _, r in ipairs(results) do
    if r.client == case.base then return r.rate end
  end
end

local function print_case(case, results)
  print(("\n%s"):format(case.name))
  print(("  %-34s %12s %12s %12s %8s %9s %6s %6s"):format("", "per second", "min", "max", "us CPU", "RSS MB", "ratio",
    "runs"))
  local base = base_rate(case, results)
  for _, r in ipairs(results) do
    if r.rate then
      r.ratio = base and r.rate / base
      print(("  %-34s %12.0f %12.0f %12.0f %8.2f %9.1f %6.2f %6d"):format(r.client, r.rate, r.min, r.max, r.cpu_us,
        r.rss_kb / 1024, r.ratio or 0, r.runs))
    else
      print(("  %-34s no run ended well"):format(r.client))
    end
  end
end

local function run_case(case)
  local runs, results = {}, {}
  for _ = 1, rounds do
    for i, client in ipairs(case.clients) do
      runs[i] = runs[i] or {}
      runs[i][#runs[i] + 1] = run_one(case, client)
    end
  end
  for i, client in ipairs(case.clients) do results[i] = summary(client, runs[i]) end
  print_case(case, results)
  return { name = case.name, base = case.base, unit = case.http and "calls" or "messages", results = results }
end

local description = machine.describe(out)
description.rounds = rounds
local all = {}
for _, case in ipairs(cases) do
  if case.name:find(pattern) then all[#all + 1] = run_case(case) end
end
programs.write(out .. "/results.json", json.encode { machine = description, cases = all } .. "\n")
if failed > 0 then
  print(("\n%d runs of fogcloud failed"):format(failed))
  os.exit(1)
end
