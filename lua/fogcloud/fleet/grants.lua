-- SPDX-License-Identifier: MIT

--- What a slot keeps in the store: its client, and the devices that this client has been granted.
--
-- The record names what may have been granted before it is, so that a run which was killed meanwhile is completed by
-- the next: what is not certain is granted once more, which does no harm. A device is revoked from one slot's client
-- only when the record of its new slot says for certain that it has it. Only the holder of a slot's lease writes its
-- record.
local errors = require "fogcloud.errors"

---@class fogcloud.fleet.Grants
local Grants = {}
Grants.__index = Grants
Grants.__name = "fogcloud.fleet.Grants"

local SEPARATOR = "\n" -- no device id has one

local function key_of(fleet, slot) return ("fleet %s slot %d"):format(fleet.name, slot) end

local function set_of(text)
  local set = {}
  for device in (text or ""):gmatch("[^\n]+") do set[device] = true end
  return set
end

local function text_of(set)
  local list = {}
  for device in pairs(set) do list[#list + 1] = device end
  table.sort(list)
  return table.concat(list, SEPARATOR), #list
end

-- Should the store lose it, this worker has it still.
local function note_known(self)
  local fleet = self.fleet
  fleet.known[self.slot] = { credentials = self.credentials, had = self.had, at = fleet.host.now() }
end

--- What the store has of a slot; where it has nothing, what this worker knows of it; nil, err when it cannot be read.
---@param fleet fogcloud.Fleet
---@param slot integer
---@param lease fogcloud.Lease?  the slot's; without it the record is only read
---@return fogcloud.fleet.Grants? grants
---@return fogcloud.Error? err
function Grants.load(fleet, slot, lease)
  local record, err = fleet.store:get(key_of(fleet, slot))
  if err then return nil, err end
  local self = setmetatable({ fleet = fleet, slot = slot, lease = lease, had = {}, certain = false }, Grants)
  local known = fleet.known[slot]
  if record == nil and known then self.credentials, self.had, self.lost = known.credentials, known.had, true end
  if record == nil then return self end
  self.had, self.certain = set_of(record.fleet_devices), record.fleet_certain == true
  self.credentials = {}
  for name, value in pairs(record) do
    if name ~= "value" and not name:find("^fleet_") then self.credentials[name] = value end
  end
  fleet.cloud.redactor:hide(record.password, "password")
  if lease then note_known(self) end
  return self
end

local function save(self)
  if self.lease == nil or self.lease:left() == 0 then -- granting took long, and another worker has it by now
    return nil, errors.new("closed", "the lease of the slot is lost", { retryable = true })
  end
  local record = { value = self.credentials.clientid, fleet_certain = self.certain }
  for name, value in pairs(self.credentials) do
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" then record[name] = value end
  end
  record.fleet_devices, self.lost = text_of(self.had), nil
  note_known(self)
  return self.fleet.store:set(key_of(self.fleet, self.slot), record)
end

--- Makes a client, with nothing granted yet, and keeps it: in the place of one that the broker refuses, or the first.
---@return boolean? ok
---@return fogcloud.Error? err
function Grants:new_client()
  local credentials, err = self.fleet.cloud:create_client(self.fleet.app_id)
  if credentials == nil then return nil, err end
  self.credentials, self.had, self.certain = credentials, {}, true
  return save(self)
end

--- Puts the record back where the store has lost it; the client in it cannot be had again.
---@return boolean? ok
---@return fogcloud.Error? err
function Grants:heal()
  local record, err = self.fleet.store:get(key_of(self.fleet, self.slot))
  if err then return nil, err end
  if record then return true end
  return save(self)
end

-- What `wanted` has and this client may not.
local function missing(self, wanted)
  local list = {}
  for _, device in ipairs(wanted) do
    if not (self.certain and self.had[device]) then list[#list + 1] = device end
  end
  return list
end

--- Grants the devices that the slot should have. With all of them granted it asks nobody.
---@param wanted string[]
---@return boolean? ok
---@return fogcloud.Error? err
function Grants:grant(wanted)
  local list = missing(self, wanted)
  if #list == 0 then return not self.lost or save(self) end
  for _, device in ipairs(list) do self.had[device] = true end
  self.certain = false
  local kept, err = save(self)
  if not kept then return nil, err end
  local done
  done, err = self.fleet.cloud:grant_all(self.credentials.clientid, list)
  if not done then return nil, err end
  self.certain = true
  return save(self)
end

-- Whether a device may be taken from this client: nobody is to have it, or its new slot has it for certain.
local function is_elsewhere(self, device, records)
  local owner = self.fleet.owners[device]
  if owner == nil then return true end
  if records[owner] == nil then
    local other, err = Grants.load(self.fleet, owner)
    if other == nil then return nil, err end
    records[owner] = other
  end
  return records[owner].certain and records[owner].had[device] == true
end

--- Revokes what the slot should no longer have, as far as it has been granted elsewhere.
---@param wanted string[]
---@return boolean? whole  true: nothing is left to revoke
---@return fogcloud.Error? err
function Grants:revoke(wanted)
  local keep, list, left, records = {}, {}, 0, {}
  for _, device in ipairs(wanted) do keep[device] = true end
  for device in pairs(self.had) do
    if not keep[device] then
      local elsewhere, err = is_elsewhere(self, device, records)
      if err then return nil, err end
      if elsewhere then list[#list + 1] = device else left = left + 1 end
    end
  end
  if #list == 0 then return left == 0 end
  local done, err = self.fleet.cloud:revoke_all(self.credentials.clientid, list)
  if not done then return nil, err end
  for _, device in ipairs(list) do self.had[device] = nil end
  local kept
  kept, err = save(self)
  if not kept then return nil, err end
  return left == 0
end

--- How many devices this client may have been granted.
---@return integer
function Grants:count() return (select(2, text_of(self.had))) end

--- Forgets the record of a slot that is no more. Its client stays known to the cloud, with nothing granted.
---@return boolean? ok
---@return fogcloud.Error? err
function Grants:forget()
  if next(self.had) ~= nil then return nil, errors.new("protocol", "the slot still has devices") end
  return self.fleet.store:delete(key_of(self.fleet, self.slot))
end

return Grants
