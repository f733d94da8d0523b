-- SPDX-License-Identifier: MIT

-- Prints line coverage of the C and Lua sources from what a coverage run left in the folder of the argument; names
-- each line that was not executed with -v. Ends with 1 when the whole is below the least share of the second argument.
local folder, least, verbose = arg[1], tonumber(arg[2] or 0), arg[3] == "-v"

local function lines_of(command)
  local pipe, lines = assert(io.popen(command)), {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

local missed, total, groups, order = {}, {}, {}, {}

local function note(group, file, line, executed)
  if groups[group] == nil then
    groups[group] = { all = 0, hit = 0 }
    order[#order + 1] = group
  end
  total[file] = (total[file] or 0) + 1
  groups[group].all = groups[group].all + 1
  if executed then
    groups[group].hit = groups[group].hit + 1
  else
    missed[file] = missed[file] or {}
    table.insert(missed[file], line)
  end
end

-- gcov -t: "count:line:text", "-" for no code, "#####" for never. The same file may come from several programs.
local function read_c()
  local hits = {}
  local command = ("find %s -name '*.gcda' -print0 | xargs -0 -r -n 1 gcov -t"):format(folder)
  local file
  for _, text in ipairs(lines_of(command)) do
    local source = text:match("^%s*-:%s*0:Source:(.*)$")
    if source then file = source:match("(src/%a+/[%w_]+%.c)$") end
    local count, line = text:match("^%s*([^:]+):%s*(%d+):")
    if file and count and line ~= "0" and count ~= "-" then
      hits[file] = hits[file] or {}
      hits[file][tonumber(line)] = hits[file][tonumber(line)] or count:find("^%d") ~= nil
    end
  end
  for name, lines in pairs(hits) do
    local group = name:match("^(src/%a+)/")
    for line, executed in pairs(lines) do note(group, name, line, executed) end
  end
end

-- Lines with code are those that luac names, less the first, which every chunk names, and the ends of functions.
local function active_lines(path)
  local active, text = {}, {}
  for line in io.lines(path) do text[#text + 1] = line end
  for _, listed in ipairs(lines_of("luac5.4 -l -p " .. path)) do
    local line = tonumber(listed:match("^%s+%d+%s+%[(%d+)%]"))
    local code = line and text[line] or "end"
    if line ~= 1 and not code:find("^%s*end[%s,)}]*$") and not code:find("^%s*}?%)?$") then active[line] = true end
  end
  return active
end

local function read_lua()
  local hits = {}
  for _, path in ipairs(lines_of("find " .. folder .. "/lua -type f")) do
    for line in io.lines(path) do hits[line] = true end
  end
  for _, path in ipairs(lines_of("find lua -name '*.lua' ! -name _meta.lua | sort")) do
    local group = path:find("/sandbox/") and "lua, sandbox" or path:find("/cli/") and "lua, cli" or "lua"
    for line in pairs(active_lines(path)) do note(group, path, line, hits[path .. " " .. line]) end
  end
end

read_c()
read_lua()
table.sort(order)
local CORE = { ["src/base"] = true, ["src/http"] = true, ["src/mqtt"] = true, ["src/paho"] = true }
local worst = 100
for _, group in ipairs(order) do
  local g = groups[group]
  local share = 100 * g.hit / g.all
  print(("%-16s %6.1f %%  %5d of %5d lines"):format(group, share, g.hit, g.all))
  if CORE[group] or group == "src/binding" or group == "lua" then worst = math.min(worst, share) end
end
local files = {}
for file in pairs(missed) do files[#files + 1] = file end
table.sort(files)
for _, file in ipairs(files) do
  local lines = missed[file]
  table.sort(lines)
  local named = verbose and "  " .. table.concat(lines, " ") or ""
  print(("  %-40s %5.1f %%%s"):format(file, 100 - 100 * #lines / total[file], named))
end
print(("%d passed, %d failed"):format(worst >= least and 1 or 0, worst >= least and 0 or 1))
os.exit(worst >= least)
