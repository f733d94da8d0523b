-- SPDX-License-Identifier: MIT

--- Which file of this machine a slot's session keeps its messages in.
--
-- One process at a time has a journal, and one that is stopped, or still finishing, has it while another takes the slot
-- on the same machine. So a slot has some places here; each is locked by whoever uses it, and the kernel gives it up
-- with its process. Taken is the free one in which most waits to be sent, so that what a dead worker left goes out.
local core = require "fogcloud.core"
local journal = require "fogcloud.journal"

local journals = {}

local PLACES = 8

local function path_of(fleet, index, place)
  local path = ("%s/%s.%d"):format(fleet.journal, fleet.name, index)
  return place == 1 and path .. ".journal" or ("%s.%d.journal"):format(path, place)
end

local function is_there(path) return (core.file.readable(path)) == true end

-- How many messages wait in a journal that nobody has open.
local function waiting_in(path)
  if not is_there(path) then return 0 end
  local opened = journal.open(path)
  if opened == nil then return 0 end
  local counts = opened:counts()
  opened:close()
  return counts.waiting + counts.in_flight
end

--- Whether this machine has a journal of the slot.
---@param fleet fogcloud.Fleet
---@param index integer
---@return boolean
function journals.has(fleet, index)
  if fleet.journal == nil then return false end
  for place = 1, PLACES do
    if is_there(path_of(fleet, index, place)) then return true end
  end
  return false
end

--- A path for the slot's session, which is nobody else's until it is let go of; nothing where the fleet has no journal.
---@param fleet fogcloud.Fleet
---@param index integer
---@return string? path
---@return function let_go  harmless twice
function journals.take(fleet, index)
  local best, lock, most = nil, nil, -1
  for place = 1, fleet.journal and PLACES or 0 do
    local path = path_of(fleet, index, place)
    local held = core.file.lock(path .. ".place")
    local waiting = held and waiting_in(path) or -1
    if waiting > most then
      if lock then lock:unlock() end
      best, lock, most = path, held, waiting
    elseif held then
      held:unlock()
    end
  end
  -- Where none can be locked, the session says what is wrong with the folder.
  return best or fleet.journal and path_of(fleet, index, 1), function()
    if lock then lock:unlock() end
    lock = nil
  end
end

return journals
