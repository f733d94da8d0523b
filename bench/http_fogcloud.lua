-- SPDX-License-Identifier: MIT
-- grant() as a user calls it: token, retry, envelope, JSON. PORT MANY COUNT [CA]; MANY tasks where it is more than one.
local fogcloud = require "fogcloud"

local port, many, count, ca = arg[1], tonumber(arg[2]), tonumber(arg[3]), arg[4]
local stopwatch = dofile "bench/stopwatch.lua"(require("fogcloud.core").now)
local cloud = assert(fogcloud.new {
  base_url = (ca and "https://localhost:" or "http://127.0.0.1:") .. port, client_id = "id", client_secret = "secret",
  ca_file = ca,
})

local function calls(n)
  for _ = 1, n do assert(cloud:grant("abc", "dev1")) end
end

calls(1)
stopwatch.start()
if many == 1 then
  calls(count)
else
  for _ = 1, many do fogcloud.spawn(calls, math.floor(count / many)) end
  fogcloud.run()
end
stopwatch.report(many == 1 and count or math.floor(count / many) * many)
os.exit(0)
