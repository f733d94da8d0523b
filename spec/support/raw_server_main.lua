-- SPDX-License-Identifier: MIT

-- A server that answers wrongly on purpose. The first path segment says how; started and ended by raw_server.lua.
local socket = require "socket"

local function reply(client, status, headers, body)
  client:send(("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(status, headers, #body, body))
end

local JSON = "Content-Type: application/json\r\n"

-- 64 MiB of blanks as some 64 KiB.
local function bomb()
  local pipe = assert(io.popen("head -c 67108864 /dev/zero | tr '\\0' ' ' | gzip -1", "r"))
  local bytes = pipe:read("*a")
  pipe:close()
  return bytes
end

local MODES = {
  html = function(c) reply(c, "200 OK", "Content-Type: text/html\r\n", "<html>login</html>") end,
  empty = function(c) reply(c, "200 OK", JSON, "") end,
  truncated = function(c) reply(c, "200 OK", JSON, '{"meta":{"message":"token info","co') end,
  noenvelope = function(c) reply(c, "200 OK", JSON, '["not","an","envelope"]') end,
  redirect = function(c) reply(c, "302 Found", "Location: http://127.0.0.1:1/stolen\r\n", "") end,
  cut = function(c) c:send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") end,
  close = function() end,
  late = function(c, request)
    socket.sleep(0.2)
    reply(c, "200 OK", JSON, request)
  end,
  slow = function(c) c:settimeout(20) c:receive("*l") end, -- until the client goes
  huge = function(c)
    c:send("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
    local block = ("x"):rep(65536)
    for _ = 1, 1024 do
      if not c:send(block) then return end
    end
  end,
  bomb = function(c) reply(c, "200 OK", JSON .. "Content-Encoding: gzip\r\n", bomb()) end,
  headers = function(c)
    c:send("HTTP/1.1 200 OK\r\n")
    for i = 1, 100000 do
      if not c:send(("X-%d: %s\r\n"):format(i, ("y"):rep(50))) then return end
    end
  end,
  -- While the kept connection is idle it says a 408 that nobody asked for, and hangs up, as load balancers do.
  unasked = function(c)
    reply(c, "200 OK", JSON, '{"meta":{"message":"product id list","code":0},"data":[]}')
    socket.sleep(0.1)
    c:send("HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
  end,
  -- A cloud with a token and no products.
  cloud = function(c, request)
    local data = request:find("/token/", 1, true) and '{"access_token":"t","expires_in":3600}' or "[]"
    reply(c, "200 OK", JSON .. "Connection: close\r\n", ('{"meta":{"message":"said","code":0},"data":%s}'):format(data))
  end,
  tunnel407 = function(c) reply(c, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"\r\n', "") end,
  tunnel403 = function(c) reply(c, "403 Forbidden", "", "no") end,
  tunnel502 = function(c) reply(c, "502 Bad Gateway", "", "no") end,
  echo = function(c, request, body) reply(c, "200 OK", "X-Twice: a\r\nx-twice: b\r\n", request .. "\n" .. body) end,
}

local function read_request(client)
  local lines, length = {}, 0
  while true do
    local line = client:receive("*l")
    if line == nil then return nil end
    if line == "" then break end
    lines[#lines + 1] = line
    length = tonumber(line:lower():match("^content%-length:%s*(%d+)")) or length
  end
  return table.concat(lines, "\n"), length > 0 and client:receive(length) or ""
end

local server = assert(socket.bind("127.0.0.1", 0))
local _, port = server:getsockname()
io.stdout:write(port, "\n")
io.stdout:flush()
while true do
  local client = server:accept()
  client:settimeout(5)
  local request, body = read_request(client)
  local mode = request and (request:match("^%u+ /(%w+)/") or request:match("^%u+ http://[^/]+/(%w+)/")
    or request:match "^CONNECT (%w+)") -- as a proxy
  if mode == "quit" then os.exit(0) end
  if MODES[mode] then MODES[mode](client, request, body) end
  client:close()
end
