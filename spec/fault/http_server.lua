-- SPDX-License-Identifier: MIT

-- An API server that is almost one: the five calls are answered well, and most answers go through the mutator.
-- Arguments: a seed, the rate of spoiling.
package.path = "./?.lua;" .. package.path
local Mutator = require "spec.fault.mutator"
local peers = require "spec.fault.peers"

local mutator = Mutator.new(tonumber(arg[1]), tonumber(arg[2]))

local function envelope(message, data) return ('{"meta":{"message":"%s","code":0},"data":%s}'):format(message, data) end

local PAIR = '{"client_id":"c","device_id":"dev1"}'
local BODIES = {
  token = envelope("token info", '{"access_token":"t","token_type":"Bearer","expires_in":604800,"scope":"read"}'),
  client = envelope("mqtt info", '{"loginname":"l","password":"aB/+=","clientid":"c","mqtthost":"h","mqttport":1883,'
    .. '"sslport":1884,"endpoint":"e"}'),
  permission = envelope("create permission ok", PAIR),
  ids = envelope("product id list", '[{"productid":"p","pname":"\231\148\181"},{"productid":"q","pname":""}]'),
}

local function chunked(body)
  local out = {}
  while #body > 0 do
    local n = 1 + mutator:below(40)
    local piece = body:sub(1, n)
    body = body:sub(n + 1)
    out[#out + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
  end
  return table.concat(out) .. "0\r\n" .. (mutator:below(3) == 0 and "X-Trailer: x\r\n" or "") .. "\r\n"
end

local EXTRA = {
  "", "Retry-After: 99999999999\r\n", "Retry-After: -1\r\n", "Content-Encoding: gzip\r\n", "Content-Encoding: br, gzip\r\n",
  "Location: file:///etc/passwd\r\n", "Set-Cookie: a=b\r\n", "Connection: close\r\n", "Content-Length: 18446744073709551616\r\n",
  "Content-Length: -5\r\n", "X-Long: " .. ("y"):rep(70000) .. "\r\n", "\r\n", "No colon at all\r\n", " folded: line\r\n",
  "Upgrade: h2c\r\nConnection: upgrade\r\n", "Transfer-Encoding: chunked, chunked\r\n",
}
local STATUS = { "200 OK", "200 OK", "200 OK", "100 Continue", "204 No", "302 Found", "401 No", "429 Slow", "500 Oops", "999 ?" }

local function reply_to(path)
  local body = BODIES[path:match("(%a+)/$") or ""] or "{}"
  local status = mutator:below(3) == 0 and STATUS[1 + mutator:below(#STATUS)] or "200 OK"
  local extra = mutator:below(4) == 0 and EXTRA[1 + mutator:below(#EXTRA)] or ""
  local head = "HTTP/1.1 " .. status .. "\r\nContent-Type: application/json\r\n" .. extra
  if mutator:below(3) == 0 then return head .. "Transfer-Encoding: chunked\r\n\r\n", chunked(body) end
  return head .. ("Content-Length: %d\r\n\r\n"):format(#body), body
end

local function read_request(peer)
  local text = ""
  while not text:find("\r\n\r\n", 1, true) do
    local more = peer:some(4096)
    if more == nil then return nil end
    text = text .. more
  end
  local head, rest = text:match("^(.-\r\n\r\n)(.*)$")
  local length = tonumber(head:lower():match("content%-length: (%d+)")) or 0
  if #rest < length and peer:exactly(length - #rest) == nil then return nil end
  return head:match("^%u+ (%S+)") or "/"
end

peers.serve(function(peer)
  while true do
    local path = read_request(peer)
    if path == nil then return end
    local head, body = reply_to(path)
    if not peer:send(head) or not peer:send(body) then return end
    if mutator:below(30) == 0 then peer:pause(3) end
  end
end, mutator)
