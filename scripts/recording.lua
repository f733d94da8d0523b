-- SPDX-License-Identifier: MIT

-- Records a command as an SVG that plays by itself: `lua5.4 scripts/recording.lua 'make demo' >docs/demo.svg`. Where
-- nothing is animated it shows the whole. Lines come as fast as they came, but no faster than can be seen.
local command = arg[1] or "make demo"
local COLUMN, LINE, MARGIN, WIDTH, PACE, PAUSE = 8.4, 20, 16, 84, 0.12, 0.9

local function escape(text) return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" })) end

local function clock()
  local file = assert(io.open "/proc/uptime")
  local seconds = file:read "*n"
  file:close()
  return seconds
end

local function record()
  local lines, started = {}, clock()
  for line in assert(io.popen(command .. " 2>&1")):lines() do
    local text = line:gsub("\t", "  "):sub(1, WIDTH)
    local last = lines[#lines]
    local at = math.max(clock() - started + PAUSE, last and last.at + PACE or PAUSE)
    lines[#lines + 1] = { text = text, at = at }
  end
  return lines
end

local STYLE = [[
<style>
  @keyframes wait { from, to { opacity: 0 } }
  text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d7dde5; white-space: pre }
  .prompt { fill: #7ee0a6 }
</style>]]

local lines = record()
local width, height = math.ceil(WIDTH * COLUMN) + 2 * MARGIN, (#lines + 1) * LINE + 3 * MARGIN
print(('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">'):format(
  width, height, width, height))
print(("<title>%s in a terminal</title>"):format(escape(command)))
print(STYLE)
print(('<rect width="%d" height="%d" rx="8" fill="#1b2028"/>'):format(width, height))
for i, colour in ipairs { "#f0655a", "#f2bd45", "#56c460" } do
  print(('<circle cx="%d" cy="%d" r="5" fill="%s"/>'):format(MARGIN + 18 * (i - 1) + 5, MARGIN, colour))
end
local function row(n) return MARGIN + (n + 1) * LINE + 4 end
print(('<text x="%d" y="%d"><tspan class="prompt">$</tspan> %s</text>'):format(MARGIN, row(0), escape(command)))
for i, line in ipairs(lines) do
  local row_text = [[<text xml:space="preserve" x="%d" y="%d" style="animation: wait %.2fs">%s</text>]]
  print(row_text:format(MARGIN, row(i), line.at, escape(line.text)))
end
print "</svg>"
