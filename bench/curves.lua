-- SPDX-License-Identifier: MIT
--- Curves over a logarithmic axis, one panel beside the other, as SVG.
local curves = {}

local W, H, LEFT, TOP, BOTTOM, GAP = 240, 130, 56, 34, 30, 20

local function nice(value)
  if value >= 1e6 then return ("%gM"):format(value / 1e6) end
  if value >= 1e3 then return ("%gk"):format(value / 1e3) end
  return ("%g"):format(value)
end

-- The round number (1, 2 or 5 and zeros) that is no smaller.
local function round_up(value)
  local unit = 10 ^ math.floor(math.log(value, 10))
  for _, step in ipairs { 1, 2, 5, 10 } do
    if step * unit >= value * 0.999 then return step * unit end
  end
end

local function decades(points)
  local least, most = math.huge, 0
  for _, p in ipairs(points) do least, most = math.min(least, p[1]), math.max(most, p[1]) end
  return math.log(least, 10), math.max(math.log(most, 10), math.log(least, 10) + 0.1)
end

-- One panel: { title =, x =, points = { { x, y }, … }, color = }
local function panel(p, left, out)
  local from, to = decades(p.points)
  local top = 0
  for _, point in ipairs(p.points) do top = math.max(top, point[2]) end
  top = round_up(top)
  local function at(x, y) return left + W * (math.log(x, 10) - from) / (to - from), TOP + H * (1 - y / top) end
  local function text(x, y, anchor, what)
    out[#out + 1] = ('<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>'):format(x, y, anchor, what)
  end
  out[#out + 1] = ('<text x="%d" y="16" font-weight="bold">%s</text>'):format(left - LEFT + 12, p.title)
  for _, share in ipairs { 0, 0.5, 1 } do
    local y = TOP + H * (1 - share)
    out[#out + 1] = ('<path d="M%d %.1fh%d" stroke="#d5d9dd"/>'):format(left, y, W)
    text(left - 6, y + 4, "end", nice(top * share))
  end
  local line = {}
  for i, point in ipairs(p.points) do
    local x, y = at(point[1], point[2])
    line[i] = ("%s%.1f %.1f"):format(i == 1 and "M" or "L", x, y)
    out[#out + 1] = ('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>'):format(x, y, "#1f6feb")
    text(x, TOP + H + 14, "middle", nice(point[1]))
  end
  out[#out + 1] = ('<path d="%s" fill="none" stroke="#1f6feb" stroke-width="2"/>'):format(table.concat(line))
  text(left + W / 2, TOP + H + 27, "middle", p.x)
end

--- The picture of some panels.
function curves.svg(panels)
  local out = {}
  for i, p in ipairs(panels) do panel(p, LEFT + (i - 1) * (W + LEFT + GAP), out) end
  local width = #panels * (W + LEFT + GAP)
  return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">\n'
    .. '<rect width="100%%" height="100%%" fill="#ffffff"/>\n%s\n</svg>\n'):format(width, TOP + H + BOTTOM + 4,
    table.concat(out, "\n"))
end

--- Points of two columns of a table, where both are numbers.
function curves.points(t, x, y)
  local points = {}
  for _, row in ipairs(t.rows) do
    local px, py = tonumber(row[x]), tonumber(row[y])
    if px and py then points[#points + 1] = { px, py } end
  end
  return points
end

return curves
