-- SPDX-License-Identifier: MIT

--- A store in this Lua state's memory. See init.lua for the contract.
local errors = require "fogcloud.errors"

local Memory = {}
Memory.__index = Memory

function Memory.new(host) return setmetatable({ host = host, records = {}, queues = {}, shared = false }, Memory) end

function Memory:get(key) return self.records[key] end

function Memory:set(key, record)
  self.records[key] = record
  return true
end

function Memory:delete(key, record)
  local held = self.records[key]
  if held ~= nil and (record == nil or held.value == record.value) then self.records[key] = nil end
  return true
end

local function leave(queue, waiter)
  for i, other in ipairs(queue) do
    if other == waiter then return table.remove(queue, i) end
  end
end

-- The first in the queue holds the lock; the others wait for their turn.
function Memory:lock(key, deadline)
  local queue = self.queues[key] or {}
  self.queues[key] = queue
  local waiter = self.host.waiter()
  queue[#queue + 1] = waiter
  local function unlock()
    leave(queue, waiter)
    if queue[1] then
      queue[1]:signal()
    elseif self.queues[key] == queue then
      self.queues[key] = nil
    end
  end
  while queue[1] ~= waiter do
    local woken, why = waiter:wait(deadline)
    if not woken then
      unlock()
      return nil, errors.new(why or "timeout", "somebody else's fetch took too long")
    end
  end
  return unlock
end

return Memory
