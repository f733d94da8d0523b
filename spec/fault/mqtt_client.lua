-- SPDX-License-Identifier: MIT

-- Sessions with a broker that does its worst: each call ends by its deadline, with a result or an error that has a kind.
-- Arguments: port, seconds, a seed. Prints counts; anything else is a failure.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"

local port, seconds, seed = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local GRACE = tonumber(os.getenv("FOG_FAULT_GRACE") or 5) -- beyond a deadline, for a machine that is busy
local stop = core.now() + seconds
local counts = { connected = 0, refused = 0, messages = 0, acknowledged = 0, calls = 0 }
math.randomseed(seed)

local function within(limit, what, ok, err)
  counts.calls = counts.calls + 1
  local late = core.now() - limit
  assert(late < GRACE, ("%s came %.1f s after its deadline"):format(what, late))
  assert(ok ~= nil or type(err) == "table" and type(err.kind) == "string", what .. ": an error without a kind")
  return ok, err
end

local function on_message(topic, payload)
  assert(type(topic) == "string" and type(payload) == "string")
  counts.messages = counts.messages + 1
end

local function use(session)
  session:on("drop", function(drop) assert(type(drop.err.kind) == "string") end)
  within(core.now() + 0.5, "subscribe", session:subscribe("d2c/#", math.random(0, 2), on_message, { timeout = 0.5 }))
  for i = 1, math.random(1, 12) do
    session:publish("c2d/dev1/commands", ("p"):rep(i * 7), { qos = math.random(0, 2) })
  end
  within(core.now() + 0.4, "flush", session:flush(0.4))
  fogcloud.sleep(math.random() * 0.2)
  local stats = session:stats()
  assert(stats.accepted == stats.acknowledged + stats.failed + stats.dropped + stats.queued, "the identity is broken")
  counts.acknowledged = counts.acknowledged + stats.acknowledged
end

local function one_session(i)
  local credentials = {
    clientid = "hostile" .. i, loginname = "login", password = "secret", mqtthost = "127.0.0.1", mqttport = port,
  }
  local version = math.random(2) == 1 and "3.1.1" or os.getenv("FOG_FAULT_V5") ~= "0" and "5.0" or "3.1.1"
  local options = {
    tls = false, version = version, timeout = 1, connect_timeout = 1, backoff_base = 0.01, backoff_cap = 0.05,
    keepalive = 1, clean = math.random(3) > 1, in_count = 50,
  }
  local session, err = within(core.now() + 1, "connect", fogcloud.connect(credentials, options))
  if session == nil then
    counts.refused = counts.refused + 1
    return err
  end
  counts.connected = counts.connected + 1
  use(session)
  session:close()
end

for worker = 1, 4 do
  fogcloud.spawn(function()
    local i = 0
    while core.now() < stop do
      i = i + 1
      one_session(worker * 1000000 + i)
    end
  end)
end
fogcloud.run()
assert(core.now() < stop + 20, "the sessions did not end")
assert(counts.connected > 0 and counts.messages > 0 and counts.acknowledged > 0, "nothing got through at all")
print(("%d connected, %d refused, %d messages, %d acknowledged, %d calls"):format(counts.connected, counts.refused,
  counts.messages, counts.acknowledged, counts.calls))
