-- SPDX-License-Identifier: MIT
-- lua-mosquitto and its loop(). It cannot widen the window of libmosquitto, 20; what is above that waits there.
-- Arguments and output as in common.h; LUA_CPATH leads to its mosquitto.so.
local mosquitto = require "mosquitto"
local socket = require "socket"
local stopwatch = dofile "bench/stopwatch.lua"(socket.gettime)

local mode, window, ca = arg[1], tonumber(arg[6]), arg[7]
local port, qos, size, count = tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])

mosquitto.init()
local client = mosquitto.new("bench", true)
local seen, sent, acknowledged, up = 0, 0, 0, false

client.ON_CONNECT = function(ok)
  assert(ok)
  up = true
  if mode == "recv" then client:subscribe("bench/#", qos) end
end
client.ON_PUBLISH = function() acknowledged = acknowledged + 1 end
client.ON_MESSAGE = function(_, topic)
  if mode == "recv" and seen == 0 then stopwatch.start() end
  seen = seen + 1
  if topic ~= "done" and seen ~= count then return end
  stopwatch.report(count)
  os.exit(0)
end
if ca then assert(client:tls_set(ca)) end
assert(client:connect("localhost", port, 60))
while not up do assert(client:loop(1000, 1)) end

if mode == "pub" then
  local payload = ("x"):rep(size)
  stopwatch.start()
  while sent < count do
    while sent < count and (qos == 0 or sent - acknowledged < window) do
      sent = sent + 1
      assert(client:publish("bench/topic", payload, qos, false))
    end
    if qos > 0 then assert(client:loop(100, 1)) end
  end
end
while true do assert(client:loop(1000, 1)) end
