-- SPDX-License-Identifier: MIT

--- A kept client for this process alone: a broker lets a client have one session, and a second one throws the first
--- one out.
--
-- A client is locked while a command uses it. When the client that a person uses without naming it is in use, a second
-- command takes another one that stands beside it: one that was made so before and is free, or a new one. It is
-- allowed what the first one is allowed, of the devices that the command asks for. A client that was named is taken, or
-- else the process that has it is told.
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"

local claim = {}

local locks = {} -- as long as this process lives

local function lock_path(client)
  return clients.path():gsub("[^/]*$", "") .. client.clientid:gsub("[^%w_-]", "_") .. ".used"
end

-- Takes it; or nil and who has it, as text, or nil, nil and why it cannot be locked.
local function take(client)
  local path = lock_path(client)
  local lock, why, detail, pid = core.file.lock(path)
  if lock then
    locks[#locks + 1] = lock
    return true
  end
  if why ~= "busy" then return nil, nil, ("%s cannot be used: %s"):format(path, detail) end
  return nil, pid and ("process %d"):format(pid) or "another process"
end

--- Whether nobody uses the client; it is this process's then.
function claim.free(client) return take(client) == true end

-- The devices of `wanted` (nil: all) that `first` is allowed and `other` is not yet.
local function missing(first, other, wanted)
  local allowed, there, rest = {}, {}, {}
  for _, id in ipairs(first.devices or {}) do allowed[id] = true end
  for _, id in ipairs(other.devices or {}) do there[id] = true end
  for _, id in ipairs(wanted or first.devices or {}) do
    if allowed[id] and not there[id] then rest[#rest + 1] = id end
  end
  return rest
end

-- One that stands beside the first and is free; it is locked then.
local function free_one(first)
  for _, client in ipairs(clients.list(first.base_url, first.account) or {}) do
    if client.beside == first.clientid and take(client) then return client end
  end
  return nil
end

local function name_beside(first)
  local taken, n = {}, 2
  for _, client in ipairs(clients.list() or {}) do taken[client.name] = true end
  while taken[("%s-%d"):format(first.name, n)] do n = n + 1 end
  return ("%s-%d"):format(first.name, n)
end

local function new_one(first, cloud)
  local client, err = cloud:create_client(first.app_id)
  if client == nil then return nil, err end
  client.beside = first.clientid
  local name, why = clients.keep(client, name_beside(first), first.app_id, cloud)
  if name == nil then return nil, why end
  take(client)
  return client
end

-- Whether the account in force can make clients of this one's application.
local function can_make(first, context)
  local settings = context:settings()
  return first.app_id and settings.client_secret and settings.base_url == first.base_url
    and (first.account == nil or settings.client_id == first.account)
end

-- The one beside it, allowed what it needs. nil, err when it cannot be had.
local function beside(first, wanted, context)
  local client, err = free_one(first), nil
  local cloud = context:cloud()
  if client == nil then client, err = new_one(first, cloud) end
  if client == nil then return nil, err end
  local devices = missing(first, client, wanted)
  if #devices == 0 then return client end
  local ok
  ok, err = cloud:grant_all(client.clientid, devices)
  if not ok then return nil, err end
  ok, err = clients.note(client.clientid, "grant", devices)
  return ok and client, err
end

--- The client, or one beside it, for this process until it ends.
---@param client table      as clients.find gives it
---@param named boolean     whether the person asked for this one
---@param devices string[]? those that the command asks for, nil for all that the client is allowed
---@return table? client
---@return string|fogcloud.Error|nil why
function claim.client(client, named, devices, context)
  local taken, holder, why = take(client)
  if taken then return client end
  if holder == nil then return nil, why end
  if named or not can_make(client, context) then
    return nil, ("client '%s' is in use by %s, and can have one session at a time: name another one with --client, or "
      .. "make one: fogcloud client create --name NAME"):format(client.name, holder)
  end
  local other, err = beside(client, devices, context)
  if other == nil then return nil, err end
  context.out:note(("client '%s' is in use by %s; '%s' is used beside it"):format(client.name, holder, other.name))
  return other
end

return claim
