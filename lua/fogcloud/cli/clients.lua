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

--- Forgets one; false when there is none.
function clients.forget(name)
  return private.update(clients.path(), function(all)
    local there = all[name] ~= nil
    all[name] = nil
    return there
  end)
end

--- The client at an API of a name or client id, whoever's it is; without one the only one of the account.
---@return table? client
---@return string? why
function clients.find(wanted, base_url, account)
  local list, why = clients.list(base_url, wanted == nil and account or nil)
  if list == nil then return nil, why end
  for _, client in ipairs(list) do
    if client.name == wanted or client.clientid == wanted then return client end
  end
  if wanted then
    return nil, ("no client '%s' of this cloud is kept here; `fogcloud client list --all` shows those of all")
      :format(wanted)
  end
  if #list == 1 then return list[1] end
  if #list == 0 then
    return nil, "no client of this account is kept here; `fogcloud client create` makes one"
  end
  return nil, ("%d clients are kept here: name one with --client"):format(#list)
end

return clients
