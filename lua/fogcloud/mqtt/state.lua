-- SPDX-License-Identifier: MIT

--- Where a session stands: one value, changed by its keeper alone and looked at by all its parts.
--
--   state        means                                      what follows
--   connecting   the first link is being made               up, waiting (retry = true), ending
--   up           the broker has taken us in                 waiting, ending
--   waiting      between two links                          up, waiting (one that failed), ending
--   ending       no call is taken any more; the goodbye     released
--                is on its way
--   released     the core has let go: nothing comes any     closed
--                more; what had come is being handled
--   closed       all is over
--
-- `ended` is the error that every call gives from "ending" on. It may be set a moment before, so that nothing is taken
-- between the decision and its execution.
local errors = require "fogcloud.errors"

local FOLLOWS = {
  connecting = { up = true, waiting = true, ending = true },
  up = { waiting = true, ending = true },
  waiting = { up = true, waiting = true, ending = true },
  ending = { released = true },
  released = { closed = true },
  closed = {},
}

---@class fogcloud.SessionState
---@field name string
---@field ended fogcloud.Error?  nil while calls are taken
---@field connects integer       links that came up
---@field link integer           the number of the link that is up, or was last
---@field version integer?       of the protocol, as on the wire: 4 or 5
---@field limits table           what the broker of the link takes (CONNACK's properties)
local State = {}
State.__index = State

--- For a session in `host`.
function State.new(host)
  return setmetatable({ host = host, name = "connecting", connects = 0, link = 0, limits = {}, waiters = {} }, State)
end

--- The next state; anything else than what may follow is a mistake of ours.
function State:to(name)
  if not FOLLOWS[self.name][name] then error(("a session cannot go from %s to %s"):format(self.name, name), 2) end
  self.name = name
  if name == "up" then self.connects = self.connects + 1 end
  self:changed()
end

function State:is_up() return self.name == "up" end

--- Ever: the first link came up.
function State:was_up() return self.connects > 0 end

--- No call is taken from now on; the first reason counts.
function State:refuse(err) self.ended = self.ended or err end

function State:closed_error() return self.ended or errors.new("closed", "the session is closed") end

--- Lets those who wait look again.
function State:changed()
  local waiters = self.waiters
  self.waiters = {}
  for waiter in pairs(waiters) do waiter:signal() end
end

--- Waits until the state is `name`, or all is over ("closed"). As a waiter does: true, false, text; nil.
function State:reach(name, deadline)
  while not (self.name == name or self.name == "closed") do
    local waiter = self.host.waiter()
    self.waiters[waiter] = true
    local woken, why = waiter:wait(deadline)
    self.waiters[waiter] = nil
    if not woken then return woken, why end
  end
  return true
end

--- What may follow what, for documents and tests.
State.FOLLOWS = FOLLOWS

return State
