-- SPDX-License-Identifier: MIT
--- Makes docs/performance.md and its charts from results.json and the sections beside it, and writes the sections'
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

-- The chart: per case, a bar for each client on one scale, the limit of the socket left out ---------------------------

local ROW, LEFT, WIDTH = 17, 190, 720

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

local function chart(cases)
  local lines, y = {}, 8
  for _, case in ipairs(cases) do y = bars(case, y, lines) end
  return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">\n'
    .. '<rect width="100%%" height="100%%" fill="#ffffff"/>\n%s\n</svg>\n'):format(WIDTH, y, table.concat(lines, "\n"))
end

-- The goals ---------------------------------------------------------------------------------------------------------

local function table_of_goals(list)
  local lines, reached = {}, 0
  for _, g in ipairs(list) do
    if g.reached then reached = reached + 1 end
    local reached_text = g.measured and (g.reached and "yes" or "**no**") or ""
    lines[#lines + 1] = ("| %s | %s | %s | %s |"):format(g.what, g.goal, g.measured or "not measured", reached_text)
  end
  return ("## Goals\n\nWhat it is to reach, and does: %d of %d.\n\n| what | goal | measured | reached |\n"
    .. "|---|---|---|---|\n%s\n"):format(reached, #list, table.concat(lines, "\n"))
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
    local base = counts[case .. ": Paho lean, C"] or counts[case .. ": libcurl, C"]
    local ours = counts[case .. ": fogcloud"]
    lines[i] = ("| %s | %s | %s | %.2f |"):format(case, grouped(base), grouped(ours), ours / base)
  end
  return ([[
## Instructions

Of user space, for each message or call, as Callgrind counts them (`make -C bench baseline`): all threads on one core,
in turns. C is Paho lean, or libcurl.

| | C | fogcloud | ratio |
|---|---|---|---|
%s
]]):format(table.concat(lines, "\n"))
end

-- The page ------------------------------------------------------------------------------------------------------------

local SECTIONS = { "latency", "sustained", "calls", "scale", "figures", "stall", "openresty", "love" }

local texts = {}
results.sections = {}
for _, name in ipairs(SECTIONS) do
  texts[name] = programs.read(("%s/%s.md"):format(out, name))
  results.sections[name] = texts[name] and tables.of(texts[name])
end
results.goals = goals.compare(results.cases, results.sections)

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
medians of %d interleaved rounds, everything on loopback.
%s
%s]]):format(m.date, m.cpu, m.cores, m.system, m.kernel, m.rounds,
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

local counts = json.decode(programs.read("bench/instructions.json") or "{}")
local parts = {
  "<!-- SPDX-License-Identifier: MIT -->\n# Performance\n",
  "Generated by `make bench` from `bench/`; change `bench/report.lua`, not this file. Ratios hold from machine to\n"
    .. "machine, absolute figures do not.\n",
  heading(results.machine), "![chart](performance.svg)\n", table_of_goals(results.goals),
  programs.read("bench/method.md"), "## Results\n",
}
for _, case in ipairs(results.cases) do parts[#parts + 1] = table_of(case, results.machine.rounds) end
parts[#parts + 1] = table_of_instructions(counts)
for _, name in ipairs(SECTIONS) do
  parts[#parts + 1] = texts[name]
  if name == "scale" then parts[#parts + 1] = growth(results.sections.scale) end
end
programs.write(docs .. "/performance.md", table.concat(parts, "\n"))
programs.write(docs .. "/performance.svg", chart(results.cases))
programs.write(out .. "/results.json", json.encode(results) .. "\n")
print(("wrote %s/performance.md and its pictures"):format(docs))
