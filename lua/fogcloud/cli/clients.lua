-- SPDX-License-Identifier: MIT

--- The MQTT clients that `fogcloud client create` has made, with their passwords, in a file of the person's own: the
--- API has no list of them, and gives a password only once.
local private = require "fogcloud.cli.private"

local clients = {}

function clients.path() return private.state_folder() .. "/clients.json" end

--- All of the API at `base_url`, sorted by name; without it, all.
---@return table[]? list  credentials, with name, app_id, base_url and created
---@return string? why
function clients.list(base_url)
  local all, why = private.read(clients.path())
  if all == nil then return nil, why end
  local list = {}
  for name, client in pairs(all) do
    if base_url == nil or client.base_url == base_url then
      client.name = name
      for _, port in ipairs { "mqttport", "sslport" } do client[port] = client[port] and math.floor(client[port]) end
      list[#list + 1] = client
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- Keeps one under a name that is still free.
---@return boolean? ok
---@return string? why
function clients.save(name, client)
  return private.update(clients.path(), function(all) all[name] = client end)
end

--- Forgets one; false when there is none.
function clients.forget(name)
  return private.update(clients.path(), function(all)
    local there = all[name] ~= nil
    all[name] = nil
    return there
  end)
end

--- The client of a name or client id; without one the only one there is.
---@return table? client
---@return string? why
function clients.find(wanted, base_url)
  local list, why = clients.list(base_url)
  if list == nil then return nil, why end
  for _, client in ipairs(list) do
    if client.name == wanted or client.clientid == wanted then return client end
  end
  if wanted then
    return nil, ("no client '%s' is kept here; `fogcloud client list` shows those that are"):format(wanted)
  end
  if #list == 1 then return list[1] end
  if #list == 0 then return nil, "no client is kept here; `fogcloud client create` makes one" end
  return nil, ("%d clients are kept here: name one with --client"):format(#list)
end

return clients
