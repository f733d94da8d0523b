-- SPDX-License-Identifier: MIT

--- Samples over time as an SVG: one panel below the other, each with its own scale.
local picture = {}

local WIDTH, PANEL, LEFT, TOP = 720, 110, 70, 40

local function points(samples, field, low, high, last, top)
  local out = {}
  for i, sample in ipairs(samples) do
    local x = LEFT + (WIDTH - LEFT - 20) * sample.at / last
    local y = top + PANEL - 20 - (PANEL - 40) * (sample[field] - low) / (high - low)
    out[i] = ("%.1f,%.1f"):format(x, y)
  end
  return table.concat(out, " ")
end

local function panel(samples, field, title, top)
  local low, high = 0, 1
  for _, sample in ipairs(samples) do high = math.max(high, sample[field] * 1.1) end
  local last = math.max(1, samples[#samples].at)
  return ([[
<text x="%d" y="%d" font-weight="bold">%s</text>
<path d="M%d %d V%d H%d" fill="none" stroke="#888"/>
<text x="%d" y="%d" text-anchor="end">%.0f</text><text x="%d" y="%d" text-anchor="end">0</text>
<polyline points="%s" fill="none" stroke="#0a6" stroke-width="1.5"/>
]]):format(LEFT, top + 12, title, LEFT, top + 20, top + PANEL - 20, WIDTH - 20, LEFT - 6, top + 26, high, LEFT - 6,
    top + PANEL - 18, points(samples, field, low, high, last, top))
end

--- Writes the file. `panels`: { { field, title }, … }.
function picture.write(path, title, samples, panels)
  local out = {}
  for i, one in ipairs(panels) do out[i] = panel(samples, one[1], one[2], TOP + (i - 1) * PANEL) end
  local height = TOP + #panels * PANEL + 20
  local file = assert(io.open(path, "w"))
  file:write(([[
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="%d" y="24" font-size="15">%s</text>
%s<text x="%d" y="%d" text-anchor="end">%.0f minutes</text>
</svg>
]]):format(WIDTH, height, LEFT, title, table.concat(out), WIDTH - 20, height - 12, samples[#samples].at / 60))
  file:close()
end

return picture
