-- SPDX-License-Identifier: MIT
--- What measured_host.c runs for embed.lua: a session, frames without anything to do, and FRAMES frames at 60 a second
--- while messages come. Prints "name value" lines. (host, FRAMES, BASE_URL, CLIENT_ID, CLIENT_SECRET, APP_ID, CA_PEM)
local host, frames, base_url, client_id, client_secret, app_id, ca_pem = ...

local BUDGET, FRAME, IDLE = { events = 100, time = 0.002 }, 1 / 60, 1000
local began, before = host.now(), host.held()
local fogcloud = require "fogcloud"
local cloud = fogcloud.new { base_url = base_url, client_id = client_id, client_secret = client_secret, ca_pem = ca_pem,
  environment = false }
local session, got, worst = nil, 0, {}

fogcloud.spawn(function()
  session = assert(cloud:open { app_id = app_id, devices = { "dev1" } })
  assert(session:subscribe("d2c/dev1/n", 1, function() got = got + 1 end))
end)
while session == nil do
  fogcloud.step(0.001, BUDGET)
  assert(host.now() - began < 10, "no session") -- as where the heap is too small
end
print("session_seconds", host.now() - began)
collectgarbage()
collectgarbage()
print("session_bytes", host.held() - before)

local function frames_without_work(seconds)
  for _ = 1, IDLE do
    fogcloud.step(0, BUDGET)
    host.sleep(seconds)
  end
end

frames_without_work(0.001) -- what the session does at its start
frames_without_work(0) -- LuaJIT compiles the loop
collectgarbage()
collectgarbage "stop"
local idle = host.allocated()
frames_without_work(0)
print("idle_bytes", (host.allocated() - idle) / IDLE)
collectgarbage "restart"

local busy, first = host.allocated(), got
local next_at = host.now()
for i = 1, tonumber(frames) do
  local at = host.now()
  fogcloud.step(0, BUDGET)
  worst[i] = host.now() - at
  next_at = next_at + FRAME
  host.sleep(next_at - host.now())
end
print("busy_bytes", (host.allocated() - busy) / #worst)
print("busy_messages", got - first)
table.sort(worst)
print("frame_p50", worst[math.ceil(#worst * 0.5)])
print("frame_p99", worst[math.ceil(#worst * 0.99)])
print("frame_worst", worst[#worst])
session:close()
fogcloud.step(0)
print("most_bytes", host.most())
print("preload_seconds", host.preload_seconds)
print("preload_bytes", host.preload_bytes)
