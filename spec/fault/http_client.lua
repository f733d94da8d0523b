-- SPDX-License-Identifier: MIT

-- The five calls to a server that does its worst: each ends by its deadline, with data or an error that has a kind.
-- Arguments: port, seconds. Prints counts; anything else is a failure.
package.path = "./?.lua;" .. package.path
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local leaks = require "spec.fault.leaks"

local port, seconds = tonumber(arg[1]), tonumber(arg[2])
local GRACE = os.getenv("FOG_LUA") and 5 or 2
local TIMEOUT = 1
local stop = core.now() + seconds
local counts = { good = 0, bad = 0, latest = 0 }
local KINDS = {
  api = true, auth = true, http = true, network = true, tls = true, timeout = true, protocol = true, overflow = true,
}

local function check(name, since, data, err)
  local took = core.now() - since
  counts.latest = math.max(counts.latest, took)
  assert(took < TIMEOUT + GRACE, ("%s took %.1f s"):format(name, took))
  if data ~= nil then
    counts.good = counts.good + 1
    assert(type(data) == "table" or type(data) == "string")
    return
  end
  counts.bad = counts.bad + 1
  assert(type(err) == "table" and KINDS[err.kind], name .. ": an error of kind " .. tostring(err and err.kind))
  local text = tostring(err)
  assert(not text:find("%c"), "a control character in an error's text")
  assert(not text:find("the-secret", 1, true), "a secret in an error's text")
end

local function worker(ends)
  while core.now() < ends do
    local cloud = assert(fogcloud.new {
      base_url = ("http://127.0.0.1:%d"):format(port), client_id = "key", client_secret = "the-secret", timeout = TIMEOUT,
      attempt_timeout = 0.5, max_body = 65536,
    })
    for _, call in ipairs {
      { "token" }, { "create_client", "app" }, { "grant", "c", "dev1" }, { "revoke", "c", "dev1" }, { "products" },
    } do
      local since = core.now()
      check(call[1], since, cloud[call[1]](cloud, call[2], call[3]))
    end
  end
end

local function work(ends)
  for _ = 1, 4 do fogcloud.spawn(worker, ends) end
  fogcloud.run()
end

work(stop - seconds / 2)
local watched = leaks.watch()
work(stop)
assert(core.now() < stop + 20, "the calls did not end")
assert(counts.good > 0 and counts.bad > 0, "nothing was spoiled, or everything")
leaks.check(watched)
print(("%d calls succeeded, %d failed, the longest took %.1f s"):format(counts.good, counts.bad, counts.latest))
