-- SPDX-License-Identifier: MIT
--- Runs every case, interleaved: one round is every client once (A B C …), then the next round. Writes results.json.
--- run.lua BUILD_DIR [PATTERN]; ROUNDS in the environment.
local json = require "cjson.safe"
local cases = dofile("bench/cases.lua")

local out, pattern = arg[1], arg[2] or "."
local rounds = tonumber(os.getenv("ROUNDS")) or 5

local function read(path)
  local file = io.open(path)
  if file == nil then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

local function shell(command)
  local pipe = io.popen(command)
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- Starts a server that prints its port; the port, and a function that stops it.
local function serve(command)
  local pipe = io.popen("echo $$; exec " .. command, "r")
  local pid, port = pipe:read("*l"), pipe:read("*l")
  assert(tonumber(port) and tonumber(pid), "cannot start " .. command)
  return port, function()
    os.execute("kill " .. pid .. " 2>/dev/null")
    pipe:close()
  end
end

local function run_one(case, client)
  local count = math.floor(case.count * client.share)
  local arguments, port, stop
  if case.http then
    port, stop = serve(out .. "/httpd")
    arguments = ("%s %d %d"):format(port, case.many, count)
  else
    local tls = case.tls and (" %s/cert.pem %s/key.pem"):format(out, out) or ""
    port, stop = serve(("%s/peer %s %d %d %d%s"):format(out, case.mode, case.qos, case.size, count, tls))
    arguments = ("%s %s %d %d %d%s"):format(case.mode, port, case.qos, case.size, count,
      case.tls and " " .. out .. "/cert.pem" or "")
  end
  local command = client.command:gsub("%$OUT", out)
  local text = shell(("timeout 60 %s %s 2>/dev/null"):format(command, arguments))
  stop()
  local line = json.decode(text:match("%b{}") or "")
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
  cpu = (read("/proc/cpuinfo") or ""):match("model name%s*:%s*([^\n]+)") or "unknown",
  cores = tonumber(shell("nproc")), kernel = shell("uname -sr"):gsub("\n", ""),
  system = (read("/etc/os-release") or ""):match('PRETTY_NAME="([^"]+)"') or "unknown",
  date = os.date("!%Y-%m-%d"), rounds = rounds,
  load = (read("/proc/loadavg") or ""):match("^%S+"),
}

local all = {}
for _, case in ipairs(cases) do
  if case.name:find(pattern) then all[#all + 1] = run_case(case) end
end
local file = assert(io.open(out .. "/results.json", "w"))
file:write(json.encode { machine = machine, cases = all }, "\n")
file:close()
