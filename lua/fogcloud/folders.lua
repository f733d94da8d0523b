-- SPDX-License-Identifier: MIT

--- Where a program keeps what is its user's, by the XDG base directory specification: a variable that is unset, empty
--- or a relative path counts for nothing, and the home is that of the user database where HOME is none.
local core = require "fogcloud.core"

local folders = {}

--- A variable of the environment; nil where it has none, or Lua has no os.
---@param name string
---@return string?
function folders.getenv(name)
  local os = rawget(_G, "os")
  return os and os.getenv and os.getenv(name) or nil
end

local function absolute(path) return path ~= nil and path:find("^/") ~= nil and path or nil end

local function folder_of(getenv, variable, below_home)
  local chosen = absolute(getenv(variable))
  if chosen then return chosen end
  return (absolute(getenv "HOME") or core.file.home() or "") .. below_home
end

--- The folder of configuration files.
---@param getenv fun(name: string): string?
---@return string path
function folders.config(getenv) return folder_of(getenv, "XDG_CONFIG_HOME", "/.config") end

--- The folder of what a program keeps from run to run.
---@param getenv fun(name: string): string?
---@return string path
function folders.state(getenv) return folder_of(getenv, "XDG_STATE_HOME", "/.local/state") end

return folders
