-- SPDX-License-Identifier: MIT

-- A dashboard of devices: live state, and a switch for those that have one. FOGCLOUD_* say which cloud, and
-- FOGCLOUD_DEVICES which devices: love examples/love
local fogcloud = require "fogcloud"
local Dashboard = require "dashboard"
local view = require "view"

local dashboard

function love.load()
  local ids = {}
  for id in (os.getenv("FOGCLOUD_DEVICES") or "dev1 dev2"):gmatch("%S+") do ids[#ids + 1] = id end
  dashboard = Dashboard.new(ids)
  dashboard:start()
  view.load()
end

-- The frame's share for the cloud: a hundred messages or two milliseconds, whichever is first. It waits for nothing.
function love.update() fogcloud.step(0, { events = 100, time = 0.002 }) end

function love.draw() view.draw(dashboard, love.timer.getTime()) end

function love.mousepressed(x, y)
  local device = view.switch_at(dashboard, x, y)
  if device then dashboard:toggle(device) end
end

function love.keypressed(key)
  if key == "escape" then love.event.quit() end
  if key == "f5" then love.event.quit("restart") end
end

-- What was pressed last is still sent: half a second at most.
function love.quit() dashboard:stop() end
