-- SPDX-License-Identifier: MIT
-- LuaSocket's http.request: no keep-alive, one at a time, no JSON. PORT 1 COUNT
local http, ltn12, socket = require "socket.http", require "ltn12", require "socket"

local url, count, body = "http://127.0.0.1:" .. arg[1] .. "/v3/open_api/mqtt/permission/", tonumber(arg[3]),
  "client_id=abc&device_id=dev1"
local stopwatch = dofile "bench/stopwatch.lua"(socket.gettime)
stopwatch.start()
for _ = 1, count do
  local chunks = {}
  local ok, status = http.request {
    url = url, method = "POST", source = ltn12.source.string(body), sink = ltn12.sink.table(chunks),
    headers = { ["authorization"] = "Bearer t", ["content-length"] = #body,
      ["content-type"] = "application/x-www-form-urlencoded" },
  }
  assert(ok and status == 200 and #chunks > 0)
end
stopwatch.report(count)
