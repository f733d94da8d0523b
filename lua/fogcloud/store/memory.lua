-- SPDX-License-Identifier: MIT

--- A store in this Lua state's memory. See init.lua for the contract.
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local Lease = require "fogcloud.store.lease"
local holders = require "fogcloud.store.holder"
local members = require "fogcloud.store.members"
local protect = require "fogcloud.task.protect"

---@class fogcloud.MemoryStore
local Memory = {}
Memory.__index = Memory
Memory.__name = "fogcloud.MemoryStore"
Memory.__tostring = function() return "fogcloud.MemoryStore" end

-- key -> { mark, ends, fence }: of all stores in this Lua state, or there would be nobody to share with
local leases = {}
local groups = {} -- key -> a record of members

---@param host table
---@return fogcloud.MemoryStore
function Memory.new(host)
  return setmetatable({ host = host, records = {}, queues = {}, holders = {}, shared = false }, Memory)
end

local function copy(record)
  local result = {}
  for name, value in pairs(record) do result[name] = value end
  return result
end

function Memory:get(key)
  local record = self.records[key]
  return record and copy(record)
end

function Memory:set(key, record)
  self.records[key] = copy(record)
  return true
end

function Memory:delete(key, record)
  local held = self.records[key]
  if held ~= nil and (record == nil or held.value == record.value) then self.records[key] = nil end
  return true
end

-- The place of a waiter in the queue may be its head: then the next one has its turn.
local function leave(self, key, queue, waiter)
  for i, other in ipairs(queue) do
    if other == waiter then
      table.remove(queue, i)
      if i == 1 and queue[1] then queue[1]:signal() end
      break
    end
  end
  if #queue == 0 and self.queues[key] == queue then self.queues[key] = nil end
end

-- The first in the queue holds the lock; the others wait for their turn.
function Memory:lock(key, deadline)
  local queue = self.queues[key] or {}
  self.queues[key] = queue
  local waiter = self.host.waiter()
  queue[#queue + 1] = waiter
  local function give_up() leave(self, key, queue, waiter) end
  while queue[1] ~= waiter do
    local woken = protect.guard(give_up, waiter.wait, waiter, deadline)
    if not woken and queue[1] ~= waiter then
      leave(self, key, queue, waiter)
      if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
      return nil, errors.new("timeout", "somebody else holds the lock for too long", { retryable = true })
    end
  end
  return function() leave(self, key, queue, waiter) end
end

function Memory:hold(key)
  if self.holders[key] then return nil, holders.process(core.pid()) end
  local mark = {}
  self.holders[key] = mark
  return function()
    if self.holders[key] == mark then self.holders[key] = nil end
  end
end

function Memory:lease(key, mark, life)
  local now, held = self.host.now(), leases[key]
  if held and now < held.ends then
    if held.mark ~= mark then return false end
    held.ends = now + life
    return held.fence
  end
  local fence = Lease.next_fence(held and held.fence, self.host.wall())
  leases[key] = { mark = mark, ends = now + life, fence = fence }
  return fence
end

function Memory.release(_, key, mark)
  local held = leases[key]
  if held and held.mark == mark then held.ends = 0 end
  return true
end

function Memory:join(key, mark, life)
  local standing
  standing, groups[key] = members.update(groups[key], mark, life, self.host.now())
  return standing
end

return Memory
