-- SPDX-License-Identifier: MIT

--- Uses a store in Redis inside one host: HOST SETTINGS, where SETTINGS is a file that returns `options` for fogcloud.new,
--- `app_id`, and the process of the Redis that `options.store` names. Prints what came of it, and how long the loop's own
--- timer stood still at most. See redis_spec.lua.
local host, settings = arg[1], dofile(arg[2])
local fogcloud = require("fogcloud").use(host)
local loops = require "spec.host.loops"

local now = require("fogcloud.core").now
local beats, last, longest = 0, nil, 0
local beside = setmetatable({}, {
  __index = { beats = 0, echoes = 0 },
  __newindex = function(t, name, value)
    if name ~= "beats" then return rawset(t, name, value) end
    local at = now()
    beats, longest, last = beats + 1, math.max(longest, at - (last or at)), at
  end,
})

local function all(count, fn)
  local tasks = {}
  for i = 1, count do tasks[i] = fogcloud.spawn(fn) end
  for _, task in ipairs(tasks) do assert(task:wait(30)) end
end

local function share()
  local one, two = fogcloud.new(settings.options), fogcloud.new(settings.options)
  all(5, function() assert(one:products()) end)
  all(5, function() assert(two:products()) end)
  print(("shared: %d fetched"):format(one:stats().token_fetches + two:stats().token_fetches))
  assert(assert(one:client(settings.app_id)).clientid == assert(two:client(settings.app_id)).clientid)
  return one
end

loops[host](beside, function()
  local had = share()
  os.execute("kill -STOP " .. settings.pid)
  local before = had:stats().token_fetches
  local fresh = fogcloud.new(settings.options)
  all(5, function() assert(had:products()) end)
  all(5, function() assert(fresh:products()) end)
  os.execute("kill -CONT " .. settings.pid)
  print(("away: %d fetched"):format(had:stats().token_fetches - before + fresh:stats().token_fetches))
  beside.done = true
end)
print(("stood still: %.3f, beats: %d"):format(longest, beats))
