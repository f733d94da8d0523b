-- SPDX-License-Identifier: MIT

--- A store in a folder, shared by all processes of one user. See init.lua for the contract.
--
-- A record is a file of its own, 0600, replaced in one step, with its key inside; beside it lies a file that is only
-- ever locked, never removed (whoever removed it could let two holders in). The kernel gives a lock up when its
-- holder dies. What is damaged, another user's, or open to others is never used and never repaired in place: `get`
-- reports it, `set` puts a good file there.
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local folders = require "fogcloud.folders"
local Lease = require "fogcloud.store.lease"
local holders = require "fogcloud.store.holder"
local members = require "fogcloud.store.members"
local records = require "fogcloud.store.record"

---@class fogcloud.FileStore
local File = {}
File.__index = File
File.__name = "fogcloud.FileStore"
File.__tostring = function(self) return ("fogcloud.FileStore (%s)"):format(self.folder) end

-- How often a lock that is held is tried again, seconds; the kernel offers no wait that would not stop Lua.
local POLL_MIN, POLL_MAX = 0.01, 0.05
local LONGEST_NAME = 150

local function failure(path, text)
  return errors.new("protocol", ("%s cannot be used: %s"):format(path, text))
end

--- Makes the folder when it is not there, with those above it; what is wrong with it comes out at the first use.
---@param host table
---@param folder string?           default $XDG_STATE_HOME/fogcloud or ~/.local/state/fogcloud
---@param random (fun(): number)?  spreads the tries of those that wait for a lock
---@return fogcloud.FileStore
function File.new(host, folder, random)
  folder = folder or folders.state(folders.getenv) .. "/fogcloud"
  return setmetatable({ host = host, folder = folder, random = random or math.random, shared = true }, File)
end

local function make_folder(self)
  if self.made then return true end
  for at in self.folder:gmatch("()/") do
    if at > 1 then core.file.folder(self.folder:sub(1, at - 1)) end -- those above may be anybody's
  end
  local ok, _, text = core.file.folder(self.folder)
  if not ok then return nil, failure(self.folder, text) end
  self.made = true
  return true
end

local function checksum(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + text:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return ("%04x%04x"):format(b, a)
end

local function escape(byte) return ("%%%02x"):format(byte:byte()) end

-- Long keys may share a name; the key inside the file tells them apart.
local function path_of(self, key, suffix)
  local name = key:gsub("[^%w%-_.@]", escape)
  if #name > LONGEST_NAME then name = name:sub(1, LONGEST_NAME) .. "-" .. checksum(key) end
  return ("%s/%s%s"):format(self.folder, name, suffix)
end

--- Where a key's record lies, for errors that somebody else finds in it.
function File:where(key) return path_of(self, key, ".json") end

function File:get(key)
  local path = path_of(self, key, ".json")
  local text, why, detail = core.file.read(path)
  if text == nil and why == "absent" then return nil end
  if text == nil then return nil, failure(path, detail) end
  local content = records.read(text)
  if content == nil or not records.is(content.record) then
    return nil, failure(path, "it is damaged; restore it from a copy, or put it aside")
  end
  if content.key ~= key then return nil end
  return content.record
end

-- One of core.file's functions for a path of ours; once more where somebody has removed the folder since it was made.
-- What it gives, or nil, why, an error of ours, the holder.
local function in_folder(self, operation, path, ...)
  for attempt = 1, 2 do
    local ok, err = make_folder(self)
    if not ok then return nil, "io", err end
    local value, why, detail, pid = operation(path, ...)
    if value then return value end
    if why ~= "absent" or attempt == 2 then return nil, why, failure(path, detail), pid end
    self.made = nil
  end
end

function File:set(key, record)
  local text = records.write { key = key, record = record }
  local written, _, err = in_folder(self, core.file.write, path_of(self, key, ".json"), text)
  if not written then return nil, err end
  return true
end

function File:delete(key, record)
  local held = self:get(key)
  if record ~= nil and (held == nil or held.value ~= record.value) then return true end
  local path = path_of(self, key, ".json")
  local ok, why, text = core.file.remove(path)
  if ok or why == "absent" then return true end
  return nil, failure(path, text)
end

function File:lock(key, deadline)
  local path = path_of(self, key, ".lock")
  while true do
    local lock, why, err = in_folder(self, core.file.lock, path)
    if lock then return function() lock:unlock() end end
    if why ~= "busy" then return nil, err end
    if self.host.now() >= deadline then
      local text = ("another process holds the lock %s for too long"):format(path)
      return nil, errors.new("timeout", text, { retryable = true })
    end
    local pause = POLL_MIN + (POLL_MAX - POLL_MIN) * self.random()
    if not self.host.sleep(pause) then return nil, errors.new("cancelled", "the task was cancelled") end
  end
end

function File:hold(key)
  local lock, why, err, pid = in_folder(self, core.file.lock, path_of(self, key, ".used"))
  if lock then return function() lock:unlock() end end
  if why == "busy" then return nil, holders.process(pid) end
  return nil, nil, err
end

-- Calls fn with a record, alone among all processes; what fn returns besides is written. The lock is held
-- for two small files, so whoever waits longer than this for it finds a stopped process, or a broken disk.
local LEASE_WAIT = 1

local function with_record(self, key, fn)
  local unlock, err = self:lock(key, self.host.now() + LEASE_WAIT)
  if unlock == nil then return nil, err end
  local record
  record, err = self:get(key)
  local result, change = nil, nil
  if err == nil then result, change = fn(record) end
  if change then
    local kept
    kept, err = self:set(key, change)
    if not kept then result = nil end
  end
  unlock()
  return result, err
end

-- Times are the monotonic clock's, which all processes of a machine share until it starts anew: then an end beyond a
-- whole life is one of before.
local function is_held(record, now)
  return record ~= nil and now < record.ends and record.ends <= now + record.life
end

function File:lease(key, mark, life)
  return with_record(self, "lease " .. key, function(record)
    local now, fence = self.host.now(), nil
    if is_held(record, now) then
      if record.value ~= mark then return false end
      fence = record.fence
    end
    fence = fence or Lease.next_fence(record and record.fence, self.host.wall())
    return fence, { value = mark, ends = now + life, life = life, fence = fence }
  end)
end

function File:release(key, mark)
  return with_record(self, "lease " .. key, function(record)
    if record == nil or record.value ~= mark then return true end
    record.ends = 0
    return true, record
  end)
end

function File:join(key, mark, life)
  return with_record(self, "group " .. key, function(record)
    return members.update(record, mark, life, self.host.now())
  end)
end

return File
