-- SPDX-License-Identifier: MIT

--- A server of hostile connections: a coroutine for each, all in one process, and a record of what each one sent, so that
--- a crash can be repeated. Prints its port; ends when whoever started it lets go of the first connection, and then says
--- what it did.
local socket = require "socket"

local peers = {}

local live, wait_until = {}, {}
local record = assert(io.open(os.getenv("FOG_FAULT_RECORD") or "/dev/null", "w"))
local serial, pieces, spoiled = 0, 0, 0

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

local Peer = {}
Peer.__index = Peer

--- At least one byte, at most n; nil when the other side has gone.
function Peer:some(n)
  while true do
    local data, why, partial = self.socket:receive(n)
    data = data or partial
    if data ~= nil and #data > 0 then return data end
    if why == "closed" then return nil end
    coroutine.yield "read"
  end
end

--- Exactly n bytes, or nil.
function Peer:exactly(n)
  local parts, have = {}, 0
  while have < n do
    local data = self:some(n - have)
    if data == nil then return nil end
    parts[#parts + 1], have = data, have + #data
  end
  return table.concat(parts)
end

function Peer:pause(seconds)
  wait_until[self] = socket.gettime() + seconds
  coroutine.yield "pause"
end

-- False when it cannot be sent: the other side has gone, or does not read.
local function send_all(self, bytes)
  local at = 1
  for _ = 1, 200 do
    local last, why, partial = self.socket:send(bytes, at)
    at = (last or partial or at - 1) + 1
    if at > #bytes then return true end
    if why == "closed" then return false end
    self:pause(0.01)
  end
  return false
end

--- Sends bytes after the mutator has seen them. False when the connection is over.
function Peer:send(bytes)
  local out, cut, trickle = self.mutator:spoil(bytes)
  pieces, spoiled = pieces + 1, spoiled + ((cut or trickle or out ~= bytes) and 1 or 0)
  record:write(("%d %s%s\n"):format(self.serial, hex(out:sub(1, 2000)), cut and " cut" or ""))
  if trickle then
    for i = 1, math.min(#out, 60) do
      if not send_all(self, out:sub(i, i)) then return false end
      self:pause(0.005)
    end
    out = out:sub(61)
  end
  if #out > 0 and not send_all(self, out) then return false end
  return not cut
end

local function accept(server, serve, mutator)
  local client = server:accept()
  if client == nil then return end
  client:settimeout(0)
  client:setoption("tcp-nodelay", true)
  serial = serial + 1
  local peer = setmetatable({ socket = client, mutator = mutator, serial = serial }, Peer)
  peer.run = coroutine.create(serve)
  live[client] = peer
end

local function finish(peer)
  peer.socket:close()
  live[peer.socket], wait_until[peer] = nil, nil
end

local function resume(peer)
  wait_until[peer] = nil
  local ok, why = coroutine.resume(peer.run, peer)
  if not ok then
    io.stderr:write(tostring(why), "\n")
    os.exit(1)
  end
  if coroutine.status(peer.run) == "dead" then finish(peer) end
end

local function turn(server, control, serve, mutator)
  local readers, now, timeout = { server, control }, socket.gettime(), 1
  for client, peer in pairs(live) do
    local at = wait_until[peer]
    if at == nil then
      readers[#readers + 1] = client
    else
      timeout = math.max(0, math.min(timeout, at - now))
    end
  end
  for _, ready in ipairs((socket.select(readers, nil, timeout))) do
    if ready == server then
      accept(server, serve, mutator)
    elseif ready == control then
      print(("%d connections, %d pieces, %d spoiled"):format(serial, pieces, spoiled))
      os.exit(0)
    elseif live[ready] then
      resume(live[ready])
    end
  end
  now = socket.gettime()
  local due = {}
  for peer, at in pairs(wait_until) do
    if at <= now then due[#due + 1] = peer end
  end
  for _, peer in ipairs(due) do resume(peer) end
end

--- Serves until the connection that the first client makes is closed.
---@param serve fun(peer)  one connection; returning closes it
function peers.serve(serve, mutator)
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  io.stdout:write(("%d\n"):format(port))
  io.stdout:flush()
  local control = assert(server:accept())
  server:settimeout(0)
  while true do turn(server, control, serve, mutator) end
end

return peers
