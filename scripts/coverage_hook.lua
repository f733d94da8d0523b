-- SPDX-License-Identifier: MIT

-- Loaded by LUA_INIT into every Lua of a coverage run: notes the lines of lua/fogcloud that are executed, in all
-- coroutines, and writes them to a file of its own in FOG_COVERAGE when the state ends. nginx reads no LUA_INIT: there
-- coverage.sh puts this before the library.
local folder = os.getenv("FOG_COVERAGE")
local seen, names = {}, {}
local getinfo, sethook = debug.getinfo, debug.sethook

local function name_of(source)
  local name = source:match("/(lua/fogcloud[%w_/]*%.lua)$") or source:match("^@(lua/fogcloud[%w_/]*%.lua)$") or false
  names[source] = name
  return name
end

local function on_line(_, line)
  local source = getinfo(2, "S").source
  local name = names[source]
  if name == nil then name = name_of(source) end
  if not name then return end
  local lines = seen[name]
  if lines == nil then
    lines = {}
    seen[name] = lines
  end
  lines[line] = true
end

local function write()
  sethook()
  local path = os.tmpname()
  os.remove(path)
  local file = io.open(folder .. "/" .. path:match("[^/]+$"), "w")
  if file == nil then return end
  for name, lines in pairs(seen) do
    for line in pairs(lines) do file:write(name, " ", line, "\n") end
  end
  file:close()
end

local create, wrap, exit = coroutine.create, coroutine.wrap, os.exit

local function hooked(fn)
  return function(...)
    sethook(on_line, "l")
    return fn(...)
  end
end

function coroutine.create(fn) return create(hooked(fn)) end -- luacheck: ignore
function coroutine.wrap(fn) return wrap(hooked(fn)) end -- luacheck: ignore
function os.exit(...) -- luacheck: ignore
  write()
  exit(...)
end

local sentinel = rawget(_G, "newproxy") and newproxy(true) or setmetatable({}, {}) -- luacheck: ignore
getmetatable(sentinel).__gc = write
if not rawget(_G, "newproxy") then setmetatable(sentinel, getmetatable(sentinel)) end -- Lua looks for __gc here
rawset(_G, "FOG_COVERAGE_END", sentinel)
if rawget(_G, "jit") then jit.off() end -- luacheck: ignore
sethook(on_line, "l")
