-- SPDX-License-Identifier: MIT

--- A part of a sandbox's timeline as a test file: with the seed that this takes, and what the sandbox has to be started
--- with. A route of the control API.
local Scenario = require "fogcloud.sandbox.scenario"
local seeds = require "fogcloud.sandbox.seed"
local writer = require "fogcloud.sandbox.writer"

local telling = {}

local FEW = 20 -- devices that are all kept

local function append(list, more)
  for _, one in ipairs(more or {}) do list[#list + 1] = one end
  return list
end

local function merge(accounts, account)
  for _, there in ipairs(accounts) do
    if there.client_id == account.client_id then
      for _, kind in ipairs { "apps", "products", "devices" } do append(there[kind], account[kind]) end
      return
    end
  end
  accounts[#accounts + 1] = account
end

local function copied(account)
  return {
    client_id = account.client_id, client_secret = account.client_secret, apps = append({}, account.apps),
    products = append({}, account.products), devices = append({}, account.devices),
  }
end

-- The seed, with what was added before the part.
local function seed_of(cloud, entries, after)
  local accounts = {}
  for _, account in ipairs(cloud.seed.accounts) do merge(accounts, copied(account)) end
  for _, entry in ipairs(entries) do
    if entry.call == "POST seed" and entry.id <= after then
      for _, account in ipairs(entry.params.accounts or {}) do merge(accounts, copied(account)) end
    end
  end
  return { accounts = accounts }
end

-- Devices that the steps name.
local function named(steps)
  local found = {}
  for _, step in ipairs(steps) do
    if step.device then found[step.device] = true end
    if step.params and step.params.device_id then found[step.params.device_id] = true end
    local device = (step.topic or step.filter or ""):match("^%a2%a/([^/]+)")
    if device then found[device] = true end
  end
  return found
end

-- Without most of the devices that no step names.
local function trimmed(seed, steps)
  local found = named(steps)
  for _, account in ipairs(seed.accounts) do
    if #account.devices > FEW then
      local kept = {}
      for _, device in ipairs(account.devices) do
        if found[device.id] then kept[#kept + 1] = device end
      end
      account.devices = kept
    end
    for _, kind in ipairs { "apps", "products", "devices" } do
      if #account[kind] == 0 then account[kind] = nil end
    end
  end
  return seed
end

local function needs_relay(steps)
  for _, step in ipairs(steps) do
    if step.call == "POST mqtt" and not step.params.kick then return true end
  end
  return nil
end

--- The test file of the entries after `after`, up to `upto`.
---@param as string  "busted", "pytest" or "json"
---@return string? text
---@return string? why
function telling.tell(cloud, after, upto, as)
  local write = ({ busted = writer.busted, pytest = writer.pytest, json = writer.json })[as]
  if write == nil then return nil, "'as' is busted, pytest or json" end
  local entries = cloud.timeline:since(0)
  local seed = seed_of(cloud, entries, after)
  local steps = Scenario.steps(entries, after, upto, seed, cloud.default_token_life)
  local options = { mqtt_faults = needs_relay(steps) }
  if not seeds.same(seed, seed_of({ seed = seeds.default() }, {}, 0)) then options.seed = trimmed(seed, steps) end
  return write(steps, options)
end

return telling
