-- SPDX-License-Identifier: MIT

--- Which Lua runs a child process: one that can load the modules which this process can load, so the same one if that
--- may be.
local core = require "fogcloud.sandbox.core"

local interpreter = {}

local function is_lua(path)
  local name = path:match("[^/]*$")
  return name:find("^lua%-?[%d.]*$") ~= nil or name:find("^luajit[%w.-]*$") ~= nil
end

-- What the program was started with, where a stand-alone Lua tells.
local function of_arguments()
  local i, arguments = 0, rawget(_G, "arg")
  if type(arguments) ~= "table" then return nil end
  while arguments[i - 1] ~= nil do i = i - 1 end
  local name = arguments[i]
  return type(name) == "string" and is_lua(name) and name or nil
end

-- Names of a stand-alone Lua of this version.
local function names()
  local version = _VERSION:match("%d%.%d")
  local jit = rawget(_G, "jit")
  local list = { "lua" .. version, "lua-" .. version, "lua" .. version:gsub("%.", "") }
  if jit then table.insert(list, 1, "luajit") end
  if version == "5.1" and not jit then list[#list + 1] = "luajit" end
  return list
end

local function on_path(name)
  for folder in (os.getenv("PATH") or "/usr/bin:/bin"):gmatch("[^:]+") do
    local file = io.open(folder .. "/" .. name, "rb")
    if file then
      file:close()
      return true
    end
  end
  return false
end

--- The name or path of an interpreter for this process' modules: its own, or, where the process is no stand-alone Lua
--- (a server, a game), one of the same version that the PATH has.
---@return string
function interpreter.find()
  local own = core.executable()
  if own and is_lua(own) then return own end
  local given = of_arguments()
  if given then return given end
  for _, name in ipairs(names()) do
    if on_path(name) then return name end
  end
  return "lua" .. _VERSION:match("%d%.%d")
end

return interpreter
