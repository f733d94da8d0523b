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

--- Runs one client of one case, `count` operations; `prefix` goes before its command. Its line, or nil.
function programs.run(out, case, client, count, prefix)
  local arguments, port, stop
  if case.http then
    port, stop = programs.serve(case.server and case.server:gsub("%$OUT", out) or out .. "/httpd")
    arguments = ("%s %d %d%s"):format(port, case.many, count, case.tls and " " .. out .. "/cert.pem" or "")
  else
    local tls = case.tls and (" %s/cert.pem %s/key.pem"):format(out, out) or ""
    port, stop = programs.serve(("%s/peer %s %d %d %d%s"):format(out, case.mode, case.qos, case.size, count, tls))
    arguments = ("%s %s %d %d %d%s"):format(case.mode, port, case.qos, case.size, count,
      case.tls and " " .. out .. "/cert.pem" or "")
  end
  local command = client.command:gsub("%$OUT", out)
  local text = programs.shell(("%stimeout 120 %s %s 2>/dev/null"):format(prefix or "", command, arguments))
  stop()
  return json.decode(text:match("%b{}") or "")
end

return programs
