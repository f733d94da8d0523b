-- SPDX-License-Identifier: MIT

-- HOST SETTINGS SLOTS: a worker of a fleet, in a process of its own, until it is to end. Started by fleet_spec.lua.
local fogcloud = require("fogcloud").use(arg[1])
local loops = require "spec.host.loops"
local worker = require "spec.support.worker"

local settings, note_all = worker.settings(arg[2])
local host, slots = arg[1], tonumber(arg[3])

local function note(what, slot) note_all(what, slot and slot.index, slot and slot.fence) end

local function is_asked(what) return worker.is_there(settings.folder .. "/stop." .. what) end

local function devices()
  local list = {}
  for line in io.lines(settings.folder .. "/devices") do list[#list + 1] = line end
  return list
end

local function start(session, slot)
  session:on("disconnect", function() note("left", slot) end)
  session:on("connect", function() note("back", slot) end)
  local granted, err = session:subscribe("d2c/+/n", 1, function(topic, payload)
    if is_asked "hold" then -- a handler that never ends
      note("begun", slot)
      fogcloud.sleep(60)
    end
    note(("got:%s:%s"):format(topic:match "^d2c/([^/]+)/", payload), slot)
  end)
  if granted == nil then return nil, err end
  note("takes:" .. #slot.devices, slot)
end

-- One message to each device whose slot this worker has.
local function publish(fleet)
  for _, device in ipairs(devices()) do
    local session = fleet:session_of(device)
    if session then assert(session:publish(("c2d/%s/n"):format(device), device, { qos = 1 })) end
  end
  note "published"
end

local beside = { beats = 0, echoes = 0 }

loops[host](beside, function()
  local fleet = fogcloud.fleet {
    cloud = fogcloud.new(settings.options), app_id = settings.app_id, name = "spec", slots = slots, devices = devices,
    start = start, life = settings.life, session = { backoff_base = 0.1 }, journal = settings.folder,
  }
  note "waits"
  local refreshed, published
  while not worker.is_to_end(settings) do
    fogcloud.sleep(0.05)
    if not published and is_asked "publish" then
      published = true
      publish(fleet)
    end
    if not refreshed and is_asked "refresh" then
      refreshed = true
      fleet:refresh()
    end
  end
  assert(fleet:finish(20))
  note "ends"
  beside.done = true
end)
