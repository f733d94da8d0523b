-- SPDX-License-Identifier: MIT

--- Runs the conformance suite in one host: HOST SETTINGS [LOOP], where SETTINGS is a file that returns a table with
--- `options` for fogcloud.new, `app_id`, `device` (credentials) and `ca_file`, and LOOP another one of loops.lua than the
--- host's. Prints a line for each case, and last how the loop's own timer and socket had their turn meanwhile: "beats N"
--- and "echoes N", how often, "beats gap S" and "echoes gap S", the longest time between two, and "took S", in seconds.
local host, settings = arg[1], dofile(arg[2])
local fogcloud = require("fogcloud").use(host)
local conformance = require "spec.host.conformance"
local loops = require "spec.host.loops"

local account = {}
function account.cloud()
  account.one = account.one or fogcloud.new(settings.options)
  return account.one
end
function account.session() return assert(account.cloud():open { app_id = settings.app_id, devices = { "dev1" } }) end
function account.device() return assert(fogcloud.connect(settings.device, { ca_file = settings.ca_file })) end

-- What the loop counts up; when it did so last is noted.
local now = require("fogcloud.core").now
local counts, last, gaps = { beats = 0, echoes = 0 }, {}, { beats = 0, echoes = 0 }
local beside = setmetatable({}, {
  __index = counts,
  __newindex = function(t, name, value)
    if counts[name] == nil then return rawset(t, name, value) end
    local at = now()
    gaps[name] = math.max(gaps[name], at - (last[name] or at))
    counts[name], last[name] = value, at
  end,
})
local began = now()
loops[arg[3] or host](beside, function()
  for _, case in ipairs(conformance.names()) do print(case .. ": " .. conformance.run(case, account)) end
  beside.done = true
end)
for _, name in ipairs { "beats", "echoes" } do
  print(("%s %d"):format(name, counts[name]))
  print(("%s gap %.3f"):format(name, gaps[name]))
end
print(("took %.3f"):format(now() - began))
