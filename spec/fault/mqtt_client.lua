-- SPDX-License-Identifier: MIT

-- Sessions with a broker that does its worst: each call ends by its deadline, with a result or an error that has a kind.
-- Arguments: port, seconds, a seed. Prints counts; anything else is a failure.
package.path = "./?.lua;" .. package.path
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local leaks = require "spec.fault.leaks"

local port, seconds, seed = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
-- Beyond a deadline, for a machine that is busy.
local GRACE = os.getenv("FOG_LUA") and 5 or 2
local PASSWORD = "the/pass+word="
local stop = core.now() + seconds
local counts = { connected = 0, refused = 0, messages = 0, acknowledged = 0, calls = 0, latest = 0 }
math.randomseed(seed)

local function check_error(what, err)
  assert(type(err) == "table" and type(err.kind) == "string", what .. ": an error without a kind")
  local text = tostring(err)
  assert(not text:find("%c"), what .. ": a control character in an error's text")
  assert(not text:find(PASSWORD, 1, true), what .. ": the password in an error's text")
end

local wrong -- the first thing that a listener found

local function listener(what)
  return function(err)
    local ok, why = pcall(check_error, what, err.err or err)
    if not ok then wrong = wrong or why end
  end
end

local function within(limit, what, ok, err)
  counts.calls = counts.calls + 1
  local late = core.now() - limit
  counts.latest = math.max(counts.latest, late)
  assert(late < GRACE, ("%s came %.1f s after its deadline"):format(what, late))
  if ok == nil then check_error(what, err) end
  return ok, err
end

local function on_message(topic, payload)
  assert(type(topic) == "string" and type(payload) == "string")
  counts.messages = counts.messages + 1
end

local function use(session)
  for _, what in ipairs { "drop", "disconnect", "error" } do session:on(what, listener(what)) end
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
    clientid = "hostile" .. i, loginname = "login", password = PASSWORD, mqtthost = "127.0.0.1", mqttport = port,
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

local number = 0

local function work(ends)
  for _ = 1, 4 do
    fogcloud.spawn(function()
      while core.now() < ends do
        number = number + 1
        one_session(number)
      end
    end)
  end
  fogcloud.run()
end

local watched = leaks.watch() -- no session has begun: the dispatcher and Paho have no threads yet
work(stop - seconds / 2)
watched.at.rss = leaks.watch().at.rss
work(stop)
assert(core.now() < stop + 20, "the sessions did not end")
assert(counts.connected > 0 and counts.messages > 0 and counts.acknowledged > 0, "nothing got through at all")
assert(not wrong, wrong)
leaks.check(watched)
print(("%d connected, %d refused, %d messages, %d acknowledged, %d calls, %.1f s after a deadline at most"):format(
  counts.connected, counts.refused, counts.messages, counts.acknowledged, counts.calls, counts.latest))
