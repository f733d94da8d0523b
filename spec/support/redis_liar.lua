-- SPDX-License-Identifier: MIT

-- PORT TEXT: accepts connections and answers each piece that comes with TEXT, in which \r, \n and \0 are escaped;
-- "hang up" closes each connection instead, "many N TEXT" repeats TEXT N times. Started by redis.lua.
local socket = require "socket"

local port, text = tonumber(arg[1]), arg[2]
local count, repeated = text:match("^many (%d+) (.*)$")
text = (repeated or text):gsub("\\([rn0])", { r = "\r", n = "\n", ["0"] = "\0" })
text = text:rep(tonumber(count) or 1)

local server = assert(socket.bind("127.0.0.1", port))
local peers = { server }

local function serve(peer)
  if peer == server then
    local client = server:accept()
    client:settimeout(0)
    if text == "hang up" then return client:close() end
    peers[#peers + 1] = client
    return
  end
  local _, why, part = peer:receive(65536)
  if why == "closed" then
    for i, other in ipairs(peers) do
      if other == peer then table.remove(peers, i) end
    end
    return peer:close()
  end
  if part ~= "" and text ~= "" then
    peer:settimeout(2)
    peer:send(text)
    peer:settimeout(0)
  end
end

while true do
  for _, peer in ipairs(socket.select(peers, nil, 10)) do serve(peer) end
end
