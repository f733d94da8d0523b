-- SPDX-License-Identifier: MIT
--- Instructions of user space for each operation, by the shared object that they are in, from Callgrind's files.
local programs = dofile("bench/programs.lua")

local profile = {}

-- What lies in which file, as the last part of its path tells, the first that matches; what is not named here is added
-- up as "other libraries".
local GROUPS = {
  { "libcurl", "^libcurl" }, { "libc and the loader", "^libc[.-]" }, { "libc and the loader", "^ld%-linux" },
  { "cjson", "cjson" }, { "Lua", "^liblua" }, { "Lua", "^lua5" }, { "core.so", "^core%.so" },
  { "the program", "^http_curl" },
}

local function group(path)
  local file = path:match("[^/]*$")
  for _, g in ipairs(GROUPS) do
    if file:find(g[2]) then return g[1] end
  end
  return "other libraries"
end

-- Self cost of each object: cost lines count for the object of the last `ob=`; the line behind a `calls=` is what the
-- called have cost, and does not.
local function by_object(text)
  local names, costs, object, called = {}, {}, "?", false
  local function name_of(rest)
    local id, name = rest:match("^%((%d+)%)%s*(.*)")
    if name ~= "" then names[id] = name end
    return names[id]
  end
  for line in text:gmatch("[^\n]+") do
    local key, rest = line:match("^(c?ob)=(.*)")
    if key then
      local name = name_of(rest)
      if key == "ob" then object = name end
    elseif line:find("^calls=") then
      called = true
    elseif line:find("^[%d+*-]") then
      local cost = not called and line:match("^%S+ (%d+)")
      if cost then costs[object] = (costs[object] or 0) + tonumber(cost) end
      called = false
    end
  end
  return costs
end

local function groups_of(text)
  local sums, total = {}, 0
  for object, cost in pairs(by_object(text)) do
    sums[group(object)] = (sums[group(object)] or 0) + cost
    total = total + cost
  end
  return sums, total
end

local function run(out, command)
  local file = out .. "/callgrind.out"
  local valgrind = "valgrind --tool=callgrind --callgrind-out-file=%s --log-file=%s/callgrind.log %s >%s/calls.out"
  local ok = os.execute(valgrind:format(file, out, command, out))
  assert(ok == true or ok == 0, command)
  return groups_of(programs.read(file))
end

--- Of a command with %d for the number of operations: the difference between a long and a short run leaves out what is
--- done once. The sum, and by group.
function profile.each(out, command, short, long)
  local few, few_total = run(out, command:format(short))
  local many, many_total = run(out, command:format(long))
  local sums = {}
  for name, cost in pairs(many) do sums[name] = (cost - (few[name] or 0)) / (long - short) end
  return (many_total - few_total) / (long - short), sums
end

return profile
