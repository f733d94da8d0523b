-- SPDX-License-Identifier: MIT
--- What fogcloud is to reach, and whether it does, from the results. A goal: what, the bound, what was measured.
local tables = dofile("bench/tables.lua")

local goals = {}

local OURS, LEAN, LIMIT = "fogcloud, Lua 5.4", "Paho lean, C", "limit of the socket, C"

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

--- Of the clients that others can use, the fastest: neither the limit nor Paho with our replacements is one.
function goals.best_peer(case)
  local best
  for _, r in ipairs(case.results) do
    local peer = not is_ours(r) and r.client ~= LEAN and r.client ~= LIMIT
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
    add(name, ("at least %.2f of %s"):format(share, name:find("^HTTP") and "libcurl, C" or LEAN), measured,
      value and value >= share)
  end

  --- More than the best peer.
  local function above(name)
    local case = cases[name]
    local ours, peer = case and result(case, OURS), case and goals.best_peer(case)
    if not (ours and ours.rate and peer) then return add(name, "above the best peer") end
    add(name, "above the best peer", ("%.2f of %s"):format(ours.rate / peer.rate, peer.client), ours.rate > peer.rate)
  end

  --- At least so many a second, of ours or of another client.
  local function rate(name, least, text, client)
    local r = cases[name] and result(cases[name], client or OURS)
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

  return list, ratio, above, rate, below, least
end

local RECEIVE = { ["receive, 64 B, QoS 0"] = 0.8, ["receive, 64 B, QoS 1"] = 0.95, ["receive, 1 KiB, QoS 0"] = 0.95 }
local RECEIVE_ORDER = { "receive, 64 B, QoS 0", "receive, 64 B, QoS 1", "receive, 1 KiB, QoS 0" }
local PUBLISH = { "publish, 64 B, QoS 1, 100 in flight", "publish, 64 B, QoS 1, 1,000 in flight" }

--- All of them: what, goal, measured, reached (nil: not measured).
---@param case_list table   the races
---@param sections table    name -> the tables of its section
function goals.compare(case_list, sections)
  local cases = {}
  for _, case in ipairs(case_list) do cases[case.name] = case end
  local list, ratio, above, rate, below, least = listing(cases)
  for _, name in ipairs(RECEIVE_ORDER) do ratio(name, RECEIVE[name]) end
  above "publish, 64 B, QoS 0"
  rate("publish, 64 B, QoS 0", 1e6, "1 million a second")
  for _, name in ipairs(PUBLISH) do
    ratio(name, 0.95)
    above(name)
  end
  for _, names in ipairs { RECEIVE_ORDER, { "publish, 64 B, QoS 0" }, PUBLISH } do
    for _, name in ipairs(names) do
      ratio(name .. ", TLS", 0.9)
      above(name .. ", TLS")
    end
  end
  rate("publish, 64 B, QoS 1, 1,000 in flight, with a journal", 5e4, "50,000 a second", OURS .. ", a journal")
  ratio("HTTP calls, one at a time", 0.95)
  ratio("HTTP calls, 64 at a time", 0.9)
  local number = tables.number
  below("queue to handler, 1,000 a second, p50", 10, "us", number(sections.latency, { "^1000$" }, "^queue to handler"))
  below("queue to handler, 50,000 a second, p99", 150, "us", number(sections.latency, { "^50000$" }, "^its p99 us"))
  below("a call into the core while anything stalls, p99", 1000, "us", tables.largest(sections.stall, "^p99 us"))
  below("`step(0)` with nothing to do", 1, "us", number(sections.scale, { "with nothing to do" }, "^value"))
  below("`step(0)` with 100 messages", 100, "us", number(sections.scale, { "with 100 messages" }, "^value"))
  below("`require \"fogcloud\"`", 10, "ms", number(sections.scale, { "^`require" }, "^value"))
  below("RSS with a session up, plain", 12, "MB", number(sections.scale, { "session up, plain" }, "^value"))
  below("RSS with a session up, TLS", 12, "MB", number(sections.scale, { "session up, TLS" }, "^value"))
  for _, qos in ipairs { "QoS 0", "QoS 1" } do
    local ratio_of = number(sections.console, { qos }, "^ratio")
    least(("messages through the sandbox with an open console, %s"):format(qos), 0.9, ratio_of)
  end
  below("a sandbox is ready, the slowest", 1000, "ms", number(sections.console, { "^slowest" }, "^ms"))
  return list
end

return goals
