-- SPDX-License-Identifier: MIT

-- HOST SETTINGS: one of those that want to lead, in a process of its own, until it is to end. Started by lead_spec.lua.
local fogcloud = require("fogcloud").use(arg[1])
local loops = require "spec.host.loops"
local worker = require "spec.support.worker"

local settings, note = worker.settings(arg[2])
local cloud

local function start(fence)
  note("starts", 0, fence)
  local session, err = cloud:open {
    app_id = settings.app_id, devices = { "dev1" }, keep = true, session = { clean = false, paused = true, backoff_base = 0.1 },
  }
  if session == nil then return nil, err end
  session:on("disconnect", function() note("left", 0, fence) end)
  local granted
  granted, err = session:subscribe("d2c/dev1/n", 1, function(_, payload) note("got:" .. payload, 0, fence) end)
  if granted == nil then return nil, err end
  note("leads", 0, fence)
  return session
end

local beside = { beats = 0, echoes = 0 }

loops[arg[1]](beside, function()
  cloud = fogcloud.new(settings.options)
  local leader = fogcloud.lead("spec", start, settings.options.store, { life = settings.life })
  note "waits"
  while not worker.is_to_end(settings) do fogcloud.sleep(0.05) end
  assert(leader:finish())
  note "ends"
  beside.done = true
end)
