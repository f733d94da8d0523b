-- SPDX-License-Identifier: MIT

--- The profiles on disk, as config.lua reads them, and which of them is the current one.
local config = require "fogcloud.config"
local core = require "fogcloud.core"
local private = require "fogcloud.cli.private"

local profiles = {}

function profiles.path() return config.profile_path(os.getenv) end

--- All, by name.
function profiles.all() return private.read(profiles.path()) end

--- The name of the one that is used without --profile and FOGCLOUD_PROFILE.
function profiles.current() return config.current_profile(os.getenv) end

--- Keeps a profile under a name.
function profiles.save(name, options)
  return private.update(profiles.path(), function(all) all[name] = options end)
end

--- Forgets one; false when there is none of the name.
function profiles.remove(name)
  return private.update(profiles.path(), function(all)
    local there = all[name] ~= nil
    all[name] = nil
    return there
  end)
end

--- Makes one the current one.
function profiles.use(name)
  local ok, _, why = core.file.write(profiles.path():gsub("[^/]*$", "current"), name .. "\n")
  if not ok then return nil, "the current profile cannot be noted: " .. why end
  return true
end

return profiles
