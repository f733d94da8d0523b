-- SPDX-License-Identifier: MIT

--- One slot while this worker has it: its client's session, the devices of its share, and its end.
local Grants = require "fogcloud.fleet.grants"
local journals = require "fogcloud.fleet.journals"
local Term = require "fogcloud.store.term"
local protect = require "fogcloud.task.protect"

---@class fogcloud.fleet.Slot
---@field index integer      1 to the fleet's slots
---@field fence integer      grows with each worker that takes the slot
---@field devices string[]   its share; another table when it changes
---@field clientid string?   of its client
local Slot = {}
Slot.__index = Slot
Slot.__name = "fogcloud.fleet.Slot"
Slot.__tostring = function(self) return ("fogcloud.fleet.Slot (%d)"):format(self.index) end

--- A slot whose lease is held.
---@param fleet fogcloud.Fleet
---@param index integer
---@param lease fogcloud.Lease
---@return fogcloud.fleet.Slot
function Slot.new(fleet, index, lease)
  local self = setmetatable({ index = index, fence = lease.fence, devices = {}, since = fleet.host.wall() }, Slot)
  self.parts = { fleet = fleet, lease = lease }
  self.parts.term = Term.new {
    host = fleet.host, lease = lease, start = function() return self:open() end,
    complain = function(what) fleet:complain(("slot %d %s"):format(index, what)) end,
  }
  return self
end

-- A session of the slot's client. Its messages wait until their handlers are there.
local function connect(self, credentials)
  local fleet, how = self.parts.fleet, {}
  for name, value in pairs(fleet.session) do how[name] = value end
  how.clean, how.paused = false, true
  how.max_handlers = how.max_handlers or 1
  how.journal = self.parts.journal
  local copy = {} -- not the table that a cloud may hold for one session: the lease does that
  for name, value in pairs(credentials) do copy[name] = value end
  return fleet.cloud:connect_at(copy, how, 2)
end

-- The session, by the client that is kept or a new one. A client that the broker refuses is gone for good.
local function connected(self, grants)
  local fleet = self.parts.fleet
  local session, err
  if grants.credentials then session, err = connect(self, grants.credentials) end
  if session or err and err.kind ~= "auth" then return session, err end
  if err then fleet:complain(("slot %d gets another client: %s"):format(self.index, tostring(err))) end
  local made
  made, err = grants:new_client()
  if not made then return nil, err end
  return connect(self, grants.credentials)
end

-- The user's start: true; or nil and why not.
local function begin(self, session)
  local ok, answer, why = protect.call(self.parts.fleet.start, session, self)
  if not ok then return nil, answer end
  if why == nil or answer then return true end
  return nil, why
end

---@package
--- Makes the session: client, devices, handlers.
---@return fogcloud.Session? session
---@return fogcloud.Error? err
function Slot:open()
  local fleet = self.parts.fleet
  local grants, err = Grants.load(fleet, self.index, self.parts.lease)
  if grants == nil then return nil, err end
  local session
  session, err = connected(self, grants)
  if session == nil then return nil, err end
  self.parts.grants, self.clientid = grants, grants.credentials.clientid
  self.devices = fleet:devices_of(self.index)
  local ok
  ok, err = grants:grant(self.devices)
  if ok then ok, err = begin(self, session) end
  if ok then return session end
  session:close()
  return nil, err
end

---@package
--- Brings the client's devices to what they should be, and the record back where the store has lost it. Safe to repeat.
---@return boolean? whole  true: nothing is left to do
---@return fogcloud.Error? err
function Slot:settle()
  local grants, fleet = self.parts.grants, self.parts.fleet
  if grants == nil or self:session() == nil then return nil end
  local ok, err = grants:heal()
  if not ok then return nil, err end
  self.devices = fleet:devices_of(self.index)
  ok, err = grants:grant(self.devices)
  if not ok then return nil, err end
  return grants:revoke(self.devices)
end

---@package
--- True when a slot that is no longer wanted has nothing left: no device, and no message for a while.
---@param now number
---@param quiet number  seconds
function Slot:is_drained(now, quiet)
  local session, grants = self:session(), self.parts.grants
  if session == nil or grants == nil or grants:count() > 0 then return false end
  local stats = session:stats()
  if stats.received ~= self.parts.received or stats.inbox > 0 or stats.queued > 0 then
    self.parts.received, self.parts.quiet_since = stats.received, now
    return false
  end
  return now - self.parts.quiet_since >= quiet
end

---@package
--- Forgets the client and the devices of a slot that is drained.
function Slot:forget() return self.parts.grants:forget() end

---@package
--- Serves it until it is over.
---@return string reason  as Term:run
function Slot:run()
  local let_go
  self.parts.journal, let_go = journals.take(self.parts.fleet, self.index)
  local reason = self.parts.term:run()
  let_go()
  return reason
end

--- Lets the session finish and another worker take the slot, soon.
function Slot:stop()
  self.stopping = true
  self.parts.term:stop()
end

--- The session, once it is there.
---@return fogcloud.Session?
function Slot:session() return self.parts.term.session end

---@class fogcloud.fleet.SlotStats
---@field slot integer
---@field fence integer
---@field since number      when this worker took it, seconds since the epoch
---@field devices integer   its share
---@field granted integer   what its client may have been granted: more, while devices move
---@field up boolean        the session is connected
---@field session fogcloud.SessionStats?

---@package
---@return fogcloud.fleet.SlotStats
function Slot:stats()
  local session = self:session()
  return {
    slot = self.index, fence = self.fence, since = self.since, devices = #self.devices,
    granted = self.parts.grants and self.parts.grants:count() or 0, up = session ~= nil and session:connected(),
    session = session and session:stats(),
  }
end

return Slot
