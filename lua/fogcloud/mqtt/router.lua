-- SPDX-License-Identifier: MIT

--- Topic filters to handlers, matched by MQTT's rules (3.1.1, 4.7). Pure.
--
-- A trie of levels; `+` and `#` are edges like any other. A match follows at most two edges at each node, however many
-- filters there are. What a topic matched is remembered until filters change, so that a repeated topic costs one
-- look-up and no allocation. Whoever publishes chooses the topics, so what is remembered is bounded in bytes; of two
-- generations the older one is given up when the younger one is full, and what is still used moves over.
local topic_rules = require "fogcloud.mqtt.topic"

local Router = {}
Router.__index = Router

local GENERATION = 4 * 1024 * 1024 -- bytes
local ENTRY = 200                  -- of a topic's, beside its own

local function new_node() return { edges = {}, entries = {} } end

function Router.new()
  return setmetatable({
    root = new_node(), count = 0, serial = 0, cache = {}, older = {}, cached = 0,
    own = {},        -- the identifiers that were made here, for filters without one of the program's
    identified = {}, -- how many entries each Subscription Identifier has
  }, Router)
end

--- A Subscription Identifier (MQTT 5, 3.8.2.1.2) for a filter: the same in every process.
---@param filter string
---@return integer
function Router:identifier(filter)
  local hash = 5381
  for i = 1, #filter do hash = (hash * 33 + filter:byte(i)) % 268435399 end -- a prime below the greatest identifier
  self.own[hash + 1] = true
  return hash + 1
end

local function forget(self)
  self.cache, self.older, self.cached = {}, {}, 0
end

--- Adds a handler; several may share a filter. `$share/group/filter` matches as its filter.
---@param filter string  a valid one
---@param handler any
---@param identifier integer?  the filter's Subscription Identifier
---@return table token  for remove
function Router:add(filter, handler, identifier)
  local node = self.root
  local path = {}
  for level in (topic_rules.unshared(filter) .. "/"):gmatch("([^/]*)/") do
    local child = node.edges[level]
    if child == nil then
      child = new_node()
      node.edges[level] = child
    end
    path[#path + 1] = { node, level }
    node = child
  end
  self.serial = self.serial + 1
  local entry = { serial = self.serial, handler = handler, node = node, path = path, identifier = identifier }
  node.entries[#node.entries + 1] = entry
  if identifier then self.identified[identifier] = (self.identified[identifier] or 0) + 1 end
  self.count = self.count + 1
  forget(self)
  return entry
end

local function prune(path)
  for i = #path, 1, -1 do
    local parent, level = path[i][1], path[i][2]
    local child = parent.edges[level]
    if child == nil or next(child.edges) ~= nil or #child.entries > 0 then return end
    parent.edges[level] = nil
  end
end

--- Removes what `add` gave the token for; removing twice is harmless. A match in hand is not changed.
function Router:remove(token)
  for i, entry in ipairs(token.node.entries) do
    if entry == token then
      table.remove(token.node.entries, i)
      prune(token.path)
      self.count = self.count - 1
      local id = token.identifier
      if id then self.identified[id] = self.identified[id] > 1 and self.identified[id] - 1 or nil end
      return forget(self)
    end
  end
end

local function collect(node, found)
  for _, entry in ipairs(node.entries) do found[#found + 1] = entry end
end

-- `#` also matches the level above it (4.7.1.2), and no wildcard at the start matches a `$` topic (4.7.2).
local function walk(node, levels, at, found)
  local wild = at > 1 or levels[1]:sub(1, 1) ~= "$"
  local rest = wild and node.edges["#"]
  if rest then collect(rest, found) end
  if at > #levels then return collect(node, found) end
  local plus = wild and node.edges["+"]
  if plus then walk(plus, levels, at + 1, found) end
  local exact = node.edges[levels[at]]
  if exact then walk(exact, levels, at + 1, found) end
end

local function by_serial(a, b) return a.serial < b.serial end

-- The entries whose filter matches, in the order of adding.
local function entries_for(self, topic)
  local levels, found = {}, {}
  for level in (topic .. "/"):gmatch("([^/]*)/") do levels[#levels + 1] = level end
  walk(self.root, levels, 1, found)
  table.sort(found, by_serial)
  return found
end

local function look_up(self, topic)
  local found = entries_for(self, topic)
  for i, entry in ipairs(found) do
    if entry.identifier ~= found.identifier and i > 1 then found.several = true end
    found.identifier = entry.identifier
    found[i] = entry.handler
  end
  return found
end

local function remember(self, topic)
  local handlers = self.older[topic] or look_up(self, topic)
  self.cached = self.cached + #topic + ENTRY
  if self.cached > GENERATION then
    self.older, self.cache, self.cached = self.cache, {}, #topic + ENTRY
  end
  self.cache[topic] = handlers
  return handlers
end

--- The handlers whose filter matches, in the order of adding. The list is the router's: read it, do not change it; its
--- field `several` says that they are of filters with different identifiers.
---@param topic string
---@return table handlers
---@return integer n
function Router:match(topic)
  local handlers = self.cache[topic] or remember(self, topic)
  return handlers, #handlers
end

--- The handlers that a message with these identifiers is for: of those whose filter matches, the ones that the broker
--- names. Where it names none of ours (a session of an earlier process), all that match.
---@param topic string
---@param identifiers integer|integer[]
---@return table handlers
---@return integer n
function Router:match_identified(topic, identifiers)
  local named, any = {}, false
  for _, id in ipairs(type(identifiers) == "table" and identifiers or { identifiers }) do
    named[id] = true
    any = any or self.identified[id] ~= nil
  end
  if not any then return self:match(topic) end
  local found = {}
  for _, entry in ipairs(entries_for(self, topic)) do
    if named[entry.identifier] then found[#found + 1] = entry.handler end
  end
  if #found == 0 then return self:match(topic) end
  return found, #found
end

return Router
