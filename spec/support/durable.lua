-- SPDX-License-Identifier: MIT

--- Processes with a durable session that are killed, and who judges what came of it: numbered messages, of QoS 0, 1 and 2
--- in turn, with the number in the topic too, for the broker's own record (spec/support/broker_record.lua).
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local durable = {}

--- The QoS of message `n`.
function durable.qos(n) return n % 3 end

local PROLOGUE = [[
  local fogcloud, core = require "fogcloud", require "fogcloud.core"
  local session, err = fogcloud.connect({ clientid = %q, loginname = %q, password = %q, mqtthost = "localhost",
    mqttport = %d, sslport = %d }, { tls = false, journal = %q, clean = false, version = %q, paused = true, retry = true,
    thread = os.getenv "FOG_THREAD" ~= "0" })
  local function say(...) io.write(table.concat({ ... }, " "), "\n") io.stdout:flush() end
  if not session then say("no session", tostring(err)) os.exit(1) end
  local first = %d
]]

--- Runs `code` with such a session; `environment` is what the shell puts before the interpreter.
---@return string output
function durable.run(self, code, first, environment)
  local c = self.credentials
  local prologue = PROLOGUE:format(c.clientid, c.loginname, c.password, self.sandbox.mqtt_port, self.sandbox.tls_port,
    self.path, self.version, first or 0)
  return (script.run(prologue .. code, ("env %s %s"):format(environment or "", script.interpreter())))
end

--- Publishes without end, and is killed after so many seconds.
durable.PUBLISHER = [[
  os.execute(("(sleep %.3f; kill -9 %d) >/dev/null 2>&1 &"):format(os.getenv "AFTER", core.pid()))
  local n = first
  while true do
    for _ = 1, 20 do
      n = n + 1
      session:publish("c2d/dev1/n/" .. n, tostring(n), { qos = n % 3, wait = true })
    end
    say("accepted", n)
    if session:flush(20) then say("flushed", n) end
  end
]]

--- Publishes nine messages, and ends well.
durable.NINE = [[
  for n = first + 1, first + 9 do assert(session:publish("c2d/dev1/n/" .. n, tostring(n), { qos = n % 3 })) end
  local ok = session:flush(20)
  if ok then say("flushed", first + 9) end
  session:finish(20)
  say("finished")
]]

--- Lets everything out that an earlier process left.
durable.REST = [[
  say("rest", tostring(session:flush(30)))
  session:finish(10)
]]

--- Notes in the file what its handler gets, a line each; ends once nothing has come for a while. Where it is to be
--- killed its handler is at work for some milliseconds, so that it dies among messages.
durable.SUBSCRIBER = [[
  local after = os.getenv "AFTER"
  if after then os.execute(("(sleep %.3f; kill -9 %d) >/dev/null 2>&1 &"):format(after, core.pid())) end
  local file, last = assert(io.open(os.getenv "HANDLED", "a")), core.now()
  file:setvbuf("no")
  assert(session:subscribe("d2c/dev1/n/#", 2, function(_, payload, message)
    file:write(payload, message.dup and " dup\n" or "\n")
    last = core.now()
    while after and core.now() < last + 0.003 do end
  end))
  say("subscribed")
  session:resume()
  while core.now() < last + 0.6 do
    fogcloud.step(0.05)
    if not session:connected() then last = core.now() end
  end
  session:finish(10)
  say("finished")
]]

--- What came: how often each number, what was handled twice without `dup`, and whether first ones were in order. Each
--- QoS has an order of its own (MQTT 4.6): a broker passes QoS 2 on a round trip later.
function durable.count(list)
  local seen = { times = {}, unmarked = {}, ordered = true, distinct = 0 }
  local last = { 0, 0 }
  for _, text in ipairs(list) do
    local n, dup = text:match "^(%d+)(.*)$"
    n = tonumber(n)
    if seen.times[n] and dup == "" then seen.unmarked[#seen.unmarked + 1] = n end
    local qos = durable.qos(n)
    if not seen.times[n] and qos > 0 then
      seen.ordered = seen.ordered and n > last[qos]
      last[qos] = n
    end
    if not seen.times[n] then seen.distinct = seen.distinct + 1 end
    seen.times[n] = (seen.times[n] or 0) + 1
  end
  return seen
end

--- Of numbers up to `most`: those of QoS 1 and 2 that did not come, and those of QoS 2 that came more than once.
function durable.judge(seen, most)
  local missing, twice = {}, {}
  for n = 1, most do
    local qos = durable.qos(n)
    if qos > 0 and not seen.times[n] and seen.expected(n) then missing[#missing + 1] = n end
    if qos == 2 and (seen.times[n] or 0) > 1 then twice[#twice + 1] = n end
  end
  return missing, twice
end

--- Waits until nothing has come to `list` for a while.
function durable.settle(list)
  local count, since = #list, core.now()
  support.serve_until(function()
    if #list > count then count, since = #list, core.now() end
    return core.now() > since + 0.3
  end, 60)
end

--- Lets a session of this process send all it has.
function durable.flush(session) assert(session:flush(30)) end

--- Until all sessions are closed.
function durable.close(session)
  session:close()
  fogcloud.step(0)
end

return durable
