-- SPDX-License-Identifier: MIT

--- What the dashboard knows: the link's state, and of each device the last values and when they came. Draws nothing.
local fogcloud = require "fogcloud"

local Dashboard = {}
Dashboard.__index = Dashboard

local HISTORY = 60 -- values of a curve

function Dashboard.new(ids)
  local self = setmetatable({ link = "connecting", devices = {} }, Dashboard)
  for _, id in ipairs(ids) do
    self.devices[#self.devices + 1] = { id = id, values = {}, history = {}, updates = 0 }
  end
  return self
end

-- The first number of a report, by name, is drawn as a curve.
local function remember(device, values)
  device.values, device.seen, device.updates = values, love.timer.getTime(), device.updates + 1
  local names = {}
  for name, value in pairs(values) do
    if type(value) == "number" then names[#names + 1] = name end
  end
  table.sort(names)
  if names[1] == nil then return end
  device.curve = names[1]
  table.insert(device.history, values[names[1]])
  if #device.history > HISTORY then table.remove(device.history, 1) end
end

local function open(self)
  local ids = {}
  for i, device in ipairs(self.devices) do ids[i] = device.id end
  local session, err = fogcloud.new():open { devices = ids }
  if session == nil then return nil, err end
  for _, device in ipairs(self.devices) do
    local granted
    granted, err = session:device(device.id):on("status", function(values)
      if type(values) == "table" then remember(device, values) end
    end)
    if granted == nil then
      session:close()
      return nil, err
    end
  end
  session:on("connect", function() self.link = "online" end)
  session:on("disconnect", function() self.link = "offline" end)
  session:on("error", function(problem) self.problem = tostring(problem) end)
  return session
end

--- Connects in a task, again and again until it works; the frames go on meanwhile.
function Dashboard:start()
  fogcloud.spawn(function()
    while self.session == nil do
      local session, err = open(self)
      if session == nil then
        self.problem = tostring(err)
        fogcloud.sleep(3)
      else
        self.session, self.link, self.problem = session, "online", nil
      end
    end
  end)
end

--- Asks a device to switch itself on or off. What is shown follows when the device says so.
function Dashboard:toggle(device)
  if self.session == nil then return end
  local power = device.values.power == "on" and "off" or "on"
  local ok, err = self.session:device(device.id):send("commands", { power = power })
  if not ok then self.problem = tostring(err) end
end

function Dashboard:stop()
  if self.session then self.session:finish(0.5) end
end

return Dashboard
