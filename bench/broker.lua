-- SPDX-License-Identifier: MIT

--- A mosquitto without our plugin, and sessions to it.
local programs = dofile("bench/programs.lua")
local socket = require "socket"

local broker = {}

local function free_port()
  local probe = assert(socket.bind("127.0.0.1", 0))
  local _, port = probe:getsockname()
  probe:close()
  return tonumber(port)
end

--- Starts one: its port, and a function that stops it.
function broker.start()
  local port, path = free_port(), os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_type none\n"):format(port))
  file:close()
  local pid = programs.shell(("mosquitto -c %s >/dev/null 2>&1 & echo $!"):format(path)):match("%d+")
  for _ = 1, 100 do
    if socket.connect("127.0.0.1", port) then break end
    socket.sleep(0.05)
  end
  return tonumber(port), function()
    os.execute("kill " .. pid)
    os.remove(path)
  end
end

--- A session without TLS.
function broker.connect(port, id)
  local credentials = { clientid = id, loginname = "x", password = "x", mqtthost = "localhost", mqttport = port }
  return assert(require("fogcloud").connect(credentials, { tls = false }))
end

return broker
