-- SPDX-License-Identifier: MIT

-- A broker that does what its mode says and little more; started and ended by scripted_broker.lua. Any number of
-- clients, one process, no threads.
local socket = require "socket"
local mode = arg[1]

-- Numbers up to 16383 are enough here.
local function varint(n) return n < 128 and string.char(n) or string.char(n % 128 + 128, math.floor(n / 128)) end
local function packet(type, body) return string.char(type) .. varint(#body) .. body end
local function text(s) return string.char(math.floor(#s / 256), #s % 256) .. s end

-- The first packet in the bytes: its type, its body, the rest; nil when there is none yet.
local function split(bytes)
  local length, factor, at = 0, 1, 2
  while true do
    local byte = bytes:byte(at)
    if byte == nil then return nil end
    length, factor, at = length + byte % 128 * factor, factor * 128, at + 1
    if byte < 128 then break end
  end
  if #bytes < at - 1 + length then return nil end
  return math.floor(bytes:byte(1) / 16), bytes:sub(at, at - 1 + length), bytes:sub(at + length), bytes:byte(1) % 16
end

local CONNACK_5 = packet(0x20, "\0\0\0")
local CONNACK_4 = packet(0x20, "\0\0")

local function message_id(body)
  local topic_len = body:byte(1) * 256 + body:byte(2)
  return body:sub(topic_len + 3, topic_len + 4), body:sub(3, topic_len + 2)
end

-- MQTT 5 properties: what a broker that means no good says, to whom sent it this password.
local function tattle(client)
  local said = text("line 1\nline 2 \27[2J\194\155 " .. client.password .. " " .. ("x"):rep(3000))
  local properties = "\x1F" .. said .. "\x26" .. text("why") .. said
  return varint(#properties) .. properties
end

-- Each: what to do with a packet of this type; a string is sent, false closes the connection, nil does nothing.
local MODES = {
  -- Says nothing at all.
  silent = {},
  -- Takes clients in, then reads nothing.
  deaf = { [1] = CONNACK_4, deaf = true },
  -- Throws clients out with MQTT 5's words when they publish.
  expel = { [1] = CONNACK_5, [3] = packet(0xE0, "\x8B\x1A" .. "\x1F" .. text("going home") .. "\x1C" .. text("other.host")) },
  -- Says what it knows of its client in every refusal.
  tattle = {
    [1] = function(body, client)
      client.password = body:match("s3cret[%w-]+$")
      return CONNACK_5
    end,
    [3] = function(body, client)
      local id, topic = message_id(body)
      if topic == "bye" then return packet(0xE0, "\x8B" .. tattle(client)) end
      return packet(0x40, id .. "\x87" .. tattle(client))
    end,
    [8] = function(body, client) return packet(0x90, body:sub(1, 2) .. tattle(client) .. "\x87") end,
  },
  -- Speaks 3.1.1 alone: refuses 5.0 with 3.1.1's code for it (3.2.2.3), or hangs up at once.
  old = { [1] = function(body) return body:byte(7) == 4 and CONNACK_4 or packet(0x20, "\0\1") end },
  older = { [1] = function(body) return body:byte(7) == 4 and CONNACK_4 end },
  -- Refuses with a code and a reason that nobody has seen.
  refuse = { [1] = packet(0x20, "\0\x97\0") },
  -- Acknowledges, but hangs up on a message to .../poison.
  poison = {
    [1] = CONNACK_4,
    [3] = function(body)
      local id, topic = message_id(body)
      return topic:find("poison") == nil and packet(0x40, id)
    end,
    [8] = function(body) return packet(0x90, body:sub(1, 2) .. "\1") end,
  },
  -- Hangs up on a SUBSCRIBE.
  unsubscribable = { [1] = CONNACK_4, [8] = function() return false end },
  -- Wants a keepalive of 5 s, and tells which one it was given (as a retained message).
  keepalive = {
    [1] = function(body, client)
      client.keepalive = body:byte(9) * 256 + body:byte(10)
      return packet(0x20, "\0\0\3\x13\0\5")
    end,
    [8] = function(body, client)
      local told = packet(0x30, text("keepalive") .. "\0" .. client.keepalive)
      return packet(0x90, body:sub(1, 2) .. "\0\0") .. told
    end,
  },
}

-- Wants a ping each second, and tells of each.
MODES.brisk = {
  [1] = packet(0x20, "\0\0\3\x13\0\1"),
  [8] = function(body) return packet(0x90, body:sub(1, 2) .. "\0\0") end,
  [12] = function() return "\xD0\0" .. packet(0x30, text("pinged") .. "\0") end,
}

-- One reaction for the first connection, another (or none) for those after it.
local function on_first(reaction, later)
  return function(body, client, ...)
    local chosen = client.number == 1 and reaction or later
    if type(chosen) == "function" then return chosen(body, client, ...) end
    return chosen
  end
end

local function granted_4(body) return packet(0x90, body:sub(1, 2) .. "\1") end

-- Acknowledges every message but the first.
MODES.unthankful = {
  [1] = CONNACK_4,
  [3] = function(body, client)
    client.messages = (client.messages or 0) + 1
    return client.messages > 1 and packet(0x40, (message_id(body))) or nil
  end,
}

-- Hangs up on all that wants an answer, over the first 12 connections.
local function after_trouble(answer)
  return function(body, client) return client.number > 12 and answer(body) end
end
MODES.trouble = {
  [1] = CONNACK_4,
  [3] = after_trouble(function(body) return packet(0x40, (message_id(body))) end),
  [8] = after_trouble(granted_4),
}

-- Takes clients in once they have answered its AUTH.
local METHOD = "\x15" .. text("m")
MODES.auth = {
  [1] = packet(0xF0, "\x18" .. varint(#METHOD + 4) .. METHOD .. "\x16" .. text("2")),
  [15] = function(body)
    return body:find(text("2!"), 1, true) and packet(0x20, "\0\0" .. varint(#METHOD) .. METHOD)
  end,
}

-- Hangs up on the first message of the first two connections; has no answer to the first message of the next.
MODES.hesitant = {
  [1] = CONNACK_4,
  [3] = function(body, client)
    client.messages = (client.messages or 0) + 1
    if client.number <= 2 then return false end
    return client.messages > 1 and packet(0x40, (message_id(body))) or nil
  end,
}

-- Cuts each of the first 30 connections: at its first message, or at its second ping.
MODES.cut = {
  [1] = CONNACK_4,
  [3] = function(body, client) return client.number > 30 and packet(0x40, (message_id(body))) end,
  [12] = function(_, client)
    client.pings = (client.pings or 0) + 1
    return (client.number > 30 or client.pings < 2) and "\xD0\0"
  end,
}

-- Answers the first connection's SUBSCRIBE, hangs up on its first message, and answers no SUBSCRIBE from then on.
MODES.mute = { [1] = CONNACK_4, [8] = on_first(granted_4), [3] = function() return false end }

-- Hangs up on the first connection's message; has forgotten the session then, and wants a keepalive of 5 s; knows it
-- again on the third. A SUBSCRIBE is told as a retained message.
MODES.forgetful = {
  [1] = function(_, client)
    if client.number == 1 then return CONNACK_5 end
    return packet(0x20, (client.number == 2 and "\0" or "\1") .. "\0\3\x13\0\5")
  end,
  [3] = function() return false end,
  [8] = function(body, client)
    local told = packet(0x30, text("subscribed") .. "\0" .. client.number)
    return packet(0x90, body:sub(1, 2) .. "\0\0") .. told
  end,
}

-- Throws a client out in favour of another with its id.
MODES.rival = { [1] = CONNACK_5, [3] = packet(0xE0, "\x8E\0") }

-- Reads nothing for a moment after the first message, so that the client's socket fills; then checks that payloads begin
-- with 1, 2, 3, ... and says so when "done" comes.
MODES.order = {
  [1] = CONNACK_4,
  [8] = function(body) return packet(0x90, body:sub(1, 2) .. "\1") end,
  [3] = function(body, client, flags)
    local id, topic = message_id(body)
    if topic == "done" then return packet(0x40, id) .. packet(0x30, text("result") .. (client.wrong or client.count)) end
    local qos1 = flags % 4 >= 2
    local number = tonumber(body:match("^%d+", #topic + (qos1 and 5 or 3)))
    if client.count == nil then socket.sleep(0.3) end
    client.count = (client.count or 0) + 1
    if number ~= client.count then client.wrong = client.wrong or ("%s after %d"):format(number, client.count - 1) end
    return qos1 and packet(0x40, id) or nil
  end,
}

-- Sends the next message once the one before is acknowledged.
local function next_message(client)
  client.sent = (client.sent or 0) + 1
  return packet(0x32, text("next") .. string.char(0, client.sent) .. client.sent)
end
MODES.one = {
  [1] = CONNACK_4,
  [8] = function(body, client) return granted_4(body) .. next_message(client) end,
  [4] = function(_, client) return client.sent < 100 and next_message(client) or nil end,
}

-- Sends the first client a message, and tells later ones how many acknowledgements and goodbyes it has got.
local acknowledgements, goodbyes = 0, 0
MODES.told = {
  [1] = CONNACK_4,
  [4] = function() acknowledgements = acknowledgements + 1 end,
  [8] = function(body, client)
    if client.number == 1 then return granted_4(body) .. next_message(client) end
    return granted_4(body) .. packet(0x30, text("told") .. acknowledgements .. " " .. goodbyes)
  end,
  [14] = function() goodbyes = goodbyes + 1 end,
}

local script = assert(MODES[mode], "no such mode")
local server = assert(socket.bind("127.0.0.1", 0))
if mode == "order" then assert(server:setoption("recv-buffer-size", 65536)) end
local clients, sockets, connections = {}, { server }, 0
io.stdout:write(select(2, server:getsockname()), "\n")
io.stdout:flush()

local function drop(client)
  client.socket:close()
  clients[client.socket] = nil
  for i, s in ipairs(sockets) do
    if s == client.socket then table.remove(sockets, i) end
  end
end

local function answer(client, type, body, flags)
  local reaction = script[type]
  if reaction == nil and type == 12 and script[1] then reaction = "\xD0\0" end -- every broker answers a ping
  if _G.type(reaction) == "function" then reaction = reaction(body, client, flags) end
  if reaction == false then return drop(client) end
  if reaction then client.socket:send(reaction) end
  if type == 1 and script.deaf then
    for i, s in ipairs(sockets) do
      if s == client.socket then table.remove(sockets, i) end
    end
  end
end

local function hear(client)
  local bytes, why, part = client.socket:receive(65536)
  client.bytes = client.bytes .. (bytes or part or "")
  while clients[client.socket] do
    local type, body, rest, flags = split(client.bytes)
    if type == nil then break end
    client.bytes = rest
    answer(client, type, body, flags)
  end
  if why == "closed" and clients[client.socket] then drop(client) end
end

while true do
  for _, s in ipairs(socket.select(sockets, nil, 60)) do
    if s == server then
      local accepted = server:accept()
      accepted:settimeout(0)
      connections = connections + 1
      clients[accepted] = { socket = accepted, bytes = "", number = connections }
      sockets[#sockets + 1] = accepted
    elseif clients[s] then
      hear(clients[s])
    end
  end
end
