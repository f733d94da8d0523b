-- SPDX-License-Identifier: MIT

--- A service that hears what devices report. It ends in order when it is told to (SIGTERM), waits for a broker that
--- is not there yet, keeps its client and what it has not sent over its own death, and tells the service manager how
--- it is. fogcloud-bridge.service is its unit.
--
-- FOGCLOUD_* are the account's; BRIDGE_DEVICES the devices, with commas. Tokens and the client lie below
-- XDG_STATE_HOME, the journal in STATE_DIRECTORY.
local fogcloud = require "fogcloud"
local service = require "fogcloud.service"

local FINISH_TIME = 20 -- seconds; less than TimeoutStopSec

local devices = {}
for id in (os.getenv "BRIDGE_DEVICES" or ""):gmatch "[^%s,]+" do devices[#devices + 1] = id end
local folder = os.getenv "STATE_DIRECTORY" or "."

fogcloud.log "warn"
local cloud = fogcloud.new { store = "file" }

local function open()
  return cloud:open {
    devices = devices, keep = "bridge",
    session = { clean = false, paused = true, retry = true, journal = folder .. "/bridge.journal" },
  }
end

-- The world may not be ready when we are. The broker is waited for by the session (`retry`); the cloud, which makes our
-- client at the first start and grants it the devices, is tried again here, each time a little later.
local function open_patiently()
  local pause = 1
  while true do
    local session, err = open()
    if session then return session end
    io.stderr:write("not yet: ", tostring(err), "\n")
    service.notify("STATUS=waiting: " .. tostring(err):gsub("%c", " "))
    fogcloud.sleep(pause)
    pause = math.min(30, 2 * pause)
  end
end

local function handle(topic, payload)
  io.stdout:write(topic, " ", payload, "\n")
  io.stdout:flush()
end

local session
fogcloud.spawn(function()
  service.watch() -- alive while the loop turns, connected or not: a restart would not bring the broker back
  session = open_patiently()
  assert(session:subscribe("d2c/+/status", 1, handle, { timeout = math.huge })) -- once the broker is there
  session:on("error", function(err) io.stderr:write(tostring(err), "\n") end)
  session:resume()
  service.ready("connected, " .. #devices .. " devices")
end)

fogcloud.run { signals = true } -- returns on SIGTERM and SIGINT, and when all is done

service.stopping()
if session and not session.ended then
  local ok, err = session:finish(FINISH_TIME)
  if not ok then io.stderr:write(tostring(err), "\n") end
end
