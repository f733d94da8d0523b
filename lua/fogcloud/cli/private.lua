-- SPDX-License-Identifier: MIT

--- JSON objects in files that are their owner's alone (0600), replaced in one step and locked while they change.
local cjson = require "cjson"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"

local private = {}

local PATIENCE, TURN = 5, 0.02 -- seconds for another program's change; between two looks whether it is over

local function folder_of(variable, default)
  local home = os.getenv(variable)
  if home == nil or home == "" then home = (os.getenv("HOME") or "") .. default end
  return home .. "/fogcloud"
end

--- Where profiles are: $XDG_CONFIG_HOME/fogcloud.
function private.config_folder() return folder_of("XDG_CONFIG_HOME", "/.config") end

--- Where created clients are: $XDG_STATE_HOME/fogcloud.
function private.state_folder() return folder_of("XDG_STATE_HOME", "/.local/state") end

--- The object in a file; an empty one when there is no file.
---@return table? object
---@return string? text  what is wrong
---@return string? why   as core.file.read has it; "damaged" when it holds no JSON object
function private.read(path)
  local text, why, detail = core.file.read(path)
  if text == nil then
    if why == "absent" then return {} end
    return nil, ("%s cannot be used: %s"):format(path, detail), why
  end
  local ok, object = pcall(cjson.decode, text)
  if not ok or type(object) ~= "table" or object[1] ~= nil then
    return nil, path .. " holds no JSON object", "damaged"
  end
  return object
end

local function make_folders(path)
  local folder = path:match("^(.*)/")
  for at in folder:gmatch("()/") do
    if at > 1 then core.file.folder(folder:sub(1, at - 1)) end -- those above may be anybody's
  end
  local ok, _, why = core.file.folder(folder)
  if not ok then return nil, ("%s cannot be used: %s"):format(folder, why) end
  return true
end

local function take_lock(path)
  local deadline = core.now() + PATIENCE
  while true do
    local lock, why, detail = core.file.lock(path)
    if lock then return lock end
    if why ~= "busy" then return nil, ("%s cannot be used: %s"):format(path, detail) end
    if core.now() >= deadline or not fogcloud.sleep(TURN) then
      return nil, path .. " is held by another program"
    end
  end
end

--- Changes the object in a file by `change(object)`; what that returns is given back.
---@return any result
---@return string? why
function private.update(path, change)
  local ok, why = make_folders(path)
  if not ok then return nil, why end
  local lock, held = take_lock(path .. ".lock")
  if lock == nil then return nil, held end
  local object, unreadable = private.read(path)
  if object == nil then
    lock:unlock()
    return nil, unreadable
  end
  local result = change(object)
  local written, _, detail = core.file.write(path, cjson.encode(object) .. "\n")
  lock:unlock()
  if not written then return nil, ("%s cannot be written: %s"):format(path, detail) end
  return result == nil and true or result
end

return private
