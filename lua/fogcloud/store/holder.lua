-- SPDX-License-Identifier: MIT

--- The mark of one who holds a kept client, for stores whose kernel does not give a hold up with its process: it says
-- which process that is and where it runs. Whoever shares its system and its process ids can tell that it is gone, and
-- need not wait until the hold's life is over.
local core = require "fogcloud.core"
local marks = require "fogcloud.store.mark"

local holder = {}

local UNKNOWN = "-"

local function first_word(path)
  local file = io.open(path, "r")
  if file == nil then return UNKNOWN end
  local text = file:read("*l")
  file:close()
  return (text or ""):match("%S+") or UNKNOWN
end

-- A process's state, and when it began, in the system's own unit; nothing where the system does not tell (proc(5)).
local function state_of(pid)
  local file = io.open(("/proc/%s/stat"):format(pid), "r")
  if file == nil then return nil end
  local text = file:read("*a") or ""
  file:close()
  local fields = {}
  for field in (text:match("^.*%)(.*)$") or ""):gmatch("%S+") do fields[#fields + 1] = field end
  return fields[1], fields[20]
end

-- This system since it was started, and whose process ids these are: a container has its own.
local function place() return first_word("/proc/sys/kernel/random/boot_id") .. "/" .. core.space() end

--- A new one, never used twice.
---@return string mark
function holder.new()
  local _, began = state_of("self")
  return ("%d %s %s %s %s"):format(core.pid(), began or UNKNOWN, place(), first_word("/proc/sys/kernel/hostname"),
    marks.new())
end

local given_up = {} -- marks of this Lua state that the store may still have
local forgotten = 0

--- Notes that a mark of this Lua state is no longer needed, until the store has heard of it (`heard`).
function holder.give_up(mark, heard)
  given_up[mark] = not heard or nil
  if heard then forgotten = forgotten + 1 end
end

--- How many marks of this Lua state the store has heard of so far.
---@return integer count
function holder.heard() return forgotten end

--- Whether the holder is gone for certain: given up here, or its process is no more.
---@param mark string
---@return boolean
function holder.is_gone(mark)
  if given_up[mark] then return true end
  local pid, began, where = mark:match("^(%d+) (%S+) (%S+) ")
  if pid == nil or where ~= place() or where:find "^%-/" or core.space() == 0 then return false end
  if not core.alive(tonumber(pid)) then return true end
  local state, since = state_of(pid)
  return state == "Z" or since ~= nil and began ~= UNKNOWN and since ~= began
end

--- The process in words, for a person.
---@param pid integer?  nil: it is not known
---@return string
function holder.process(pid)
  if pid == nil then return "another process" end
  return pid == core.pid() and "another session of this program" or ("process %d"):format(pid)
end

--- The holder in words, for a person: with its machine, where that is another one, or a container.
---@param mark string
---@return string
function holder.words(mark)
  local pid, where, name = mark:match("^(%d+) %S+ (%S+) (%S+)")
  if pid == nil then return holder.process(nil) end
  if where == place() then return holder.process(tonumber(pid)) end
  return ("process %s on %s"):format(pid, name)
end

return holder
