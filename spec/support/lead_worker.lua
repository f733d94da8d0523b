-- SPDX-License-Identifier: MIT

-- HOST SETTINGS: one of those that want to lead, in a process of its own, until the file `stop` of SETTINGS is there. What
-- happens goes to the file `log`, a line each: this process, what, and the number of the term. Started by lead_spec.lua.
local host, settings = arg[1], dofile(arg[2])
local fogcloud = require("fogcloud").use(host)
local core = require "fogcloud.core"
local loops = require "spec.host.loops"

local function note(what, fence)
  local file = assert(io.open(settings.log, "a"))
  file:write(("%d %s %.0f\n"):format(core.pid(), what, fence or 0))
  file:close()
end

local function is_there(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local cloud

local function start(fence)
  note("starts", fence)
  local session, err = cloud:open {
    app_id = settings.app_id, devices = { "dev1" }, keep = true, session = { clean = false, paused = true, backoff_base = 0.1 },
  }
  if session == nil then return nil, err end
  session:on("disconnect", function() note("left", fence) end)
  local granted
  granted, err = session:subscribe("d2c/dev1/n", 1, function(_, payload) note("got:" .. payload, fence) end)
  if granted == nil then return nil, err end
  note("leads", fence)
  return session
end

local beside = { beats = 0, echoes = 0 }

loops[host](beside, function()
  cloud = fogcloud.new(settings.options)
  local leader = fogcloud.lead("spec", start, settings.options.store, { life = settings.life })
  note("waits")
  while not is_there(settings.stop) do fogcloud.sleep(0.05) end
  assert(leader:finish())
  note("ends")
  beside.done = true
end)
