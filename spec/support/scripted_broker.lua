-- SPDX-License-Identifier: MIT

--- Starts scripted_broker_main.lua in a mode; broker:credentials() is what to connect with.
require "spec.support.identity"

local ScriptedBroker = {}
ScriptedBroker.__index = ScriptedBroker

function ScriptedBroker.start(mode)
  local pipe = assert(io.popen("echo $$; exec lua5.4 spec/support/scripted_broker_main.lua " .. mode, "r"))
  local pid, port = pipe:read("*l"), tonumber(pipe:read("*l"))
  return setmetatable({ pipe = pipe, pid = pid, port = assert(port, "the broker did not start") }, ScriptedBroker)
end

function ScriptedBroker:credentials()
  return { clientid = "c", loginname = "l", password = "p", mqtthost = "127.0.0.1", mqttport = self.port, sslport = self.port }
end

function ScriptedBroker:stop()
  os.execute("kill " .. self.pid)
  self.pipe:close()
end

return ScriptedBroker
