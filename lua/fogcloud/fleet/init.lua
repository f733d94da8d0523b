-- SPDX-License-Identifier: MIT

--- Many workers that share the devices of one application, and lose no message of them: `fogcloud.fleet`.
--
-- The devices are shared out among slots. A slot is one kept client with the permissions of its devices, whose session
-- the broker keeps; one worker at a time has it, by a lease. Workers are members of a group in the store; each counts
-- the members and holds its fair share of slots: who has too few takes what is free, who has too many hands one over at
-- a time, after its session has finished. A worker that dies loses its leases; whoever takes one resumes that session,
-- and gets what was not handled. How many slots there are is written in the store, where the last worker that began has
-- it: all others follow.
local Lease = require "fogcloud.store.lease"
local Slot = require "fogcloud.fleet.slot"
local Term = require "fogcloud.store.term"
local Waiters = require "fogcloud.task.waiters"
local check = require "fogcloud.check"
local deadlines = require "fogcloud.task.deadline"
local errors = require "fogcloud.errors"
local journals = require "fogcloud.fleet.journals"
local marks = require "fogcloud.store.mark"
local plan = require "fogcloud.fleet.plan"
local session_options = require "fogcloud.mqtt.options"
local share = require "fogcloud.fleet.share"
local stores = require "fogcloud.store"

---@class fogcloud.Fleet
local Fleet = {}
Fleet.__index = Fleet
Fleet.__name = "fogcloud.Fleet"
Fleet.__tostring = function(self) return ("fogcloud.Fleet (%s)"):format(self.name) end

local LIFE, MAX_BACKOFF, MAX_SLOTS = 10, 30, 1024
local MEMBERSHIP = 2 / 3 -- of a life: over before the leases are, so that others look for them in time
local WELCOME = 1 / 4 -- of a life that a new member waits for others: the first would take all, and hand it over again

---@class (exact) fogcloud.FleetOptions
---@field cloud fogcloud.Cloud          whose client the slots' are
---@field app_id string?                default the cloud's
---@field name string                   the same in all workers of the fleet
---@field slots integer?                1 to 1024, default 16: more than there will be workers
---@field store string|table|nil        as the option of fogcloud.new; default the cloud's
---@field devices table|function        ids of all devices, the same in all workers; a function that gives them, or
---                                     nil, err, is asked again each minute, and may wait
---@field start function               start(session, slot) subscribes, by a fogcloud.fleet.Slot; messages
---                                     come when it returns. It is tried again after nil, err or an error
---@field session fogcloud.SessionOptions?  of the slots' sessions. clean is false; max_handlers 1 unless said
---                                     otherwise: one message of a slot at a time, in order
---@field journal string?               a folder: what is published and not acknowledged is kept there, per slot
---@field life number?                  seconds that a slot stays with a worker that died, 1 to 3600, default 10

local SPEC = {
  cloud = "table", app_id = "string", name = "string", slots = { "whole", 1, MAX_SLOTS }, store = "string or table",
  devices = "table or function", start = "function", session = "table", journal = "string",
  life = { "number", 1, 3600 },
}

local function checked(options, level)
  local why = check.options(SPEC, options, "fleet")
  if why then error(why, level + 1) end
  for _, name in ipairs { "cloud", "name", "devices", "start" } do
    if options[name] == nil then error(("fleet option '%s' is missing"):format(name), level + 1) end
  end
  if not options.name:find("^[%w._-]+$") then
    error("fleet option 'name': letters, digits, '.', '_' and '-' expected", level + 1)
  end
  if options.app_id == nil and options.cloud.options.app_id == nil then
    error("fleet option 'app_id' is missing", level + 1)
  end
end

---@package
--- What init.lua calls.
---@param options fogcloud.FleetOptions
---@param host table
---@param level integer  whom to blame
---@return fogcloud.Fleet
function Fleet.new(options, host, level)
  level = level + 1
  checked(options, level)
  local cloud, life = options.cloud, options.life or LIFE
  local store = stores.resolve(options.store or cloud.store, host, math.random, level)
  Term.check(store, life, level)
  if type(store.join) ~= "function" then error("store: one with the function 'join' expected", level) end
  session_options.check(cloud:session_options(options.session), level) -- or each slot would fail by it, again and again
  local self = setmetatable({
    name = options.name, cloud = cloud, app_id = options.app_id or cloud.options.app_id, store = store, host = host,
    slots = options.slots or 16, source = options.devices, start = options.start, session = options.session or {},
    journal = options.journal, life = life, mark = marks.new(), held = {}, failures = {}, not_before = {},
    members = { place = 0, count = 0 }, owners = {}, by_slot = {}, known = {}, waiters = Waiters.new(host),
    next_layout = 0, next_devices = 0, next_settle = 0,
    counters = { taken = 0, handed_over = 0, lost = 0, failed = 0 },
  }, Fleet)
  host.spawn(self.run, self)
  self:keep_running()
  if host.on_exit then host.on_exit(function() self:stop() end) end
  return self
