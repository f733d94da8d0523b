-- SPDX-License-Identifier: MIT
--- What fogcloud is to reach, and whether it does, from the results. A goal: what, the bound, what was measured.
local tables = dofile("bench/tables.lua")

local goals = {}

local OURS, LIMIT = "fogcloud, Lua 5.4", "limit of the socket, C"

local function result(case, client)
  for _, r in ipairs(case.results) do
    if r.client == client then return r end
  end
end

local function is_ours(r) return r.client:find("fogcloud", 1, true) ~= nil end

--- fogcloud's result of a case, which its table names with the Lua; nil where it has none.
function goals.ours(case)
  for _, r in ipairs(case.results) do
    if is_ours(r) and r.rate then return r end
  end
end

--- Of the clients that others can use, the fastest. The limit is none.
function goals.best_peer(case)
  local best
  for _, r in ipairs(case.results) do
    local peer = not is_ours(r) and r.client ~= LIMIT
    if peer and r.rate and (best == nil or r.rate > best.rate) then best = r end
  end
  return best
end

local function listing(cases)
  local list = {}
  local function add(what, goal, measured, reached)
    list[#list + 1] = { what = what, goal = goal, measured = measured, reached = measured and reached or false }
  end

  --- At least `share` of a case's base.
  local function ratio(name, share)
    local case = cases[name]
    local r = case and result(case, OURS)
    local value = r and r.ratio
    local measured = value and ("%.2f"):format(value)
    add(name, ("at least %.2f of libcurl, C"):format(share), measured, value and value >= share)
  end

  --- At least so many times what the best peer does.
  local function times(name, least)
    local case, goal = cases[name], ("at least %g times the best peer"):format(least)
    local ours, peer = case and result(case, OURS), case and goals.best_peer(case)
    if not (ours and ours.rate and peer) then return add(name, goal) end
    local ratio_of = ours.rate / peer.rate
    add(name, goal, ("%.2f of %s"):format(ratio_of, peer.client), ratio_of >= least)
  end

  --- At most so much CPU for each message.
  local function cpu(name, most_us)
    local r = cases[name] and result(cases[name], OURS)
    add(name .. ", CPU", ("at most %g us a message"):format(most_us), r and r.cpu_us and ("%.1f us"):format(r.cpu_us),
      r and r.cpu_us and r.cpu_us <= most_us)
  end

  --- At least so many a second, of one client.
  local function rate(name, least, text, client)
    local r = cases[name] and result(cases[name], client)
    add(name, text, r and r.rate and ("%.2f million"):format(r.rate / 1e6), r and r.rate and r.rate >= least)
  end

  --- Less than so much of a unit.
  local function below(what, most, unit, value)
    add(what, ("under %g %s"):format(most, unit), value and ("%g %s"):format(value, unit), value and value < most)
  end

  --- At least so much.
  local function least(what, bound, value)
    add(what, ("at least %g"):format(bound), value and ("%g"):format(value), value and value >= bound)
  end

  return list, { ratio = ratio, times = times, cpu = cpu, rate = rate, below = below, least = least }
end

-- How many times the best peer: over TCP, and over TLS.
local TIMES = {
  { "receive, 64 B, QoS 0", 6, 1.6 }, { "receive, 64 B, QoS 1", 15, 14 }, { "receive, 1 KiB, QoS 0", 5, 1.4 },
  { "publish, 64 B, QoS 0", 3, 4 }, { "publish, 64 B, QoS 1, 100 in flight", 4, 8 },
  { "publish, 64 B, QoS 1, 1,000 in flight", 5, 6 },
}

-- What stands between us and a goal, by the beginning of its name: what a profile of it shows.
local LIMITS = {
  { "receive, 1 KiB", "the payload is copied twice, into the inbox and into a Lua string" },
  { "receive through mosquitto", "a batch costs `recvfrom`, `sendmsg`, `epoll_wait`, every second one `write`, `poll`, "
    .. "`read`" },
  { "receive", "69 % of a message's instructions are Lua's, 23 % the driver's" },
  { "publish, 64 B, QoS 0", "74 % of a message's instructions are Lua's, 20 % the core's" },
  { "publish, 64 B, QoS 1, 1,000 in flight, with a journal", "a transaction of SQLite for each group of messages" },
  { "publish", "68 % of a message's instructions are Lua's, 26 % the core's" },
  { "HTTP/2", "50,000 instructions of a call are Lua's, as over HTTP/1.1" },
  { "HTTP", "48 % of a call's instructions are libcurl's, 43 % Lua's, 7 % the binding's" },
  { "instructions of a call", "57,000 are libcurl's, 50,000 Lua's" },
  { "queue to handler", "a wake-up of another thread, with the machine as busy as it was" },
  { "a call into the core", "the scheduler: a thread that is ready waits for a core" },
  { "`require", "OpenSSL takes 1 ms to load; the rest reads and compiles Lua" },
  { "RSS with a session up, TLS", "OpenSSL, and the authorities of the system" },
  { "memory of a session over TLS", "12 KB are Lua's tables; what it needs more than a plain one is OpenSSL's" },
  { "memory of a session", "12 KB are Lua's tables" },
  { "`step(0)` with nothing to do", "no system call: a turn of the scheduler in Lua, and the clock" },
  { "`step(0)`", "a message is 4,300 instructions, 69 % of them Lua's" },
}

local function limit_of(what)
  for _, limit in ipairs(LIMITS) do
    if what:sub(1, #limit[1]) == limit[1] then return limit[2] end
  end
  return ""
end

--- All of them: what, goal, measured, reached (nil: not measured), and what limits what is not reached.
---@param case_list table   the races
---@param sections table    name -> the tables of its section
---@param counts table      name -> instructions, of bench/instructions.json
function goals.compare(case_list, sections, counts)
  local cases = {}
  for _, case in ipairs(case_list) do cases[case.name] = case end
  local list, has = listing(cases)
  for _, t in ipairs(TIMES) do has.times(t[1], t[2]) end
  for _, t in ipairs(TIMES) do has.times(t[1] .. ", TLS", t[3]) end
  has.cpu("receive through mosquitto, 64 B, QoS 0", 2.5)
  has.cpu("receive through mosquitto, 64 B, QoS 1", 5)
  has.rate("publish, 64 B, QoS 1, 1,000 in flight, with a journal", 5e4, "50,000 a second", OURS .. ", a journal")
  has.below("opening a journal in which 100,000 messages wait", 1000, "ms",
    tables.number(sections.journal, { "^100000$" }, "^opened in ms"))
  for _, how in ipairs { "HTTP calls", "HTTP/2 calls over TLS" } do
    has.ratio(how .. ", one at a time", 0.95)
    has.ratio(how .. ", 64 at a time", 0.9)
  end
  has.below("instructions of a call", 85000, "", counts["HTTP calls, one at a time: fogcloud"])
  local number = tables.number
  local latency = sections.latency
  has.below("queue to handler, 1,000 a second, p50", 30, "us", number(latency, { "^1000$" }, "^queue to handler"))
  has.below("queue to handler, 50,000 a second, p99", 150, "us", number(latency, { "^50000$" }, "^its p99 us"))
  has.below("a call into the core while anything stalls, p99", 100, "us", tables.largest(sections.stall, "^p99 us"))
  has.below("`step(0)` with nothing to do", 0.5, "us", number(sections.scale, { "with nothing to do" }, "^value"))
  has.below("`step(0)` with 100 messages", 50, "us", number(sections.scale, { "with 100 messages" }, "^value"))
  has.below("`require \"fogcloud\"`", 2, "ms", number(sections.scale, { "^`require" }, "^value"))
  has.below("RSS with a session up, plain", 6, "MB", number(sections.scale, { "session up, plain" }, "^value"))
  has.below("RSS with a session up, TLS", 9, "MB", number(sections.scale, { "session up, TLS" }, "^value"))
  has.below("memory of a session, of 1,000", 16, "KB", number(sections.scale, { "^1000$" }, "^KB each$"))
  local tls_each = number(sections.scale, { "^1000$" }, "^KB each over TLS")
  has.below("memory of a session over TLS, of 1,000", 36, "KB", tls_each)
  for _, qos in ipairs { "QoS 0", "QoS 1" } do
    local ratio_of = number(sections.console, { qos }, "^ratio")
    has.least(("messages through the sandbox with an open console, %s"):format(qos), 0.9, ratio_of)
  end
  local garbage = number(sections.embed, { "idle frame" }, "^Lua 5")
  has.below("garbage of an idle frame inside an engine", 1, "bytes", garbage)
  has.below("a sandbox is ready, the slowest", 1000, "ms", number(sections.console, { "^slowest" }, "^ms"))
  for _, g in ipairs(list) do g.limit = not g.reached and limit_of(g.what) or nil end
  return list
end

return goals
