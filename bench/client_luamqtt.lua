-- SPDX-License-Identifier: MIT
-- luamqtt on LuaSocket, its synchronous loop. Arguments and output as in common.h; LUA_PATH leads to its sources.
local mqtt = require "mqtt"
local stopwatch = dofile "bench/stopwatch.lua"(require("socket").gettime)

local mode, window, ca = arg[1], tonumber(arg[6]), arg[7]
local port, qos, size, count = arg[2], tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])

local client = mqtt.client {
  uri = "localhost:" .. port, id = "bench", clean = true,
  secure = ca and { mode = "client", protocol = "any", verify = "peer", cafile = ca, options = "all" } or nil,
}

local seen, sent = 0, 0
local payload = ("x"):rep(size)

local function publish()
  sent = sent + 1
  assert(client:publish { topic = "bench/topic", payload = payload, qos = qos })
end

client:on {
  connect = function(connack)
    assert(connack.rc == 0)
    if mode == "recv" then return assert(client:subscribe { topic = "bench/#", qos = qos }) end
    stopwatch.start()
    for _ = 1, qos == 0 and count or math.min(count, window) do publish() end
  end,
  acknowledge = function()
    if sent < count then publish() end
  end,
  message = function(message)
    if mode == "recv" and seen == 0 then stopwatch.start() end
    seen = seen + 1
    if message.qos > 0 then client:acknowledge(message) end
    if message.topic ~= "done" and seen ~= count then return end
    stopwatch.report(count)
    os.exit(0)
  end,
}
mqtt.run_sync(client)
os.exit(1)
