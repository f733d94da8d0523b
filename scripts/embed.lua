-- SPDX-License-Identifier: MIT
-- What `make embed` calls: embed.lua FOLDER VERSION LIBRARIES MODULE=FUNCTION… FILE…
-- Of the modules in C, and the files of those in Lua, it makes in FOLDER: modules.c, which is a part of the archive,
-- fogcloud.lua, all in one file, and what tells pkg-config and CMake of the archive and the LIBRARIES to link with it.
local folder, version, libraries = arg[1], arg[2], arg[3]

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(text)
  file:close()
end

-- Lua without its comments and indentation; each line stays where it was, for the errors that name it.
local function bare(text)
  local out, at = {}, 1
  local function take(last)
    out[#out + 1] = text:sub(at, last)
    at = last + 1
  end
  local function code_until(last) -- no string is in there
    out[#out + 1] = text:sub(at, last):gsub("[ \t]+\n", "\n"):gsub("\n[ \t]+", "\n")
    at = last + 1
  end
  while at <= #text do
    local open = text:find("[\"'%[%-]", at)
    if open == nil then break end
    code_until(open - 1)
    local one, level = text:sub(open, open), text:match("^%[(=*)%[", open)
    if level then
      take(select(2, assert(text:find("]" .. level .. "]", open, true))))
    elseif text:find("^%-%-", open) then
      assert(not text:find("^%-%-%[=*%[", open), "a long comment")
      at = text:find("\n", open, true) or #text + 1
    elseif one == "-" or one == "[" then
      take(open)
    else
      local close = open + 1
      while text:sub(close, close) ~= one do close = close + (text:sub(close, close) == "\\" and 2 or 1) end
      take(close)
    end
  end
  code_until(#text)
  return table.concat(out)
end

local in_c, in_lua = {}, {}
for i = 4, #arg do
  local name, open = arg[i]:match("^([%w_.]+)=([%w_]+)$")
  if name then
    in_c[#in_c + 1] = { name = name, open = open }
  else
    local file = assert(io.open(arg[i], "rb"))
    local stem = arg[i]:gsub("^lua/", "")
    in_lua[#in_lua + 1] = {
      name = stem:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."), chunk = "@" .. stem,
      text = bare(file:read("*a")),
    }
    file:close()
  end
end

-- The archive's ------------------------------------------------------------------------------------------------------

-- As it is compiled in the program; or, for one whose Lua is this one, and which has no memory to spare for names and
-- lines in errors, compiled already.
local function code_of(module)
  local text = "local require=... " .. module.text
  if os.getenv "CODE" ~= "bytecode" then return text end
  return string.dump(assert((rawget(_G, "loadstring") or load)(text, module.chunk)), true)
end

local function bytes_of(text)
  return (text:gsub(".", function(byte) return ("%d,"):format(byte:byte()) end))
end

local function modules_c()
  local parts = { "/* Made by scripts/embed.lua. */\n#include \"modules.h\"\n\n" }
  for _, module in ipairs(in_c) do parts[#parts + 1] = ("int %s(lua_State *L);\n"):format(module.open) end
  for i, module in ipairs(in_lua) do
    local code = code_of(module)
    module.size = #code
    parts[#parts + 1] = ("static const unsigned char text_%d[] = {%s};\n"):format(i, bytes_of(code))
  end
  parts[#parts + 1] = "\nconst struct fog_module fog_modules[] = {\n"
  for _, module in ipairs(in_c) do
    parts[#parts + 1] = ("  {\"%s\", NULL, NULL, 0, %s},\n"):format(module.name, module.open)
  end
  for i, module in ipairs(in_lua) do
    parts[#parts + 1] = ("  {\"%s\", \"%s\", (const char *)text_%d, %d, NULL},\n"):format(module.name, module.chunk, i,
      module.size)
  end
  parts[#parts + 1] = "  {NULL, NULL, NULL, 0, NULL},\n};\n"
  return table.concat(parts)
end

-- In one file --------------------------------------------------------------------------------------------------------

local HEAD = [[
-- fogcloud %s, all in one file. SPDX-License-Identifier: MIT. https://spdx.org/licenses/MIT
-- Loaded as the module fogcloud, or run with the core, what luaopen_fogcloud_core gives, as its argument, where Lua
-- finds no modules. Gives the face.
local core = ...
local package, outer = rawget(_G, "package"), rawget(_G, "require")
local loaded, modules = package and package.loaded or {}, {}
local function require(name)
  if loaded[name] then return loaded[name] end
  local open = modules[name]
  if open == nil then
    if outer then return outer(name) end
    error("module '" .. name .. "' not found: it is not in fogcloud.lua, and Lua has no require", 2)
  end
  local module = open()
  loaded[name] = module
  return module
end
]]

local FOOT = [[
if type(core) == "table" then loaded["fogcloud.core"] = core end
for name, open in next, modules do
  if package and package.preload then package.preload[name] = open end
end
loaded.fogcloud = modules.fogcloud()
return loaded.fogcloud
]]

local function in_one()
  local parts = { HEAD:format(version) }
  for _, module in ipairs(in_lua) do
    parts[#parts + 1] = ("modules[%q] = function()\n%s\nend\n"):format(module.name, (module.text:gsub("\n+", "\n")))
  end
  parts[#parts + 1] = FOOT
  return table.concat(parts)
end

-- For those who link it ----------------------------------------------------------------------------------------------

local PKG_CONFIG = [[
prefix=${pcfiledir}

Name: fogcloud
Description: Client of FogCloud, MXCHIP's IoT cloud, for programs that embed Lua
Version: %s
Cflags: -I${prefix}
Libs: -L${prefix} -lfogcloud %s
]]

local CMAKE = [[
# find_package(Fogcloud CONFIG), with Fogcloud_DIR where this file is; target_link_libraries(game fogcloud::fogcloud)
set(Fogcloud_VERSION %s)
if(NOT TARGET fogcloud::fogcloud)
  add_library(fogcloud::fogcloud STATIC IMPORTED)
  set_target_properties(fogcloud::fogcloud PROPERTIES
    IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/libfogcloud.a"
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}"
    INTERFACE_LINK_LIBRARIES "%s")
endif()
]]

write("fogcloud.lua", in_one())
write("modules.c", modules_c())
write("fogcloud.pc", PKG_CONFIG:format(version, libraries))
write("FogcloudConfig.cmake", CMAKE:format(version, (libraries:gsub("%s+", ";"))))
