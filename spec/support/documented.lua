-- SPDX-License-Identifier: MIT

--- The sources as their documentation sees them: tables of constants, documented classes, exported functions.
local pages = require "spec.support.pages"
local reference = dofile "scripts/reference.lua"

local documented = { reference = reference }

function documented.set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

--- The keys of a set as a sorted list.
function documented.names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = tostring(name) end
  table.sort(list)
  return list
end

--- The value of a local table of constants in a source, or of one of two that a line has: `local ON, SEND = {}, {}`.
function documented.constants(path, name)
  local source = pages.read(path)
  local text = source:match("\nlocal " .. name .. " = (%b{})")
  local first, second, one, two = source:match "\nlocal (%u+), (%u+) = (%b{}), (%b{})\n"
  if first == name then text = one end
  if second == name then text = two end
  return assert(load("return " .. text, path .. " " .. name, "t", { math = math }))()
end

--- The values of `local A, B = 1, 2` in a source, by name.
function documented.numbers(path)
  local found = {}
  for left, right in ("\n" .. pages.read(path)):gmatch "\nlocal ([%u_, ]+) = ([%d., ]+)%f[^%d., ]" do
    local values = {}
    for value in right:gmatch "[%d.]+" do values[#values + 1] = tonumber(value) end
    for name in left:gmatch "[%u_]+" do found[name] = table.remove(values, 1) end
  end
  return found
end

--- The fields of a documented class by name.
function documented.fields(path, class)
  for _, doc in ipairs(reference.read(pages.read(path))) do
    if doc.class == class then
      local fields = {}
      for _, field in ipairs(doc.fields) do fields[field.name] = field end
      return fields
    end
  end
  error(path .. " has no class " .. class)
end

-- By the name that users write: the module, and the table's name in it.
documented.MODULES = {
  fogcloud = { "fogcloud", "fogcloud" }, cloud = { "fogcloud.api.cloud", "Cloud" }, session = { "fogcloud.mqtt.session", "Session" },
  device = { "fogcloud.mqtt.device", "Device" }, metrics = { "fogcloud.metrics", "metrics" },
  sandbox = { "fogcloud.sandbox", "Sandbox" }, leader = { "fogcloud.store.lead", "Leader" },
  fleet = { "fogcloud.fleet", "Fleet" }, service = { "fogcloud.service", "service" },
  task = { "fogcloud.task.task", "Task" },
}

--- The table that has a user's functions.
function documented.value(user) return require(documented.MODULES[user][1]) end

--- Functions by the name that users write: { documented = set, exported = set, package = set }.
function documented.functions_of(user)
  local path = package.searchpath(documented.MODULES[user][1], package.path)
  local found = { documented = {}, exported = {}, package = {} }
  for _, doc in ipairs(reference.read(pages.read(path))) do
    if doc.target == documented.MODULES[user][2] then
      local kind = doc.package and "package" or "documented"
      found[kind][doc.name] = doc
    end
  end
  for name, value in pairs(documented.value(user)) do
    if type(value) == "function" and not name:find "^__" and not found.package[name] then found.exported[name] = true end
  end
  return found
end

return documented
