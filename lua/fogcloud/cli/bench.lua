-- SPDX-License-Identifier: MIT

--- `fogcloud bench call|publish|receive`: rates and latencies of the cloud as it is used; a line a second, a summary.
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local sessions = require "fogcloud.cli.session"
local number = require "fogcloud.cli.number"

local command = { summary = "Measure calls, publishing and receiving." }

local STAMP = "^fogcloud%-bench (%d+%.%d+) " -- what `publish` puts before its padding: the wall clock, for `receive`
local KEPT = 100000 -- latencies that percentiles are taken of, at most
local LOOK = 0.001 -- seconds between two looks at what is acknowledged

local MANY = 1e9

local function option(action, name, text, default, convert)
  return action:option(name, text, tostring(default)):argname("N"):convert(convert)
end

local function count(action, name, text, default, least, most)
  return option(action, name, text, default, number.count(name, least, most))
end

function command.options(parser)
  parser:command_target("action"):require_command(true)
  local call = parser:command("call", "list the products again and again")
  count(call, "--count", "calls", 1000, 1, MANY)
  count(call, "--concurrency", "calls in flight, at most 1000", 16, 1, 1000)
  call:epilog("Exit code 5 when some of the calls failed.")
  local publish = parser:command("publish", "publish stamped messages as fast as they are taken; with QoS 1 and 2, the "
    .. "time to their acknowledgement")
  publish:argument("topic", "the topic")
  count(publish, "--count", "messages", 10000, 1, MANY)
  count(publish, "--size", "bytes of a payload, 40 to 16 MiB", 64, 40, 16777216)
  option(publish, "--rate", "messages a second, 0 for as many as possible", 0, number.rate("--rate"))
  local receive = parser:command("receive", "count what comes; of messages of `bench publish` the time they took, too")
  receive:argument("topic", "topic filter")
  count(receive, "--count", "end after so many messages, 0 for without end", 0, 0, MANY)
  option(receive, "--seconds", "end after so many seconds", 10, number.seconds("--seconds"))
  for _, action in ipairs { publish, receive } do
    sessions.qos_option(action)
    sessions.options(action)
  end
end

-- What is counted ---------------------------------------------------------------------------------------------------

local Meter = {}
Meter.__index = Meter

function Meter.new(context, what)
  local now = core.now()
  return setmetatable({
    context = context, what = what, count = 0, failed = 0, bytes = 0, latencies = {}, seen = 0,
    began = now, ticked = now, before = 0,
  }, Meter)
end

--- A latency in seconds. Of more than are kept, each has the same chance to be among those.
function Meter:latency(seconds)
  self.seen = self.seen + 1
  if self.seen <= KEPT then
    self.latencies[self.seen] = seconds
  else
    local at = math.random(self.seen)
    if at <= KEPT then self.latencies[at] = seconds end
  end
end

--- Says how it goes, once a second.
function Meter:tick()
  local now = core.now()
  if now - self.ticked < 1 then return end
  local rate = (self.count - self.before) / (now - self.ticked)
  self.context.out:note(("%3.0f s  %8.0f %s/s"):format(now - self.began, rate, self.what))
  self.ticked, self.before = now, self.count
end

