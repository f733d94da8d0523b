-- SPDX-License-Identifier: MIT

-- HOST SETTINGS SLOTS: a worker of a fleet, in a process of its own, until the file `stop` or `stop.PID` is
-- there. What happens goes to the file `log`, a line each: this process, what, slot, number. Started by fleet_spec.lua.
local host, settings, slots = arg[1], dofile(arg[2]), tonumber(arg[3])
local fogcloud = require("fogcloud").use(host)
local core = require "fogcloud.core"
local loops = require "spec.host.loops"

local log = assert(io.open(settings.log, "a"))
log:setvbuf "line"

local function note(what, slot)
  log:write(("%d %s %d %.0f\n"):format(core.pid(), what, slot and slot.index or 0, slot and slot.fence or 0))
end

local function is_there(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function devices()
  local list = {}
  for line in io.lines(settings.devices) do list[#list + 1] = line end
  return list
end

local function start(session, slot)
  session:on("disconnect", function() note("left", slot) end)
  session:on("connect", function() note("back", slot) end)
  local granted, err = session:subscribe("d2c/+/n", 1, function(topic, payload)
    if is_there(settings.stop .. ".hold") then -- a handler that never ends
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
    start = start, life = settings.life, session = { backoff_base = 0.1 }, journal = settings.journal,
  }
  note "waits"
  local refreshed, published
  while not (is_there(settings.stop) or is_there(settings.stop .. "." .. core.pid())) do
    fogcloud.sleep(0.05)
    if not published and is_there(settings.stop .. ".publish") then
      published = true
      publish(fleet)
    end
    if not refreshed and is_there(settings.stop .. ".refresh") then
      refreshed = true
      fleet:refresh()
    end
  end
  assert(fleet:finish(20))
  note "ends"
  beside.done = true
end)
