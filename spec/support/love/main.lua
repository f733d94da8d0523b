-- SPDX-License-Identifier: MIT

-- Plays examples/love as a person would, from the checkout's top: waits until both devices have reported, clicks on
-- the lamp's switch, takes a picture, restarts, and does it again. Into the folder FOG_LOVE_OUT it writes the picture
-- (ROUND.png), what the lamp said and the colour of its switch (ROUND.switch), what each frame's fogcloud.step took in
-- seconds (steps), and "done". With FOG_LOVE_FRAMES a round goes on for so many frames, and calls are made meanwhile.
local out = assert(os.getenv "FOG_LOVE_OUT")
local SWITCH = { x = 265, y = 127 } -- the middle of the first card's
local frames_wanted = tonumber(os.getenv "FOG_LOVE_FRAMES") or 0
package.path = "examples/love/?.lua;" .. package.path
local fogcloud = require "fogcloud"
local Dashboard = require "dashboard"
local clock = require("fogcloud.core").now

local function write(name, mode, text)
  local file = assert(io.open(out .. "/" .. name, mode))
  file:write(text)
  file:close()
end

local function round_number()
  local file = io.open(out .. "/1.png")
  if file then file:close() end
  return file and 2 or 1
end

local round, frames, steps = round_number(), 0, {}
local step = fogcloud.step
function fogcloud.step(...)
  local began = clock()
  step(...)
  steps[#steps + 1] = ("%.7f"):format(clock() - began)
end

local dashboard
local new = Dashboard.new
function Dashboard.new(ids)
  dashboard = new(ids)
  return dashboard
end

dofile "examples/love/main.lua"

local function make_calls()
  fogcloud.spawn(function()
    local cloud = fogcloud.new()
    while true do
      assert(cloud:products())
      fogcloud.sleep(0.01)
    end
  end)
end

local function leave()
  write("steps", "a", table.concat(steps, "\n") .. "\n")
  if round == 2 then write("done", "w", "done") end
  love.event.quit(round == 1 and "restart" or 0)
end

-- What has to come before the next stage, in order.
local wanted_power
local STAGES = {
  function() return dashboard.devices[1].updates >= 2 and dashboard.devices[2].updates >= 3 end,
  function()
    wanted_power = dashboard.devices[1].values.power == "on" and "off" or "on"
    love.event.push("mousepressed", SWITCH.x, SWITCH.y, 1, false, 1)
    return true
  end,
  function() return dashboard.devices[1].values.power == wanted_power and frames >= frames_wanted end,
  function()
    love.graphics.captureScreenshot(function(image)
      write(round .. ".png", "wb", image:encode("png"):getString())
      write(round .. ".switch", "w", ("%s %.3f %.3f %.3f"):format(wanted_power, image:getPixel(SWITCH.x, SWITCH.y)))
      leave()
    end)
    return true
  end,
}

local load, update, stage = love.load, love.update, 1
function love.load(...)
  load(...)
  if frames_wanted > 0 then make_calls() end
end

function love.update(...)
  frames = frames + 1
  update(...)
  if STAGES[stage] and STAGES[stage]() then stage = stage + 1 end
end