local function percentiles(latencies)
  if #latencies == 0 then return nil end
  table.sort(latencies)
  local function at(share) return latencies[math.max(1, math.ceil(#latencies * share))] * 1000 end
  return { p50 = at(0.5), p90 = at(0.9), p99 = at(0.99), p999 = at(0.999), max = latencies[#latencies] * 1000 }
end

--- The final summary.
function Meter:finish()
  local seconds = math.max(core.now() - self.began, 1e-6)
  local times, out = percentiles(self.latencies), self.context.out
  local bytes_rate = self.bytes > 0 and self.bytes / seconds or nil
  if out.json then
    out:record { what = self.what, count = self.count, failed = self.failed, seconds = seconds,
      rate = self.count / seconds, bytes_per_second = bytes_rate, latency_ms = times }
    return
  end
  local said = ("%d %s in %.2f s: %.0f/s"):format(self.count, self.what, seconds, self.count / seconds)
  if bytes_rate then said = ("%s, %.1f MB/s"):format(said, bytes_rate / 1e6) end
  if self.failed > 0 then said = ("%s, %d failed"):format(said, self.failed) end
  out:line(said)
  if times then
    out:line(("latency in ms: p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f"):format(times.p50, times.p90,
      times.p99, times.p999, times.max))
  end
  out:flush()
end

-- What is measured --------------------------------------------------------------------------------------------------

local function caller(cloud, meter, state)
  while state.left > 0 and not state.stop do
    state.left = state.left - 1
    local began = core.now()
    local products, err = cloud:products()
    if products then
      meter.count = meter.count + 1
      meter:latency(core.now() - began)
    elseif err.kind == "cancelled" then
      state.stop = true
    else
      meter.failed, state.err = meter.failed + 1, err
    end
  end
  state.running = state.running - 1
end

local function call(args, context)
  local cloud = context:cloud()
  local ok, err = cloud:token() -- not part of what is measured
  if ok == nil then return context:failed(err) end
  local meter = Meter.new(context, "calls")
  local state = { left = args.count, running = args.concurrency }
  local tasks = {}
  for i = 1, state.running do tasks[i] = fogcloud.spawn(caller, cloud, meter, state) end
  while state.running > 0 do
    meter:tick()
    if not fogcloud.sleep(0.02) then
      state.stop = true
      for _, task in ipairs(tasks) do task:cancel() end
      break
    end
  end
  meter:finish()
  if state.err then return meter.count > 0 and exit.partial or context:failed(state.err) end
  return exit.ok
end

-- One message; false when it cannot be.
local function publish_one(session, args, options, padding)
  local payload = ("fogcloud-bench %.6f "):format(core.wall())
  return session:publish(args.topic, payload .. padding:sub(1, args.size - #payload), options)
end

local function pace(args, meter)
  if args.rate <= 0 then return meter.count % 256 ~= 0 or fogcloud.sleep(0) end
  local ahead = meter.count / args.rate - (core.now() - meter.began)
  return ahead <= LOOK or fogcloud.sleep(ahead)
end

-- Notes the times of what was acknowledged since the last look, which happens in the order of sending. `sent` has the
-- times of sending by number, and how many were `seen`.
local function look(session, meter, sent)
  local stats, now = session:stats(), core.now()
  while sent.seen < stats.acknowledged + stats.failed + stats.dropped do
    sent.seen = sent.seen + 1
    meter:latency(now - sent[sent.seen])
    sent[sent.seen] = nil
  end
end

local function keep_looking(session, meter, sent)
  repeat look(session, meter, sent) until session.ended or not fogcloud.sleep(LOOK)
end

-- Publishes them all; nil, err when that ends early.
local function publish_all(session, args, context, meter, sent)
  local padding, options = ("x"):rep(args.size), { qos = tonumber(args.qos), wait = true }
  while meter.count < args.count do
    if sent then sent[meter.count + 1] = core.now() end
    local id, err = context:try(publish_one, session, args, options, padding)
    if id == nil then return nil, err end
    meter.count, meter.bytes = meter.count + 1, meter.bytes + args.size
    meter:tick()
    if not pace(args, meter) then break end
  end
  return true
end

local function publish(args, context)
  local session, err = sessions.open(args, context)
  if session == nil then return context:failed(err) end
  local meter, sent = Meter.new(context, "messages"), args.qos ~= "0" and { seen = 0 } or nil
  if sent then fogcloud.spawn(keep_looking, session, meter, sent) end
  local _, why = publish_all(session, args, context, meter, sent)
  local flushed, late = session:flush(context:settings().timeout)
  if sent then look(session, meter, sent) end
  local stats = session:stats()
  meter.count, meter.failed = stats.acknowledged, stats.failed + stats.dropped
  meter:finish()
  session:close()
  err = why or not flushed and late or nil
  if err and err.kind ~= "cancelled" then return context:failed(err) end
  return exit.ok
end

local function receive(args, context)
  local session, err = sessions.open(args, context)
  if session == nil then return context:failed(err) end
  local meter = Meter.new(context, "messages")
  local granted
  granted, err = context:try(session.subscribe, session, args.topic, tonumber(args.qos), function(_, payload)
    if meter.count == 0 then meter.began = core.now() end -- the rate counts from the first message on
    meter.count, meter.bytes = meter.count + 1, meter.bytes + #payload
    local stamp = tonumber((payload:match(STAMP)))
    if stamp then meter:latency(core.wall() - stamp) end
  end)
  if granted then
    context.out:note(("listening to %s; Ctrl-C ends"):format(args.topic))
    local deadline = core.now() + args.seconds
    while not session.ended and core.now() < deadline and not (args.count > 0 and meter.count >= args.count) do
      meter:tick()
      if not fogcloud.sleep(0.02) then break end
    end
    err = session.ended
    meter:finish()
  end
  session:close()
  if err then return context:failed(err) end
  return exit.ok
end

local ACTIONS = { call = call, publish = publish, receive = receive }

function command.run(args, context) return ACTIONS[args.action](args, context) end

return command
