-- SPDX-License-Identifier: MIT

--- The profiles on disk, as config.lua reads them, and which of them is the current one.
local config = require "fogcloud.config"
local core = require "fogcloud.core"
local private = require "fogcloud.cli.private"

local profiles = {}

function profiles.path() return config.profile_path(os.getenv) end

--- All, by name.
---@return table<string, table>? all
---@return string? why
function profiles.all()
  local all, why = private.read(profiles.path())
  for name, options in pairs(all or {}) do
    if type(options) ~= "table" then return nil, ("%s: '%s' is no object"):format(profiles.path(), name) end
  end
  return all, why
end

--- The name of the one that is used without --profile and FOGCLOUD_PROFILE.
function profiles.current() return config.current_profile(os.getenv) end

local function current_file() return (profiles.path():gsub("[^/]*$", "current")) end

--- Keeps a profile under a name.
function profiles.save(name, options)
  return private.update(profiles.path(), function(all) all[name] = options end)
end

--- Forgets one; false when there is none of the name. None is the current one then, if it was.
function profiles.remove(name)
  local current, chosen = profiles.current()
  if chosen and current == name then os.remove(current_file()) end
  return private.update(profiles.path(), function(all)
    local there = all[name] ~= nil
    all[name] = nil
    return there
  end)
end

--- Makes one the current one.
function profiles.use(name)
  local ok, _, why = core.file.write(current_file(), name .. "\n")
  if not ok then return nil, "the current profile cannot be noted: " .. why end
  return true
end

return profiles
