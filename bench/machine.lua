-- SPDX-License-Identifier: MIT
--- What the figures were measured on, and which versions of the peers took part.
local json = require "cjson.safe"
local programs = dofile("bench/programs.lua")

local machine = {}

local PACKAGES = {
  { "libcurl", "libcurl4" }, { "Paho C", "libpaho-mqtt1.3" }, { "libmosquitto", "libmosquitto1" },
  { "mosquitto", "mosquitto" }, { "paho-mqtt for Python", "python3-paho-mqtt" }, { "LuaSocket", "lua-socket" },
  { "Lua", "lua5.4" }, { "nginx", "nginx" },
}

local function packaged(package)
  local version = programs.shell(("dpkg-query -W -f '${Version}' %s 2>/dev/null"):format(package))
  return version:gsub("^%d+:", ""):match("^[%d.]+")
end

local function from_npm(out, name)
  local description = json.decode(programs.read(("%s/npm/node_modules/%s/package.json"):format(out, name)) or "")
  return description and description.version
end

local function checked_out(variable)
  local folder = os.getenv(variable)
  if folder == nil or folder == "" then return nil end
  local commit = programs.shell(("git -C '%s' log -1 --format='%%h of %%cs' 2>/dev/null"):format(folder))
  return commit:match("^[^\n]+")
end

local function versions(out)
  local list = {}
  local function add(name, version)
    if version then list[#list + 1] = name .. " " .. version end
  end
  for _, package in ipairs(PACKAGES) do add(package[1], packaged(package[2])) end
  add("Node", programs.shell("node --version 2>/dev/null"):match("[%d.]+"))
  add("mqtt.js", from_npm(out, "mqtt"))
  add("undici", from_npm(out, "undici"))
  add("luamqtt", checked_out "LUAMQTT")
  add("lua-mosquitto", checked_out "LUA_MOSQUITTO")
  return list
end

function machine.describe(out)
  return {
    cpu = (programs.read("/proc/cpuinfo") or ""):match("model name%s*:%s*([^\n]+)") or "unknown",
    cores = tonumber(programs.shell("nproc")), kernel = programs.shell("uname -sr"):gsub("\n", ""),
    system = (programs.read("/etc/os-release") or ""):match('PRETTY_NAME="([^"]+)"') or "unknown",
    date = os.date("!%Y-%m-%d"), load = (programs.read("/proc/loadavg") or ""):match("^%S+"),
    versions = versions(out),
  }
end

return machine
