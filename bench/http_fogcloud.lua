-- SPDX-License-Identifier: MIT
-- grant() as a user calls it: token, retry, envelope, JSON. PORT MANY COUNT; MANY tasks where it is more than one.
local fogcloud = require "fogcloud"

local port, many, count = arg[1], tonumber(arg[2]), tonumber(arg[3])
local wall = require("fogcloud.core").now
local cloud = assert(fogcloud.new {
  base_url = "http://127.0.0.1:" .. port, client_id = "id", client_secret = "secret",
})

local function calls(n)
  for _ = 1, n do assert(cloud:grant("abc", "dev1")) end
end

calls(1)
local from, cpu_from = wall(), os.clock()
if many == 1 then
  calls(count)
else
  for _ = 1, many do fogcloud.spawn(calls, math.floor(count / many)) end
  fogcloud.run()
end
local seconds, cpu, rss = wall() - from, os.clock() - cpu_from, 0
for line in io.lines("/proc/self/status") do rss = tonumber(line:match("^VmHWM:%s*(%d+)")) or rss end
local done = many == 1 and count or math.floor(count / many) * many
print(("{\"count\":%d,\"seconds\":%.6f,\"cpu\":%.6f,\"rss_kb\":%d}"):format(done, seconds, cpu, rss))
os.exit(0)
