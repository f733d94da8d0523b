-- SPDX-License-Identifier: MIT

--- A mosquitto without our plugin, and sessions to it.
local programs = dofile("bench/programs.lua")
local socket = require "socket"

local broker = {}

local CONFIG = [[
listener %d 127.0.0.1
allow_anonymous true
max_queued_messages 0
log_type none
]]

local function free_port()
  local probe = assert(socket.bind("127.0.0.1", 0))
  local _, port = probe:getsockname()
  probe:close()
  return tonumber(port)
end

--- Starts one: its port, a function that stops it, and its port for TLS where BUILD_DIR is given, which has the
--- certificate.
function broker.start(build)
  local port, tls_port, path = free_port(), free_port(), os.tmpname()
  local config = CONFIG:format(port)
  if build then
    local folder = programs.shell(("realpath '%s'"):format(build)):match("[^\n]+")
    config = config .. ("listener %d 127.0.0.1\ncertfile %s/cert.pem\nkeyfile %s/key.pem\n"):format(tls_port, folder,
      folder)
  end
  programs.write(path, "user root\n" .. config)
  local pid = programs.shell(("mosquitto -c %s >/dev/null 2>&1 & echo $!"):format(path)):match("%d+")
  for _ = 1, 100 do
    if socket.connect("127.0.0.1", port) then break end
    socket.sleep(0.05)
  end
  return tonumber(port), function()
    os.execute("kill " .. pid)
    os.remove(path)
  end, tls_port
end

--- A session; over TLS where a CA is given.
function broker.connect(port, id, ca)
  local credentials = { clientid = id, loginname = "x", password = "x", mqtthost = "localhost", mqttport = port,
    sslport = port }
  return assert(require("fogcloud").connect(credentials, { tls = ca ~= nil, ca_file = ca }))
end

return broker