end

---@package
function Fleet:complain(what) Term.report(self.host, ("fleet '%s': %s"):format(self.name, what)) end

-- Says it once, until it is something else.
local function note_trouble(self, what, err)
  local text = err and ("%s: %s"):format(what, tostring(err))
  if text and text ~= self.trouble then self:complain(text) end
  self.trouble = text
end

---@package
--- The devices of a slot; none of one that is no more.
function Fleet:devices_of(slot) return self.by_slot[slot] or {} end

-- Holding -------------------------------------------------------------------------------------------------------------

local function count_of(map)
  local n = 0
  for _ in pairs(map) do n = n + 1 end
  return n
end

local ENDS = { stopped = "handed_over", lost = "lost", ended = "failed", failed = "failed" }

local function note_end(self, index, reason)
  local counter = ENDS[reason]
  if reason == "lost" then self.next_layout = 0 end -- should the store be another one
  if self.known[index] then self.known[index].at = self.host.now() end
  self.counters[counter] = self.counters[counter] + 1
  if counter == "failed" then
    self.failures[index] = (self.failures[index] or 0) + 1
    self.not_before[index] = self.host.now() + math.min(MAX_BACKOFF, 2 ^ (self.failures[index] - 1))
  else
    self.failures[index] = nil
  end
end

local function serve(self, index, lease)
  local slot = Slot.new(self, index, lease)
  self.held[index] = slot
  self.counters.taken = self.counters.taken + 1
  self.host.spawn(function()
    local reason = slot:run()
    self.held[index] = nil
    note_end(self, index, reason)
    if self.alarm then self.alarm:signal() end
    self.waiters:signal()
  end)
end

-- Tries for one slot; nil, err when the store cannot tell.
local function try(self, index)
  local lease = Lease.new(self.store, ("fleet %s %d"):format(self.name, index), self.life, self.host)
  local held, err = lease:take()
  if held then serve(self, index, lease) end
  return held, err
end

-- When this worker had the slot last; long ago where it had not.
local function last_had(self, index) return self.known[index] and self.known[index].at or -math.huge end

local function may_take(self, index, now)
  local barred = now < (self.known_only_until or 0) and last_had(self, index) < now - 2 * self.life
  return not barred and self.held[index] == nil and now >= (self.not_before[index] or 0)
end

