-- SPDX-License-Identifier: MIT

-- Calls, publishes and receives while everything fails now and then: memory, descriptors and threads stay flat, and no
-- message is lost without a word. Arguments: minutes, a folder for the report. make soak MINUTES=30
package.path = "./?.lua;" .. package.path
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local measure = require "soak.measure"
local picture = require "soak.picture"
local sandboxes = require "fogcloud.sandbox"

local MINUTES, FOLDER = tonumber(arg[1] or 30), arg[2] or "build/soak"
local SAMPLE_S = math.max(1, MINUTES * 60 / 300)
math.randomseed(tonumber(os.getenv("SOAK_SEED") or 42))

local sandbox = sandboxes.start { mqtt_faults = true }
local started = core.now()
local stop = started + MINUTES * 60
local pid, samples, problems = measure.pid(), {}, {}
local count = {
  calls = 0, failed_calls = 0, accepted = 0, acknowledged = 0, failed = 0, dropped = 0, reported = 0, received = 0,
  sessions = 0, reconnects = 0, faults = 0,
}

local function running() return core.now() < stop end
local function problem(text) problems[#problems + 1] = text end

local function new_cloud()
  local options = sandbox:options()
  options.timeout, options.attempt_timeout = 5, 2
  return assert(fogcloud.new(options))
end

local function call(cloud, name, ...)
  local since = core.now()
  local data, err = cloud[name](cloud, ...)
  count.calls = count.calls + 1
  if data == nil then
    count.failed_calls = count.failed_calls + 1
    if not err.kind then problem(name .. ": an error without a kind") end
  end
  if core.now() - since > 15 then problem(("%s took %.1f s, its deadline is 5"):format(name, core.now() - since)) end
  return data
end

-- The faults --------------------------------------------------------------------------------------------------------

local HTTP = {
  { status = 500, count = 3 }, { code = 10101, count = 2 }, { code = 10100 }, { delay = 0.5, count = 5 },
  { cut = "before" }, { cut = "during", count = 2 }, { truncate = 20 }, { status = 503, count = 20 },
  { status = 429, retry_after = "1" }, { body = "<html>", count = 2 },
  { size = 5000000 }, { lost = true },
}
local MQTT = {
  { cut_after = 20 }, { cut_after = 3, mid_packet = true }, { delay_ms = 200 }, { puback = "swallow" },
  { puback = "duplicate" }, { half_open = true }, { refuse = true }, { connack = 3 }, { rate = 20000 }, { kick = true },
}

local function break_mqtt(rules)
  if rules.kick then return sandbox:kick() end
  sandbox:fail_mqtt(rules)
end

local function attempt(what, fn, ...)
  count.faults = count.faults + 1
  local ok, why = pcall(fn, ...)
  if not ok then problem(what .. ": " .. tostring(why)) end
end

local function breaker()
  -- What takes most memory comes first, so that it is no growth when it comes again.
  attempt("http", sandbox.fail, sandbox, { size = 5000000, count = 3 })
  while running() do
    attempt("http", sandbox.fail, sandbox, HTTP[math.random(#HTTP)])
    attempt("mqtt", break_mqtt, MQTT[math.random(#MQTT)])
    if math.random(10) == 1 then attempt("tokens", sandbox.revoke_token, sandbox) end
    fogcloud.sleep(1 + math.random() * 2)
    attempt("heal", sandbox.heal_mqtt, sandbox)
    fogcloud.sleep(math.random() * 2)
  end
  sandbox:heal()
  sandbox:heal_mqtt()
end

-- The work ----------------------------------------------------------------------------------------------------------

-- What a session was told by on("drop"), until it ends.
local reports = setmetatable({}, { __mode = "k" })

-- Ends a session: each message it accepted was acknowledged, or is lost and was reported.
local function finish(session)
  session:finish(5)
  local s, deadline = session:stats(), core.now() + 10
  while reports[session] < s.failed + s.dropped and core.now() < deadline do fogcloud.sleep(0.05) end
  if s.queued > 0 or s.accepted ~= s.acknowledged + s.failed + s.dropped then
    problem(("of %d accepted messages %d were acknowledged, %d failed, %d dropped, and %d are still queued at the end")
      :format(s.accepted, s.acknowledged, s.failed, s.dropped, s.queued))
  end
  if reports[session] ~= s.failed + s.dropped then
    problem(("%d messages failed and %d were dropped, but %d were reported")
      :format(s.failed, s.dropped, reports[session]))
  end
  for _, name in ipairs { "accepted", "acknowledged", "failed", "dropped" } do count[name] = count[name] + s[name] end
  count.reported = count.reported + reports[session]
end

local SESSION = { timeout = 5, connect_timeout = 3, backoff_base = 0.1, backoff_cap = 1, keepalive = 3 }

local function session_options()
  local options = { tls = math.random(3) == 1, version = math.random(2) == 1 and "5.0" or "3.1.1" }
  for name, value in pairs(SESSION) do options[name] = value end
  return options
end

-- After a failure: nothing, a moment later.
local function nothing() fogcloud.sleep(0.2) end

local function connect(cloud, credentials)
  local session = cloud:connect(credentials, session_options())
  if session == nil then return nothing() end
  count.sessions = count.sessions + 1
  reports[session] = 0
  session:on("disconnect", function() count.reconnects = count.reconnects + 1 end)
  session:on("drop", function() reports[session] = reports[session] + 1 end)
  return session
end

local function new_client(cloud)
  local credentials = call(cloud, "create_client", sandbox.app_id)
  if credentials == nil then return nothing() end
  for _, id in ipairs { "dev1", "dev2" } do call(cloud, "grant", credentials.clientid, id) end
  return credentials
end

-- One session after the other, each for a while; between them the same calls a program would make.
local function user()
  local cloud, credentials = new_cloud(), nil
  while running() do
    credentials = credentials or new_client(cloud)
    local session = credentials and connect(cloud, credentials)
    if session then
      session:subscribe("d2c/#", 1, function() count.received = count.received + 1 end)
      local until_s = math.min(stop, core.now() + 2 + math.random() * 15)
      while core.now() < until_s do
        session:publish("c2d/dev1/commands", ("x"):rep(math.random(2000)), { qos = math.random(0, 2) })
        fogcloud.sleep(math.random() * 0.05)
      end
      finish(session)
    end
    if math.random(20) == 1 then credentials = nil end
  end
end

local function caller()
  local cloud = new_cloud()
  while running() do
    call(cloud, "products")
    call(cloud, "token")
    fogcloud.sleep(math.random() * 0.05)
  end
end

local function device_account(id)
  for _, one in ipairs(sandbox.devices) do
    if one.id == id then return { clientid = "soak-" .. id, loginname = id, password = one.password } end
  end
end

local function device(id)
  local cloud, credentials = new_cloud(), device_account(id)
  credentials.mqtthost, credentials.mqttport, credentials.sslport = "localhost", sandbox.mqtt_port, sandbox.tls_port
  while running() do
    local session = connect(cloud, credentials)
    if session then
      session:subscribe("c2d/" .. id .. "/#", 1, function() count.received = count.received + 1 end)
      local until_s = math.min(stop, core.now() + 10 + math.random() * 20)
      while core.now() < until_s do
        session:publish("d2c/" .. id .. "/status", ("y"):rep(math.random(500)), { qos = math.random(0, 2) })
        fogcloud.sleep(math.random() * 0.05)
      end
      finish(session)
    end
  end
end

local function sampler()
  while running() do
    local sample = measure.now(pid)
    sample.at = core.now() - started
    samples[#samples + 1] = sample
    fogcloud.sleep(SAMPLE_S)
  end
end

for _, fn in ipairs { breaker, sampler, caller, user, user, user } do fogcloud.spawn(fn) end
for _, id in ipairs { "dev1", "dev2" } do fogcloud.spawn(device, id) end
local ok, why = pcall(fogcloud.run)
if not ok then problem(tostring(why)) end
if core.now() > stop + 60 then problem("it took too long to end") end

-- The report --------------------------------------------------------------------------------------------------------

local from = MINUTES * 30 -- the first half fills pools and buffers
local slope = measure.slope(samples, "rss", from)
local _, fds = measure.range(samples, "fds", 0)
local _, threads = measure.range(samples, "threads", 0)
-- The dispatcher ends a moment after the last session.
local last = measure.settled(pid, fogcloud.sleep, function(now) return now.threads <= samples[1].threads + 1 end)

-- A quarter of a MiB per minute is the noise of malloc under this load; in a short run one larger buffer is up to 3.
local allowed = MINUTES >= 10 and 0.25 or 5
if last.rss > 40 then problem(("%.0f MiB at the end"):format(last.rss)) end
if slope > allowed then problem(("memory grows by %.2f MiB a minute"):format(slope)) end
-- libcurl keeps connections, and how many is chance: what there was in the first third may be there at the end.
local early = 0
for _, s in ipairs(samples) do
  if s.at <= MINUTES * 20 then early = math.max(early, s.fds) end
end
if last.fds > early + 4 then problem(("%d descriptors at the end, %d at most at first"):format(last.fds, early)) end
if last.threads > samples[1].threads + 1 then problem(("%d threads at the end"):format(last.threads)) end
if fds > 60 or threads > 12 then problem(("%d descriptors, %d threads at most"):format(fds, threads)) end
for _, name in ipairs { "calls", "acknowledged", "received", "reconnects", "sessions" } do
  if count[name] == 0 then problem("nothing of: " .. name) end
end

picture.write(FOLDER .. "/soak.svg", ("A client for %g minutes among faults"):format(MINUTES), samples, {
  { "rss", "memory, MiB" }, { "lua", "of it Lua's, MiB" }, { "fds", "descriptors" }, { "threads", "threads" },
})
local rows = {
  { "calls", count.calls }, { "of them failed", count.failed_calls }, { "sessions", count.sessions },
  { "links lost", count.reconnects }, { "messages accepted", count.accepted }, { "acknowledged", count.acknowledged },
  { "failed", count.failed }, { "dropped", count.dropped }, { "of these reported", count.reported },
  { "received", count.received }, { "faults", count.faults }, { "memory at the end, MiB", last.rss },
  { "its slope, MiB per minute", slope }, { "descriptors at most", fds }, { "threads at most", threads },
}
local file = assert(io.open(FOLDER .. "/samples.csv", "w"))
for _, s in ipairs(samples) do file:write(("%.1f,%.2f,%.2f,%d,%d\n"):format(s.at, s.rss, s.lua, s.fds, s.threads)) end
file:close()
for _, row in ipairs(rows) do
  print((row[2] % 1 == 0 and "%-28s %12.0f" or "%-28s %12.2f"):format(row[1], row[2]))
end
for _, text in ipairs(problems) do print("not ok - " .. text) end
print(("%d passed, %d failed"):format(#problems == 0 and 1 or 0, #problems))
sandbox:stop()
os.exit(#problems == 0)
