-- SPDX-License-Identifier: MIT

--- Starts raw_server_main.lua; server:url(mode) is a base URL whose replies are wrong in that way.
local socket = require "socket"

local RawServer = {}
RawServer.__index = RawServer

function RawServer.start()
  local pipe = assert(io.popen("exec lua5.4 spec/support/raw_server_main.lua", "r"))
  local port = assert(tonumber(pipe:read("*l")), "the server did not start")
  return setmetatable({ pipe = pipe, port = port }, RawServer)
end

function RawServer:url(mode) return ("http://127.0.0.1:%d/%s"):format(self.port, mode) end

function RawServer:stop()
  local client = socket.connect("127.0.0.1", self.port)
  if client then
    client:send("GET /quit/ HTTP/1.0\r\n\r\n")
    client:close()
  end
  self.pipe:close()
end

return RawServer
