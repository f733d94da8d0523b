-- SPDX-License-Identifier: MIT
--- Running the bench's programs: servers that print their port, clients that print one line of JSON.
local json = require "cjson.safe"

local programs = {}

function programs.read(path)
  local file = io.open(path)
  if file == nil then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

function programs.write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

function programs.shell(command)
  local pipe = io.popen(command)
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- Starts a server that prints its port; the port, and a function that stops it.
function programs.serve(command)
  local pipe = io.popen("echo $$; exec " .. command, "r")
  local pid, port = pipe:read("*l"), pipe:read("*l")
  assert(tonumber(port) and tonumber(pid), "cannot start " .. command)
  return port, function()
    os.execute("kill " .. pid .. " 2>/dev/null")
    pipe:close()
  end
end

-- A mosquitto with somebody who publishes to it without end.
local function busy_broker(out, case)
  local port, stop_broker = dofile("bench/broker.lua").start()
  local publisher = "sh -c 'echo 0; exec %s/client_mosq pub %d %d %d 1000000000 %d' 2>/dev/null"
  local _, stop_publisher = programs.serve(publisher:format(out, port, case.qos, case.size, case.window))
  return port, function()
    stop_publisher()
    stop_broker()
  end
end

local function other_side(out, case, count)
  if case.http then
    return programs.serve(case.server and case.server:gsub("%$OUT", out) or out .. "/httpd")
  elseif case.broker then
    return busy_broker(out, case)
  end
  local tls = case.tls and (" %s/cert.pem %s/key.pem"):format(out, out) or ""
  return programs.serve(("%s/peer %s %d %d %d%s"):format(out, case.mode, case.qos, case.size, count, tls))
end

--- Runs one client of one case, `count` operations. Its line, or nil and what it said.
function programs.run(out, case, client, count)
  local port, stop = other_side(out, case, count)
  local ca = case.tls and " " .. out .. "/cert.pem" or ""
  local arguments = case.http and ("%s %d %d%s"):format(port, case.many, count, ca)
    or ("%s %s %d %d %d %d%s"):format(case.mode, port, case.qos, case.size, count, case.window, ca)
  local command = client.command:gsub("%$OUT", out)
  local text = programs.shell(("timeout 60 %s %s 2>%s/said || echo failed: $?"):format(command, arguments, out))
  stop()
  local line = not text:find("failed: ") and json.decode(text:match("%b{}") or "")
  if line then return line end
  return nil, text .. (programs.read(out .. "/said") or "")
end

return programs