-- What this machine has messages of comes first, then what this worker had last; else each begins elsewhere, so that
-- they do not meet.
local function candidates(self)
  local list, rank, offset, now = {}, {}, 0, self.host.now()
  for i = 1, #self.mark do offset = (offset * 31 + self.mark:byte(i)) % 65521 end
  for i = 1, self.top do
    local index = (i + offset) % self.top + 1
    if may_take(self, index, now) then
      list[#list + 1] = index
      rank[index] = { journals.has(self, index) and 0 or 1, -last_had(self, index), i }
    end
  end
  table.sort(list, function(a, b)
    local x, y = rank[a], rank[b]
    if x[1] ~= y[1] then return x[1] < y[1] end
    if x[2] ~= y[2] then return x[2] < y[2] end
    return x[3] < y[3]
  end)
  return list
end

local function take_some(self, wanted)
  for _, index in ipairs(candidates(self)) do
    if wanted <= 0 or self.stopped then return true end
    local held, err = try(self, index)
    if err then return nil, err end
    if held then wanted = wanted - 1 end
  end
  return true
end

-- One at a time: the next one goes when the one before has gone.
local function hand_one_over(self)
  local last
  for index, slot in pairs(self.held) do
    if slot.stopping then return end
    if last == nil or index > last then last = index end
  end
  if last then self.held[last]:stop() end
end

local function balance(self)
  local target, have = share.target(self.top, self.members.count, self.members.place), count_of(self.held)
  self.target = target
  if have < target then return take_some(self, target - have) end
  if have > target then hand_one_over(self) end
  return true
end

-- Settling ------------------------------------------------------------------------------------------------------------

-- A slot that is no more ends when it is drained, and with the last one the fleet has one less.
local function retire(self, slot, now)
  if slot.index ~= self.top or not slot:is_drained(now, self.life) then return end
  local ok, err = slot:forget()
  if ok then ok, err = plan.drop_last(self) end
  if not ok then return note_trouble(self, "a slot cannot be given up", err) end
  slot:stop()
end

-- In a task of its own: granting may take its time, and leases and members must not wait for it.
local function settle_all(self)
  local unsettled
  for _, slot in pairs(self.held) do
    local whole, err = slot:settle()
    if err then note_trouble(self, ("the devices of slot %d are not settled"):format(slot.index), err) end
    unsettled = unsettled or not whole
    if slot.index > self.slots then retire(self, slot, self.host.now()) end
  end
  self.settling = nil
  if unsettled then self.next_settle = math.min(self.next_settle, self.host.now() + self.life / 2) end
end

local function look_at_grants(self, now)
  if self.settling or now < self.next_settle then return end
  self.next_settle = now + self.life
  self.settling = true
  self.host.spawn(settle_all, self)
end

-- The fleet -----------------------------------------------------------------------------------------------------------

-- One look at everything. What fails is tried again with the next.
local function look(self)
  local now = self.host.now()
  local members, err = self.store:join("fleet " .. self.name, self.mark, MEMBERSHIP * self.life)
  if members == nil then return nil, err end
  if members.new then self.next_layout = 0 end -- we were late, or the store has lost us and all else
  self.members, self.joined = members, not members.new and self.joined or now
  local ok
  ok, err = plan.look_at_slots(self, now)
  if not ok then return nil, err end
  plan.look_at_devices(self, now)
  if self.devices == nil then return true end
  look_at_grants(self, now)
  if now - self.joined < WELCOME * self.life then return true end
  return balance(self)
end

local function leave(self)
  for _, slot in pairs(self.held) do slot:stop() end
  while next(self.held) do self.alarm:wait(self.host.now() + self.life / 10) end
  self.store:join("fleet " .. self.name, self.mark, 0)
  self.over = true
  self.waiters:signal()
end

---@package
--- The fleet's own task.
function Fleet:run()
  self.alarm = self.host.waiter()
  while not self.stopped do
    local _, err = look(self)
    note_trouble(self, "the store cannot tell who has what", err)
    if err then self.joined = nil end
    local hurried = count_of(self.held) ~= self.target -- also before there is one
    if not self.stopped then self.alarm:wait(self.host.now() + self.life / (hurried and 10 or 5)) end
  end
  leave(self)
end

---@package
--- A program that has a loop of ours goes on while the fleet does.
function Fleet:keep_running()
  if self.host.run == nil then return end
  self.host.spawn_task(function()
    while not self.over do self.waiters:wait() end
  end)
end

-- The face ------------------------------------------------------------------------------------------------------------

--- Has `devices` asked again now, where it is a function, and shares them out.
function Fleet:refresh()
  self.next_devices = 0
  if self.alarm then self.alarm:signal() end
end

--- The session of a device's slot, where this worker has it.
---@param device string
---@return fogcloud.Session? session
---@return integer? slot  the slot of the device, here or elsewhere; nil: no device of the fleet
function Fleet:session_of(device)
  local index = self.owners[device]
  local slot = index and self.held[index]
  return slot and slot:session(), index
end

---@class fogcloud.FleetStats
---@field slots integer
---@field members integer      workers that are there
---@field target integer       slots that this one should have
---@field held fogcloud.fleet.SlotStats[]  those that it has, in order
---@field devices integer      of all slots
---@field taken integer        slots that this worker took so far
---@field handed_over integer  that it gave up in order
---@field lost integer         whose lease it could not renew
---@field failed integer       whose session did not begin, or ended by itself

--- What is, and what happened since the fleet was made; a copy.
---@return fogcloud.FleetStats
function Fleet:stats()
  local stats = {
    slots = self.slots, members = self.members.count, target = self.target or 0, held = {},
    devices = self.devices and #self.devices or 0,
  }
  for name, value in pairs(self.counters) do stats[name] = value end
  for _, slot in pairs(self.held) do stats.held[#stats.held + 1] = slot:stats() end
  table.sort(stats.held, function(a, b) return a.slot < b.slot end)
  return stats
end

--- Lets all sessions finish and other workers take the slots. Returns at once; harmless twice.
function Fleet:stop()
  self.stopped = true
  if self.alarm then self.alarm:signal() end
end

--- Does that, and waits until it is done. Yields in a task; elsewhere it blocks, and serves handlers and tasks
--- meanwhile as `step` does.
---@param timeout number?  seconds, default the life of a lease
---@return boolean? ok
---@return fogcloud.Error? err  kinds: timeout, cancelled
function Fleet:finish(timeout)
  local deadline = deadlines.after(self.host.now(), timeout, self.life, 2)
  self:stop()
  local done = self.waiters:wait_until(function() return self.over end, deadline)
  if done == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  if not done then return nil, errors.new("timeout", "the fleet's sessions have not finished in time") end
  return true
end

return Fleet
