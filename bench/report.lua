-- SPDX-License-Identifier: MIT
--- Makes two pages and their charts from results.json and the sections beside it: docs/performance.md, a screen of
--- results, and docs/performance-method.md, how it was measured, every table and the curves. Writes the sections'
--- tables and the goals into results.json too. report.lua BUILD_DIR DOCS_DIR
local json = require "cjson"
local curves = dofile("bench/curves.lua")
local goals = dofile("bench/goals.lua")
local programs = dofile("bench/programs.lua")
local tables = dofile("bench/tables.lua")

local out, docs = arg[1], arg[2]
local results = json.decode(programs.read(out .. "/results.json"))

local function grouped(number)
  local text = ("%d"):format(math.floor(number + 0.5))
  while true do
    local n
    text, n = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
    if n == 0 then return text end
  end
end

local function rounded(rate) -- three digits are more than a virtual machine is good for
  local unit = 10 ^ math.max(0, math.floor(math.log(rate, 10)) - 2)
  return math.floor(rate / unit + 0.5) * unit
end

-- The table ---------------------------------------------------------------------------------------------------------

local function table_of(case, rounds)
  local lines = {
    "### " .. case.name:gsub("^%l", string.upper), "",
    ("| client | %s/s | min | max | ratio | CPU, us each | RSS, MB | runs |"):format(case.unit),
    "|---|---|---|---|---|---|---|---|",
  }
  for _, r in ipairs(case.results) do
    local name = r.client:find("fogcloud") and "**" .. r.client .. "**" or r.client
    lines[#lines + 1] = r.rate and ("| %s | %s | %s | %s | %.2f | %.2f | %.1f | %d of %d |"):format(name,
      grouped(rounded(r.rate)), grouped(rounded(r.min)), grouped(rounded(r.max)), r.ratio or 0 / 0, r.cpu_us,
      r.rss_kb / 1024, r.runs, rounds) or ("| %s | failed | | | | | | 0 of %d |"):format(name, rounds)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The long chart: per case, a bar for each client on one scale, the limit of the socket left out ----------------------

local ROW, LEFT, WIDTH = 17, 190, 720
local SHORT_ROW, SHORT_LEFT = 20, 270

