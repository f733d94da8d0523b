-- SPDX-License-Identifier: MIT

--- A device that the sandbox itself plays, for the console: as much of an MQTT 3.1.1 client as that takes, in the loop
--- of the sandbox, where the client library would bring a loop of its own.
local core = require "fogcloud.sandbox.core"
local socket = require "socket"

local Player = {}
Player.__index = Player

local KEEPALIVE = 60 -- seconds
local CONNECT_WAIT = 1 -- of the system, on loopback
local MAX_PACKET = 1024 * 1024

local function text(s) return string.char(math.floor(#s / 256), #s % 256) .. s end

local function length(n)
  local out = ""
  repeat
    local byte = n % 128
    n = math.floor(n / 128)
    out = out .. string.char(n > 0 and byte + 128 or byte)
  until n == 0
  return out
end

local function packet(first, body) return string.char(first) .. length(#body) .. body end

local function send(self, bytes)
  self.out = self.out .. bytes
  local sent, _, partly = self.socket:send(self.out)
  self.out = self.out:sub((sent or partly or 0) + 1)
end

local function next_id(self)
  self.id = self.id % 65535 + 1
  return string.char(math.floor(self.id / 256), self.id % 256)
end

--- Logs in as the device, and subscribes to its commands.
---@return table? player
---@return string? why
function Player.open(address, port, id, password)
  local peer, why = socket.tcp()
  if peer == nil then return nil, why end
  peer:settimeout(CONNECT_WAIT)
  local ok
  ok, why = peer:connect(address, ("%.0f"):format(port))
  if not ok then
    peer:close()
    return nil, why
  end
  peer:settimeout(0)
  peer:setoption("tcp-nodelay", true)
  local self = setmetatable({ device = id, socket = peer, input = "", out = "", id = 0, spoke = core.now() }, Player)
  local client = ("console-%s-%d"):format(id, core.pid())
  local login = text(client) .. text(id) .. text(password)
  send(self, packet(16, text "MQTT" .. "\4\194" .. string.char(0, KEEPALIVE) .. login))
  return self
end

--- To wait on.
function Player:fd() return self.socket:getfd() end

local function on_connack(self, body)
  if body:byte(2) ~= 0 then
    self.why = "the broker refuses the device"
    return
  end
  self.up = true
  send(self, packet(130, next_id(self) .. text(("c2d/%s/#"):format(self.device)) .. "\1"))
end

local ANSWERS = { [1] = 64, [2] = 80 } -- PUBACK, PUBREC

-- Messages are seen by the tap; here they are acknowledged, as a device does.
local function on_packet(self, first, body)
  local kind = math.floor(first / 16)
  if kind == 2 then return on_connack(self, body) end
  if kind == 6 then return send(self, packet(112, body:sub(1, 2))) end
  if kind ~= 3 then return end
  local qos = math.floor(first / 2) % 4
  local topic = body:byte(1) * 256 + body:byte(2)
  if ANSWERS[qos] then send(self, packet(ANSWERS[qos], body:sub(topic + 3, topic + 4))) end
end

-- The next whole packet of what came; nil while it is not whole.
local function take_packet(self)
  local size, factor, at = 0, 1, 2
  while true do
    local byte = self.input:byte(at)
    if byte == nil then return nil end
    size, factor, at = size + byte % 128 * factor, factor * 128, at + 1
    if byte < 128 then break end
  end
  if size > MAX_PACKET or #self.input < at - 1 + size then return nil end
  local first, body = self.input:byte(1), self.input:sub(at, at - 1 + size)
  self.input = self.input:sub(at + size)
  return first, body
end

--- Reads what came, and keeps the connection alive.
---@return boolean on  false: it has ended, for the reason in `why`
function Player:turn()
  local more, why, partly = self.socket:receive(65536)
  self.input = self.input .. (more or partly or "")
  local first, body = take_packet(self)
  while first do
    on_packet(self, first, body)
    first, body = take_packet(self)
  end
  if core.now() - self.spoke > KEEPALIVE / 2 then
    self.spoke = core.now()
    send(self, packet(192, ""))
  elseif self.out ~= "" then
    send(self, "")
  end
  if why == "closed" and not self.why then self.why = "the broker closed the connection" end
  return self.why == nil and #self.input <= MAX_PACKET
end

--- Reports as the device.
function Player:report(channel, payload, qos, retain)
  local topic = text(("d2c/%s/%s"):format(self.device, channel))
  local id = qos > 0 and next_id(self) or ""
  send(self, packet(48 + qos * 2 + (retain and 1 or 0), topic .. id .. payload))
end

function Player:close()
  send(self, packet(224, ""))
  self.socket:close()
end

return Player
