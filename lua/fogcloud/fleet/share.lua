-- SPDX-License-Identifier: MIT

--- Who has what: the slot of each device, and how many slots each member should have. Pure, and the same on every Lua.
--
-- A device belongs to the slot with the highest score for it (rendezvous hashing): with one slot more only those
-- devices move for which the new slot scores highest, one in so many. Scores are made of sums and products below
-- 2^53, which every Lua's numbers hold exactly.
local share = {}

local PRIME = 4294967291 -- the greatest below 2^32

local function hash(text)
  local h = 5381
  for i = 1, #text do h = (h * 33 + text:byte(i)) % PRIME end
  return h
end

local ROUNDS = { 1664525, 1103515, 1299709 }
local SPLIT = 2097152 -- 2^21

-- Each round has a product of both halves, so that devices whose ids differ little, and slots, end up anywhere.
local function score(h, slot)
  local x = (h + slot * 2654435761) % PRIME
  for _, factor in ipairs(ROUNDS) do
    local low = x % 65536
    local high = (x - low) / 65536
    x = (low * factor + high * 65539 + low * high) % PRIME
    low = x % SPLIT
    x = (low * 2011 + (x - low) / SPLIT * 1500450) % PRIME
  end
  return x
end

--- The slot of a device.
---@param device string
---@param slots integer
---@return integer slot  1 to slots
function share.slot_of(device, slots)
  local h, best, highest = hash(device), 1, -1
  for slot = 1, slots do
    local s = score(h, slot)
    if s > highest then best, highest = slot, s end
  end
  return best
end

--- The devices of each slot, in the order given, and the slot of each.
---@param devices string[]
---@param slots integer
---@param pause fun()?  called after every thousand devices: there may be many
---@return table<integer, string[]> by_slot
---@return table<string, integer> owners
function share.all(devices, slots, pause)
  local by_slot, owners = {}, {}
  for slot = 1, slots do by_slot[slot] = {} end
  for i, device in ipairs(devices) do
    if owners[device] == nil then
      local slot = share.slot_of(device, slots)
      owners[device] = slot
      table.insert(by_slot[slot], device)
    end
    if pause and i % 1000 == 0 then pause() end
  end
  return by_slot, owners
end

--- How many of the slots a member should have: all slots are shared out, and no two shares differ by more than one.
---@param slots integer
---@param count integer  of members
---@param place integer  which of them it is, from 1; 0 for one that is none
---@return integer
function share.target(slots, count, place)
  if place == 0 then return 0 end
  return math.floor(slots / count) + (place <= slots % count and 1 or 0)
end

return share
