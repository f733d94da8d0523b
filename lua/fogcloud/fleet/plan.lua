-- SPDX-License-Identifier: MIT

--- What a fleet has to share out: its devices, and how many slots there are.
local marks = require "fogcloud.store.mark"
local protect = require "fogcloud.task.protect"
local share = require "fogcloud.fleet.share"

local plan = {}

local REFRESH = 60 -- seconds after which a function of devices is asked again

local function ask_devices(self)
  if type(self.source) == "table" then return self.source end
  local ok, list, err = protect.call(self.source)
  if not ok then return nil, list end
  if type(list) ~= "table" then return nil, err or "a list expected" end
  return list
end

-- Shares the devices out again where they, or the slots, have changed.
local function share_out(self, devices)
  local slots = self.slots
  local by_slot, owners = share.all(devices, slots, function() self.host.pause() end)
  self.devices, self.by_slot, self.owners, self.shared_among = devices, by_slot, owners, slots
  self.next_settle = 0
end

--- Asks for the devices when it is time, and shares them out where they or the slots have changed.
---@param self fogcloud.Fleet
---@param now number
function plan.look_at_devices(self, now)
  if self.devices and now < self.next_devices then
    if self.shared_among ~= self.slots then share_out(self, self.devices) end
    return
  end
  local list, why = ask_devices(self)
  self.next_devices = now + (list and REFRESH or self.life)
  if list == nil then return self:complain("its devices are not to be had: " .. tostring(why)) end
  share_out(self, list)
end

local function layout_key(self) return ("fleet %s"):format(self.name) end

local function write(self, top)
  self.epoch = self.epoch or marks.new()
  local ok, err = self.store:set(layout_key(self), { value = self.epoch, slots = self.slots, top = top })
  if ok then self.top = top end
  return ok, err
end

-- The store has lost everything since we looked last: the clients of the slots are known to those alone who had them.
-- For one life each takes those that it knows; then what is left begins with new clients.
local function note_loss(self, now)
  self.epoch, self.known_only_until = nil, now + self.life
  self:complain("the store came back empty: its records are written again")
end

--- How many slots there are, and how many there were: those beyond are drained, from the last one on. The first look
--- writes our number, each later one follows what is written. By its mark we see when that is another store's.
---@param self fogcloud.Fleet
---@param now number
---@return boolean? ok
---@return fogcloud.Error? err  of the store
function plan.look_at_slots(self, now)
  if self.top and now < self.next_layout then return true end
  local record, err = self.store:get(layout_key(self))
  if err then return nil, err end
  local known = record and tonumber(record.slots) and tonumber(record.top) and record
  if self.epoch and not (known and known.value == self.epoch) then note_loss(self, now) end
  self.epoch = known and known.value or self.epoch
  if self.top == nil or not known then
    local ok
    ok, err = write(self, math.max(self.slots, self.top or 0, known and known.top or 0))
    if not ok then return nil, err end
  else
    self.slots, self.top = known.slots, known.top
  end
  self.next_layout = now + self.life / 2
  return true
end

--- The last slot is drained: there is one less.
---@param self fogcloud.Fleet
---@return boolean? ok
---@return fogcloud.Error? err  of the store
function plan.drop_last(self) return write(self, math.max(self.slots, self.top - 1)) end

return plan
