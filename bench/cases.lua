-- SPDX-License-Identifier: MIT
--- What is measured, and who takes part. `share`: the part of the case's count that a client gets, so that slow ones
--- do not take all the time. `base`: whose figure is 1.00 in the ratio.
local FOGCLOUD = "env LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/lua5.4/?.so;;'"
  .. " lua5.4 bench/client_fogcloud.lua"
local HTTP = FOGCLOUD:gsub("client_fogcloud", "http_fogcloud")
local NODE = "env NODE_PATH=$OUT/npm/node_modules node bench/"

local OURS = "fogcloud, Lua 5.4"
local BASE = "libmosquitto, C"

-- A variable of the environment, nil when it is not set or empty.
local function given(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local function mqtt_clients(opts)
  local clients = {
    { name = "limit of the socket, C", command = "$OUT/client_limit", share = opts.fast or 1 },
    { name = OURS, command = FOGCLOUD, share = 1, ours = true },
    { name = "mqtt.js, Node", command = NODE .. "client_mqtt.js", share = 0.2 },
    { name = "libmosquitto, C", command = "$OUT/client_mosq", share = 0.1 },
    { name = "Paho as packaged, C", command = "$OUT/client_paho", share = 0.1 },
    { name = "paho-mqtt, Python", command = "/usr/bin/python3 bench/client_paho.py", share = 0.04 },
  }
  local luamqtt, lua_mosquitto = given "LUAMQTT", given "BENCH_LUA_MOSQUITTO"
  if luamqtt then
    local path = ("env LUA_PATH='%s/?.lua;%s/?/init.lua;;' lua5.4 bench/client_luamqtt.lua"):format(luamqtt, luamqtt)
    clients[#clients + 1] = { name = "luamqtt, Lua 5.4", command = path, share = 0.1 }
  end
  if lua_mosquitto then
    local path = ("env LUA_CPATH='%s/?.so;;' lua5.4 bench/client_lua_mosquitto.lua"):format(lua_mosquitto)
    clients[#clients + 1] = { name = "lua-mosquitto, Lua 5.4", command = path, share = 0.1 }
  end
  if opts.no_limit then table.remove(clients, 1) end
  if opts.equal_shares then
    for _, client in ipairs(clients) do client.share = 1 end
  end
  return clients
end

local cases = {}

local function mqtt(name, mode, qos, size, count, tls, opts)
  cases[#cases + 1] = {
    name = name, mode = mode, qos = qos, size = size, count = count, tls = tls, base = BASE,
    window = opts.window or 100, broker = opts.broker, clients = mqtt_clients(opts),
  }
end

for _, tls in ipairs { false, true } do
  local how = tls and ", TLS" or ""
  mqtt("receive, 64 B, QoS 0" .. how, "recv", 0, 64, tls and 1000000 or 2000000, tls, { fast = 5 })
  mqtt("receive, 64 B, QoS 1" .. how, "recv", 1, 64, 500000, tls, { fast = 5 })
  mqtt("receive, 1 KiB, QoS 0" .. how, "recv", 0, 1024, 500000, tls, { fast = 2 })
  mqtt("publish, 64 B, QoS 0" .. how, "pub", 0, 64, 500000, tls, { fast = 10 })
  mqtt("publish, 64 B, QoS 1, 100 in flight" .. how, "pub", 1, 64, 200000, tls, { fast = 10, no_limit = tls })
  mqtt("publish, 64 B, QoS 1, 1,000 in flight" .. how, "pub", 1, 64, 200000, tls, { no_limit = true, window = 1000 })
end

-- What a journal costs: the same client without one is the base.
cases[#cases + 1] = {
  name = "publish, 64 B, QoS 1, 1,000 in flight, with a journal", mode = "pub", qos = 1, size = 64, count = 200000,
  base = OURS, window = 1000, clients = {
    { name = OURS, command = FOGCLOUD, share = 1, ours = true },
    { name = OURS .. ", a journal", command = "env BENCH_JOURNAL=$OUT/bench.journal " .. FOGCLOUD, share = 1,
      ours = true },
    { name = OURS .. ", a journal, full", command = "env BENCH_JOURNAL=$OUT/bench.journal BENCH_SYNC=full " .. FOGCLOUD,
      share = 1, ours = true },
  },
}

-- What a thread gives, and costs: the same client with one is the base.
for _, what in ipairs {
  { "receive, 64 B, QoS 1", "recv", 500000 }, { "publish, 64 B, QoS 1, 100 in flight", "pub", 200000 },
} do
  cases[#cases + 1] = {
    name = what[1] .. ", with and without a thread", mode = what[2], qos = 1, size = 64, count = what[3], base = OURS,
    window = 100, clients = {
      { name = OURS, command = FOGCLOUD, share = 1, ours = true },
      { name = OURS .. ", no thread", command = "env BENCH_THREAD=0 " .. FOGCLOUD, share = 1, ours = true },
    },
  }
end

-- The broker is the limit here, the same for all: what a message costs is what tells them apart.
for qos = 0, 1 do
  mqtt("receive through mosquitto, 64 B, QoS " .. qos, "recv", qos, 64, 60000, false,
    { no_limit = true, equal_shares = true, broker = true })
end

local function http(name, many, count, tls)
  local clients = {
    { name = "libcurl, C", command = "$OUT/http_curl", share = 1 },
    { name = OURS, command = HTTP, share = 1, ours = true },
    { name = "undici, Node", command = NODE .. "http_undici.js", share = 0.5 },
  }
  if many == 1 and not tls then
    clients[#clients + 1] = { name = "LuaSocket, Lua 5.4", command = "lua5.4 bench/http_luasocket.lua", share = 0.5 }
  end
  cases[#cases + 1] = {
    name = name, http = true, many = many, count = count, tls = tls, server = tls and "bench/http2.sh $OUT" or nil,
    base = "libcurl, C", clients = clients,
  }
end

http("HTTP calls, one at a time", 1, 20000)
http("HTTP calls, 64 at a time", 64, 64000)
http("HTTP/2 calls over TLS, one at a time", 1, 10000, true)
http("HTTP/2 calls over TLS, 64 at a time", 64, 32000, true)

return cases
