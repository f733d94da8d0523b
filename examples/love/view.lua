-- SPDX-License-Identifier: MIT

--- Draws a dashboard: a card for each device. Knows nothing of the cloud.
local view = {}

local CARD = { width = 290, height = 210, gap = 22, top = 96 }
local STALE = 10 -- seconds after which a device counts as silent

local COLOURS = {
  back = { 0.07, 0.09, 0.13 }, card = { 0.12, 0.15, 0.21 }, line = { 0.22, 0.27, 0.36 }, text = { 0.90, 0.93, 0.97 },
  dim = { 0.55, 0.61, 0.70 }, good = { 0.31, 0.82, 0.56 }, bad = { 0.95, 0.42, 0.40 }, busy = { 0.96, 0.76, 0.33 },
  accent = { 0.36, 0.66, 0.98 },
}
local LINKS = { connecting = "busy", online = "good", offline = "bad" }

local graphics = love.graphics
local fonts

local function colour(name, alpha)
  local c = COLOURS[name]
  graphics.setColor(c[1], c[2], c[3], alpha or 1)
end

local function write(text, font, name, x, y, width, align)
  graphics.setFont(fonts[font])
  colour(name)
  graphics.printf(text, math.floor(x), math.floor(y), width or 1000, align or "left")
end

function view.load()
  fonts = { small = graphics.newFont(13), normal = graphics.newFont(16), large = graphics.newFont(26) }
end

local function place(i)
  local columns = math.max(1, math.floor((graphics.getWidth() - CARD.gap) / (CARD.width + CARD.gap)))
  local column, row = (i - 1) % columns, math.floor((i - 1) / columns)
  return CARD.gap + column * (CARD.width + CARD.gap), CARD.top + row * (CARD.height + CARD.gap)
end

local function switch_box(x, y) return x + CARD.width - 74, y + 18, 54, 26 end

local function draw_switch(device, x, y)
  local left, top, width, height = switch_box(x, y)
  local on = device.values.power == "on"
  colour(on and "good" or "line")
  graphics.rectangle("fill", left, top, width, height, height / 2)
  colour("text")
  graphics.circle("fill", on and left + width - height / 2 or left + height / 2, top + height / 2, height / 2 - 4)
end

local function draw_values(device, x, y)
  local names = {}
  for name in pairs(device.values) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    if i > 3 then break end
    local value = device.values[name]
    if type(value) == "number" then value = ("%.4g"):format(value) end
    write(name, "normal", "dim", x + 20, y + 34 + i * 24)
    write(tostring(value), "normal", "text", x + 20, y + 34 + i * 24, CARD.width - 40, "right")
  end
end

local function draw_curve(device, x, y)
  local history = device.history
  if #history < 2 then return end
  local low, high = math.huge, -math.huge
  for _, value in ipairs(history) do low, high = math.min(low, value), math.max(high, value) end
  local width, height, points = CARD.width - 40, 38, {}
  for i, value in ipairs(history) do
    points[#points + 1] = x + 20 + (i - 1) / (#history - 1) * width
    points[#points + 1] = y + CARD.height - 34 - (high > low and (value - low) / (high - low) or 0.5) * height
  end
  colour("accent")
  graphics.setLineWidth(2)
  graphics.line(points)
end

local function draw_card(device, i, now)
  local x, y = place(i)
  colour("card")
  graphics.rectangle("fill", x, y, CARD.width, CARD.height, 12)
  local silent = device.seen == nil or now - device.seen > STALE
  colour(silent and "line" or "good")
  graphics.circle("fill", x + 26, y + 31, 6)
  write(device.id, "normal", "text", x + 42, y + 21, CARD.width - 130)
  if device.values.power then draw_switch(device, x, y) end
  draw_values(device, x, y)
  draw_curve(device, x, y)
  local seen = device.seen and ("%d reports, the last %.0f s ago"):format(device.updates, now - device.seen)
  write(seen or "not heard of yet", "small", "dim", x + 20, y + CARD.height - 24)
end

--- Draws everything; `now` is on love.timer's clock.
function view.draw(dashboard, now)
  graphics.clear(COLOURS.back)
  write("FogCloud devices", "large", "text", CARD.gap, 26)
  colour(LINKS[dashboard.link])
  graphics.circle("fill", graphics.getWidth() - 130, 43, 6)
  write(dashboard.link, "normal", "text", graphics.getWidth() - 116, 34)
  for i, device in ipairs(dashboard.devices) do draw_card(device, i, now) end
  if dashboard.problem then
    write(dashboard.problem, "small", "bad", CARD.gap, graphics.getHeight() - 40, graphics.getWidth() - 2 * CARD.gap)
  end
end

--- The device whose switch is at a place of the window; nil for none.
function view.switch_at(dashboard, x, y)
  for i, device in ipairs(dashboard.devices) do
    local left, top, width, height = switch_box(place(i))
    local inside = x >= left and x <= left + width and y >= top and y <= top + height
    if inside and device.values.power then return device end
  end
  return nil
end

return view
