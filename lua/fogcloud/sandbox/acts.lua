-- SPDX-License-Identifier: MIT

--- What the console does beyond the control API of old: permissions without a token, messages, devices that it plays,
--- and the timeline. Routes as those of control.lua, which takes them in.
local Player = require "fogcloud.sandbox.player"
local json = require "fogcloud.sandbox.json"
local telling = require "fogcloud.sandbox.telling"
local topic_rules = require "fogcloud.mqtt.topic"

local acts = {}

local PLAYERS, PAYLOAD = 8, 4096
local ENTRIES = 10000

local function refuse(why) return 400, { error = why } end

-- The rows of a client and a device that belong to one account.
local function pair_of(cloud, params)
  local client = cloud.state:first("SELECT account FROM clients WHERE clientid = ?", { params.client_id or "" })
  if client == nil then return nil, "'client_id' is unknown" end
  if not cloud.state:owns("devices", "id", params.device_id or "", client.account) then
    return nil, "'device_id' is unknown, or another account's"
  end
  return params
end

local function grant(cloud, params)
  local pair, why = pair_of(cloud, params)
  if pair == nil then return refuse(why) end
  cloud.state:grant(pair.client_id, pair.device_id)
  return 200, { ok = true }
end

local function revoke(cloud, params)
  local pair, why = pair_of(cloud, params)
  if pair == nil then return refuse(why) end
  cloud.state:revoke(pair.client_id, pair.device_id)
  return 200, { ok = true }
end

local function links(cloud)
  cloud.watch:turn()
  local players, last = {}, {}
  for id in pairs(cloud.players) do players[#players + 1] = id end
  table.sort(players)
  for device, time in pairs(cloud.watch.last) do last[#last + 1] = { device = device, time = time } end
  table.sort(last, function(a, b) return a.device < b.device end)
  return 200, {
    connected = json.list(cloud.watch:connected()), played = json.list(players), last = json.list(last),
  }
end

local function device_of(cloud, id)
  for _, device in ipairs(cloud:devices()) do
    if device.id == id then return device end
  end
  return nil
end

local function stop_playing(cloud, id)
  if cloud.players[id] then cloud.players[id]:close() end
  cloud.players[id] = nil
end

local function count(players)
  local n = 0
  for _ in pairs(players) do n = n + 1 end
  return n
end

-- The device comes online, or leaves.
local function play(cloud, params)
  local device = device_of(cloud, params.device)
  if device == nil then return refuse("'device' is unknown") end
  if params.on == false then
    stop_playing(cloud, device.id)
  elseif cloud.players[device.id] == nil then
    if count(cloud.players) >= PLAYERS then return refuse(("%d devices are played already"):format(PLAYERS)) end
    local player, why = Player.open(cloud.own.address, cloud.ports.plain, device.id, device.password)
    if player == nil then return refuse("the broker cannot be reached: " .. why) end
    cloud.players[device.id] = player
  end
  return 200, { playing = cloud.players[device.id] ~= nil }
end

-- Quality of service, payload and topic of a message; nil, why.
local function message_of(params, topic)
  local qos, payload = params.qos or 1, params.payload or ""
  if qos ~= 0 and qos ~= 1 and qos ~= 2 then return nil, "'qos' is 0, 1 or 2" end
  if #payload > PAYLOAD then return nil, ("'payload' has over %d bytes"):format(PAYLOAD) end
  local ok, why = topic_rules.valid_topic(topic)
  if not ok then return nil, "the topic " .. why end
  return { topic = topic, payload = payload, qos = qos, retain = params.retain == true }
end

local function report(cloud, params)
  local player = cloud.players[params.device or ""]
  if player == nil then return refuse("'device' is not played: it has to come online first") end
  local message, why = message_of(params, ("d2c/%s/%s"):format(params.device, params.channel or ""))
  if message == nil or (params.channel or "") == "" then return refuse(why or "'channel' is missing") end
  player:report(params.channel, message.payload, message.qos, message.retain)
  return 200, { ok = true }
end

local function publish(cloud, params)
  if (params.topic or "") == "" then return refuse("'topic' is missing") end
  local message, why = message_of(params, params.topic)
  if message == nil then return refuse(why) end
  if not cloud.watch:publish(message.topic, message.payload, message.qos, message.retain) then
    return refuse("too many messages are under way")
  end
  return 200, { ok = true }
end

local function timeline(cloud, params)
  cloud.watch:turn()
  local after, most = tonumber(params.after or 0), tonumber(params.most or ENTRIES)
  local upto = params.upto and tonumber(params.upto) or nil
  if after == nil or most == nil or (params.upto and upto == nil) then
    return refuse("'after', 'upto' and 'most' are numbers")
  end
  return 200, { last = cloud.timeline.last, entries = json.list(cloud.timeline:since(after, most, upto)) }
end

-- A part of the timeline as a test file.
local function spec(cloud, params)
  cloud.watch:turn()
  local after, upto = tonumber(params.after or 0), tonumber(params.upto or cloud.timeline.last)
  if after == nil or upto == nil then return refuse("'after' and 'upto' are numbers") end
  local text, why = telling.tell(cloud, after, upto, params.as or "busted")
  if text == nil then return refuse(why) end
  return 200, { text = text }
end

--- Taken in by control.lua.
acts.ROUTES = {
  ["POST grants"] = grant, ["DELETE grants"] = revoke, ["GET links"] = links, ["POST play"] = play,
  ["POST report"] = report, ["POST publish"] = publish, ["GET timeline"] = timeline,
  ["GET spec"] = spec,
}

local PAIR = { client_id = "string", device_id = "string" }

acts.FIELDS = {
  ["POST grants"] = PAIR, ["DELETE grants"] = PAIR, ["GET links"] = {},
  ["POST play"] = { device = "string", on = "boolean" },
  ["POST report"] = {
    device = "string", channel = "string", payload = "string", qos = "number", retain = "boolean",
  },
  ["POST publish"] = { topic = "string", payload = "string", qos = "number", retain = "boolean" },
  ["GET timeline"] = { after = true, upto = true, most = true },
  ["GET spec"] = { after = true, upto = true, as = true },
}

return acts