local function bars(case, y, lines)
  local most = 0
  local shown = {}
  for _, r in ipairs(case.results) do
    if r.rate and not r.client:find("limit") then
      shown[#shown + 1] = r
      most = math.max(most, r.rate)
    end
  end
  lines[#lines + 1] = ('<text x="8" y="%d" font-weight="bold">%s</text>'):format(y + 12, case.name)
  y = y + ROW + 2
  for _, r in ipairs(shown) do
    local ours = r.client:find("fogcloud")
    local length = math.max(1, (WIDTH - LEFT - 90) * r.rate / most)
    lines[#lines + 1] = ('<text x="%d" y="%d" text-anchor="end">%s</text>'):format(LEFT - 8, y + 12, r.client)
    lines[#lines + 1] = ('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'):format(LEFT, y + 2, length,
      ROW - 4, ours and "#1f6feb" or "#9aa4ad")
    lines[#lines + 1] = ('<text x="%.1f" y="%d">%s/s</text>'):format(LEFT + length + 6, y + 12,
      grouped(rounded(r.rate)))
    y = y + ROW
  end
  return y + 10
end

local function svg(lines, height)
  return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">\n'
    .. '<rect width="100%%" height="100%%" fill="#ffffff"/>\n%s\n</svg>\n'):format(WIDTH, height,
    table.concat(lines, "\n"))
end

local function chart(cases)
  local lines, y = {}, 8
  for _, case in ipairs(cases) do y = bars(case, y, lines) end
  return svg(lines, y)
end

-- The short chart: per case, fogcloud and the best peer, where C is 1 -----------------------------------------------

local function bar(y, height, length, colour)
  return ('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'):format(SHORT_LEFT, y, math.max(1, length), height,
    colour)
end

local function short_rows(cases)
  local rows, most = {}, 1
  for _, case in ipairs(cases) do
    local ours, peer = goals.ours(case), goals.best_peer(case)
    if ours and ours.ratio then
      rows[#rows + 1] = { name = case.name, ours = ours.ratio, peer = peer and peer.ratio }
      most = math.max(most, ours.ratio, peer and peer.ratio or 0)
    end
  end
  return rows, most
end

local function short_chart(cases)
  local rows, most = short_rows(cases)
  local lines, y, unit = {}, 26, (WIDTH - SHORT_LEFT - 40) / most
  local text = '<text x="%.0f" y="%d" text-anchor="%s">%s</text>'
  local legend = "blue: fogcloud; grey: the best peer; the line: libmosquitto, or libcurl, in C"
  lines[1] = text:format(SHORT_LEFT, 14, "start", legend)
  for _, row in ipairs(rows) do
    lines[#lines + 1] = text:format(SHORT_LEFT - 8, y + 12, "end", row.name)
    lines[#lines + 1] = bar(y + 2, 7, unit * row.ours, "#1f6feb")
    lines[#lines + 1] = text:format(SHORT_LEFT + unit * row.ours + 4, y + 10, "start", ("%.2f"):format(row.ours))
    if row.peer then lines[#lines + 1] = bar(y + 10, 4, unit * row.peer, "#9aa4ad") end
    y = y + SHORT_ROW
  end
  local line = '<rect x="%.0f" y="20" width="1" height="%d" fill="#24292f"/>'
  lines[#lines + 1] = line:format(SHORT_LEFT + unit, y - 22)
  return svg(lines, y + 4)
end

-- The goals ---------------------------------------------------------------------------------------------------------

local function reached_of(list)
  local reached = 0
  for _, g in ipairs(list) do
    if g.reached then reached = reached + 1 end
  end
  return reached
end

-- Each that is not reached with what a profile of it shows.
local function table_of_goals(list)
  local lines, reached = {}, reached_of(list)
  for _, g in ipairs(list) do
    local answer = not g.measured and "" or g.reached and "yes" or "**no**: " .. g.limit
    lines[#lines + 1] = ("| %s | %s | %s | %s |"):format(g.what, g.goal, g.measured or "not measured", answer)
  end
  local text = "%d of %d goals are reached.\n\n| what | goal | measured | reached |\n|---|---|---|---|\n%s\n"
  return text:format(reached, #list, table.concat(lines, "\n"))
end

-- Instructions, as bench/instructions.lua has counted them ------------------------------------------------------------

local function table_of_instructions(counts)
  local names, lines = {}, {}
  for name in pairs(counts) do
    local case = name:match("^(.*): fogcloud$")
    if case then names[#names + 1] = case end
  end
  table.sort(names)
  for i, case in ipairs(names) do
    local base = counts[case .. ": libmosquitto, C"] or counts[case .. ": libcurl, C"]
    local ours = counts[case .. ": fogcloud"]
    lines[i] = ("| %s | %s | %s | %s |"):format(case, base and grouped(base) or "", grouped(ours),
      base and ("%.2f"):format(ours / base) or "")
  end
  return ([[
## Instructions

Of user space, for each message or call, as Callgrind counts them (`make -C bench baseline`): all threads on one core,
in turns. C is libmosquitto, or libcurl.

| | C | fogcloud | ratio |
|---|---|---|---|
%s
]]):format(table.concat(lines, "\n"))
end

-- The pages -----------------------------------------------------------------------------------------------------------

local SECTIONS = {
  "latency", "thread", "sustained", "calls", "scale", "fleet", "figures", "console", "journal", "stall", "openresty",
  "love", "embed",
}

local texts = {}
results.sections = {}
for _, name in ipairs(SECTIONS) do
  texts[name] = programs.read(("%s/%s.md"):format(out, name))
  results.sections[name] = texts[name] and tables.of(texts[name])
end
local counts = json.decode(programs.read("bench/instructions.json") or "{}")
results.goals = goals.compare(results.cases, results.sections, counts)

local BUSY = [[

**The machine was busy with other work (load average %s at the start).** Threads of one client then wait for a core,
which costs fogcloud's three more than a client with one; the CPU column is the better guide.
]]

local function wrapped(words)
  local lines = { "" }
  for i, word in ipairs(words) do
    local line = lines[#lines] .. word .. (i < #words and "," or ".")
    if #line <= 119 then
      lines[#lines] = line .. " "
    else
      lines[#lines + 1] = word .. (i < #words and ", " or ".")
    end
  end
  return (table.concat(lines, "\n"):gsub(" +\n", "\n"):gsub(" +$", ""))
end

local function heading(m)
  return ([[
Measured %s on %s, %d cores, %s, %s;
%s, everything on loopback.
%s
%s]]):format(m.date, m.cpu, m.cores, m.system, m.kernel,
    m.rounds == 1 and "one run of each" or ("medians of %d interleaved rounds"):format(m.rounds),
    wrapped(m.versions), (tonumber(m.load) or 0) > 1 and BUSY:format(m.load) or "")
end

-- The growth of what scale.lua has measured, behind its section; nil without it.
local function growth(list)
  if list == nil then return nil end
  local sessions, filters = list[1], list[2]
  programs.write(docs .. "/performance-scale.svg", curves.svg {
    { title = "messages/s, by sessions", x = "sessions", points = curves.points(sessions, 1, 7) },
    { title = "KB for each session, TCP", x = "sessions", points = curves.points(sessions, 1, 4) },
    { title = "us of CPU a message, by filters", x = "filters of one session", points = curves.points(filters, 1, 4) },
  })
  return "![growth](performance-scale.svg)\n"
end

-- A row for each case: what fogcloud does, and what that is of C and of the best that others can use.
local function short_table(cases)
  local lines = { "| | fogcloud | of C: libmosquitto, or libcurl | of the best peer |", "|---|---|---|---|" }
  for _, case in ipairs(cases) do
    local ours, peer = goals.ours(case), goals.best_peer(case)
    if ours then
      lines[#lines + 1] = ("| %s | %s %s/s | %s | %s |"):format(case.name, grouped(rounded(ours.rate)), case.unit,
        ours.ratio and ("%.2f"):format(ours.ratio) or "",
        peer and ("%.2f of %s"):format(ours.rate / peer.rate, peer.client) or "")
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local GENERATED = "Generated by `make bench` from `bench/`; change `bench/report.lua`, not this file."

local function results_page()
  return {
    "<!-- SPDX-License-Identifier: MIT -->\n# Performance\n",
    GENERATED .. " Ratios hold from machine to\nmachine, absolute figures do not. What is measured and how, every "
      .. "client's figures, latency, memory and growth:\n[method and curves](performance-method.md).\n",
    heading(results.machine), "![chart](performance.svg)\n", table_of_goals(results.goals),
  }
end

local function method_page()
  local parts = {
    "<!-- SPDX-License-Identifier: MIT -->\n# Performance: method and curves\n",
    GENERATED .. " The results on\none screen: [performance](performance.md).\n",
    heading(results.machine), programs.read("bench/method.md"), "## Results\n", short_table(results.cases),
    "![chart](performance-clients.svg)\n",
  }
  for _, case in ipairs(results.cases) do parts[#parts + 1] = table_of(case, results.machine.rounds) end
  parts[#parts + 1] = table_of_instructions(counts)
  for _, name in ipairs(SECTIONS) do
    parts[#parts + 1] = texts[name]
    if name == "scale" then parts[#parts + 1] = growth(results.sections.scale) end
  end
  return parts
end

programs.write(docs .. "/performance.md", table.concat(results_page(), "\n"))
programs.write(docs .. "/performance-method.md", table.concat(method_page(), "\n"))
programs.write(docs .. "/performance.svg", short_chart(results.cases))
programs.write(docs .. "/performance-clients.svg", chart(results.cases))
programs.write(out .. "/results.json", json.encode(results) .. "\n")
print(("wrote %s/performance.md, performance-method.md and their pictures"):format(docs))
