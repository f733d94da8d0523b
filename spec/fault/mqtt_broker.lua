-- SPDX-License-Identifier: MIT

-- A broker that is almost one: it answers as MQTT 3.1.1 or 5.0 wants, to the version that the client names, and most of
-- what it says goes through the mutator. Arguments: a seed, the rate of spoiling.
package.path = "./?.lua;" .. package.path
local Mutator = require "spec.fault.mutator"
local peers = require "spec.fault.peers"

local mutator = Mutator.new(tonumber(arg[1]), tonumber(arg[2]))

local function short(n) return string.char(math.floor(n / 256) % 256, n % 256) end

local function packet(first, body)
  local length, out = #body, {}
  repeat
    local digit = length % 128
    length = math.floor(length / 128)
    out[#out + 1] = string.char(length > 0 and digit + 128 or digit)
  until length == 0
  return string.char(first) .. table.concat(out) .. body
end

-- Properties as MQTT 5 has them, of packets in which they may stand; now and then many or strange ones.
local PROPERTIES = {
  "", "\33\0\10", "\39\0\1\0\0", "\38\0\1k\0\5value", "\31\0\6reason", "\18\0\8assigned", "\19\0\60", "\36\1", "\37\0",
  "\2\0\0\0\9", "\1\1", "\3\0\10text/plain", "\8\0\5reply", "\9\0\3abc", "\11\5", "\35\0\1", "\34\0\9", "\40\0",
  "\22\0\4data", "\21\0\4plus", "\26\0\4info", "\28\0\5other", "\17\0\0\0\60", "\11\255\255\255\127",
}

local function properties(peer)
  if peer.version ~= 5 then return "" end
  local parts = {}
  for i = 1, mutator:below(4) do parts[i] = PROPERTIES[1 + mutator:below(#PROPERTIES)] end
  local all = table.concat(parts)
  return string.char(#all % 128) .. all
end

local function publish(peer)
  local qos = mutator:below(3)
  local id = qos > 0 and short(1 + mutator:below(8)) or ""
  local topic = mutator:below(10) == 0 and "" or "d2c/dev1/status"
  local payload = ("x"):rep(mutator:below(300))
  return packet(48 + 2 * qos + mutator:below(2) * 8, short(#topic) .. topic .. id .. properties(peer) .. payload)
end

local function id_of(body) return body:sub(1, 2) end

local ANSWERS = {
  [1] = function(peer, body)
    peer.version = body:byte(7) or 4
    return packet(32, "\0" .. (mutator:below(10) == 0 and string.char(mutator:below(256)) or "\0") .. properties(peer))
  end,
  [3] = function(peer, body, flags)
    local qos = math.floor(flags / 2) % 4
    if qos == 0 then return publish(peer) end
    local at = 3 + (body:byte(1) or 0) * 256 + (body:byte(2) or 0)
    return packet(qos == 1 and 64 or 80, body:sub(at, at + 1)), publish(peer)
  end,
  [4] = function() end,
  [5] = function(_, body) return packet(98, id_of(body)) end,
  [6] = function(_, body) return packet(112, id_of(body)) end,
  [7] = function(peer) return publish(peer) end,
  [8] = function(peer, body)
    return packet(144, id_of(body) .. properties(peer) .. string.char(mutator:below(4))), publish(peer), publish(peer)
  end,
  [10] = function(peer, body) return packet(176, id_of(body) .. properties(peer) .. (peer.version == 5 and "\0" or "")) end,
  [12] = function(peer) return packet(208, ""), publish(peer) end,
}

local function read_packet(peer)
  local first = peer:exactly(1)
  if first == nil then return nil end
  local length, factor = 0, 1
  repeat
    local digit = peer:exactly(1)
    if digit == nil then return nil end
    length = length + digit:byte() % 128 * factor
    factor = factor * 128
  until digit:byte() < 128 or factor > 2097152
  return first:byte(), length == 0 and "" or peer:exactly(length)
end

peers.serve(function(peer)
  while true do
    local first, body = read_packet(peer)
    if body == nil then return end
    local answer = ANSWERS[math.floor(first / 16)]
    if answer == nil then return end
    local replies = { answer(peer, body, first % 16) }
    for _, reply in ipairs(replies) do
      if not peer:send(reply) then return end
    end
    if mutator:below(40) == 0 then return end
  end
end, mutator)
