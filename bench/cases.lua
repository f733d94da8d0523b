-- SPDX-License-Identifier: MIT
--- What is measured, and who takes part. `share`: the part of the case's count that a client gets, so that slow ones
--- do not take all the time. `base`: whose figure is 1.00 in the ratio.
local FOGCLOUD = "env LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/lua5.4/?.so;;'"
  .. " lua5.4 bench/client_fogcloud.lua"
local HTTP = FOGCLOUD:gsub("client_fogcloud", "http_fogcloud")
local NODE = "env NODE_PATH=$OUT/npm/node_modules node bench/"

local OURS = "fogcloud, Lua 5.4"
local LEAN = "Paho lean, C"

local function mqtt_clients(opts)
  local clients = {
    { name = "limit of the socket, C", command = "$OUT/client_limit", share = opts.fast or 1 },
    { name = LEAN, command = "$OUT/client_lean", share = 1 },
    { name = OURS, command = FOGCLOUD, share = 1 },
    { name = "mqtt.js, Node", command = NODE .. "client_mqtt.js", share = 0.2 },
    { name = "libmosquitto, C", command = "$OUT/client_mosq", share = 0.1 },
    { name = "Paho as packaged, C", command = "$OUT/client_paho", share = 0.1 },
    { name = "paho-mqtt, Python", command = "/usr/bin/python3 bench/client_paho.py", share = 0.04 },
  }
  if opts.no_limit then table.remove(clients, 1) end
  return clients
end

local cases = {}

local function mqtt(name, mode, qos, size, count, tls, opts)
  cases[#cases + 1] = {
    name = name, mode = mode, qos = qos, size = size, count = count, tls = tls, base = LEAN,
    clients = mqtt_clients(opts or {}),
  }
end

for _, tls in ipairs { false, true } do
  local how = tls and ", TLS" or ""
  mqtt("receive, 64 B, QoS 0" .. how, "recv", 0, 64, tls and 1000000 or 2000000, tls, { fast = 5 })
  mqtt("receive, 64 B, QoS 1" .. how, "recv", 1, 64, 500000, tls, { fast = 5 })
  mqtt("receive, 1 KiB, QoS 0" .. how, "recv", 0, 1024, 500000, tls, { fast = 2 })
  mqtt("publish, 64 B, QoS 0" .. how, "pub", 0, 64, 500000, tls, { fast = 10 })
  mqtt("publish, 64 B, QoS 1" .. how, "pub", 1, 64, 200000, tls, { fast = 10, no_limit = tls })
end

cases[#cases + 1] = {
  name = "HTTP calls, one at a time", http = true, many = 1, count = 20000, base = "libcurl, C",
  clients = {
    { name = "libcurl, C", command = "$OUT/http_curl", share = 1 },
    { name = OURS, command = HTTP, share = 1 },
    { name = "LuaSocket, Lua 5.4", command = "lua5.4 bench/http_luasocket.lua", share = 0.5 },
    { name = "undici, Node", command = NODE .. "http_undici.js", share = 0.5 },
  },
}
cases[#cases + 1] = {
  name = "HTTP calls, 64 at a time", http = true, many = 64, count = 64000, base = "libcurl, C",
  clients = {
    { name = "libcurl, C", command = "$OUT/http_curl", share = 1 },
    { name = OURS, command = HTTP, share = 1 },
    { name = "undici, Node", command = NODE .. "http_undici.js", share = 0.5 },
  },
}

return cases
