-- SPDX-License-Identifier: MIT

--- The MQTT clients that `fogcloud client create` has made, with their passwords, in a file of the person's own: the
--- API has no list of them, and gives a password only once.
local private = require "fogcloud.cli.private"

local clients = {}

function clients.path() return private.state_folder() .. "/clients.json" end

-- A client that was kept before accounts were noted belongs to all of its API.
local function belongs(client, base_url, account)
  if base_url ~= nil and client.base_url ~= base_url then return false end
  return account == nil or client.account == nil or client.account == account
end

local function is_client(value)
  return type(value) == "table" and type(value.clientid) == "string" and type(value.mqtthost) == "string"
end

--- All of an account (its Access Key ID) at the API at `base_url`, sorted by name; what is nil is not looked at.
---@return table[]? list  credentials, with name, app_id, base_url, account and created
---@return string? why
function clients.list(base_url, account)
  local all, why = private.read(clients.path())
  if all == nil then return nil, why end
  local list = {}
  for name, client in pairs(all) do
    if not is_client(client) then return nil, ("%s: '%s' is no client"):format(clients.path(), name) end
    if belongs(client, base_url, account) then
      client.name = name
      for _, port in ipairs { "mqttport", "sslport" } do
        client[port] = type(client[port]) == "number" and math.floor(client[port]) or nil
      end
      list[#list + 1] = client
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- Keeps one under a name, or, when that was taken meanwhile, under its client id: its password cannot be had again.
---@return string? name
---@return string? why
function clients.save(name, client)
  return private.update(clients.path(), function(all)
    if all[name] ~= nil then name = client.clientid end
    all[name] = client
    return name
  end)
end

--- Keeps one that the cloud has just made, with what is to be known of it.
---@return string? name
---@return string? why
function clients.keep(client, name, app_id, cloud)
  client.app_id, client.base_url, client.ca_file = app_id, cloud.options.base_url, cloud.options.ca_file
  client.account, client.created = cloud.options.client_id, os.date("!%Y-%m-%dT%H:%M:%SZ")
  local kept, why = clients.save(name or client.clientid, client)
  client.name = kept or client.clientid
  return kept, why
end

--- Gives the account's spare client of an application, which `login` made to try the broker, a name. nil when there is
--- none.
---@return table? client
---@return string? why
function clients.take_spare(name, app_id, base_url, account)
  local spare
  local ok, why = private.update(clients.path(), function(all)
    for key, client in pairs(all) do
      local usable = is_client(client) and client.spare and client.app_id == app_id
      if usable and belongs(client, base_url, account) and (name == nil or all[name] == nil) then
        all[key], client.spare = nil, nil
        client.name = name or client.clientid
        all[client.name], spare = client, client
        return true
      end
    end
  end)
  return ok and spare, why
end

-- The client of an id among all that are kept, by name.
local function by_id(all, clientid)
  for _, client in pairs(all) do
    if type(client) == "table" and client.clientid == clientid then return client end
  end
end

--- Notes the devices that were granted to a client kept here, or taken from it: those beside it are allowed the same.
---@param action string  "grant" or "revoke"
---@return boolean? ok
---@return string? why
function clients.note(clientid, action, ids)
  return private.update(clients.path(), function(all)
    local client, set = by_id(all, clientid), {}
    if client == nil then return end
    for _, id in ipairs(client.devices or {}) do set[id] = true end
    for _, id in ipairs(ids) do set[id] = action == "grant" or nil end
    client.devices = {}
    for id in pairs(set) do client.devices[#client.devices + 1] = id end
    table.sort(client.devices)
  end)
end

--- Makes one the client that commands of its account use when none is named; with nil none is.
function clients.use(chosen)
  return private.update(clients.path(), function(all)
    for _, client in pairs(all) do
      if type(client) == "table" and belongs(client, chosen.base_url, chosen.account) then client.current = nil end
    end
    local client = by_id(all, chosen.clientid)
    if client then client.current = true end
  end)
end

--- Forgets one; false when there is none.
function clients.forget(name)
  return private.update(clients.path(), function(all)
    local there = all[name] ~= nil
    all[name] = nil
    return there
  end)
end

local function find_named(list, wanted)
  for _, client in ipairs(list) do
    if client.name == wanted or client.clientid == wanted then return client end
  end
  return nil, ("no client '%s' of this cloud is kept here; `fogcloud client list --all` shows those of all")
    :format(wanted)
end

--- The client at an API of a name or client id, whoever's it is. Without one the account's: the one that `client use`
--- has chosen, or the only one but for those that were made to stand beside it.
---@return table? client
---@return string? why
function clients.find(wanted, base_url, account)
  local list, why = clients.list(base_url, wanted == nil and account or nil)
  if list == nil then return nil, why end
  if wanted then return find_named(list, wanted) end
  local own = {}
  for _, client in ipairs(list) do
    if client.current then return client end
    if client.beside == nil and not client.spare then own[#own + 1] = client end
  end
  if #own == 1 then return own[1] end
  if #own == 0 then return nil, "no client of this account is kept here; `fogcloud client create` makes one" end
  return nil, ("%d clients are kept here: name one with --client or FOGCLOUD_CLIENT, or choose one: fogcloud client "
    .. "use NAME"):format(#own)
end

return clients
