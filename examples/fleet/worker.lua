-- SPDX-License-Identifier: MIT

--- A worker of a fleet: takes its share of the devices, and notes each message in a file once it is handled. Start as
--- many as you like, on as many machines as you like; run.lua does, and makes their life hard.
--
-- FLEET_STORE is where the machines meet (redis://…), FLEET_NAME the fleet, FLEET_SLOTS, FLEET_DEVICES (a file, a line
-- each), FLEET_LIFE; FLEET_LEDGER the file that is written. FOGCLOUD_* are the account's.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"

local function setting(name) return os.getenv(name) or error(name .. " is not set", 0) end

local store = setting "FLEET_STORE"
local ledger = assert(io.open(setting "FLEET_LEDGER", "a"))
ledger:setvbuf "line" -- one write for each line: what is noted is noted, whatever becomes of us

local function devices()
  local list = {}
  for line in io.lines(setting "FLEET_DEVICES") do list[#list + 1] = line end
  return list
end

local function note(what, slot, rest)
  ledger:write(("%.6f %s %d %.0f %s\n"):format(core.now(), what, slot.index, slot.fence, rest or ""))
end

--- What is done for a slot whenever this worker has it. The slot's fence goes with everything that is done: whoever
--- keeps the results refuses what comes late from a worker that did not know yet that it had lost the slot.
local function start(session, slot)
  assert(session:subscribe("d2c/+/orders", 1, function(topic, payload)
    note("handled", slot, topic:match "^d2c/([^/]+)/" .. " " .. payload)
  end))
  note("took", slot)
end

fogcloud.log "error"
local fleet = fogcloud.fleet {
  cloud = fogcloud.new { store = store }, name = setting "FLEET_NAME", slots = tonumber(setting "FLEET_SLOTS"),
  devices = devices, start = start, life = tonumber(os.getenv "FLEET_LIFE"),
}

-- run.lua ends us by a file; a service is told by a signal (docs/guide-deployment.md).
local function told_to_end()
  local file = io.open(setting "FLEET_LEDGER" .. ".end")
  if file then file:close() end
  return file ~= nil
end
fogcloud.spawn(function()
  while not told_to_end() do fogcloud.sleep(0.2) end
  fleet:stop()
end)
fogcloud.run()
