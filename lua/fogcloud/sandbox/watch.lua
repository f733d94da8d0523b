-- SPDX-License-Identifier: MIT

--- What the broker saw, by its plugin's tap: onto the timeline, and who is connected. The plugin leaves out what finds
--- no room, and we leave out what nobody could look at: a flood costs neither of us more than a trickle.
local core = require "fogcloud.sandbox.core"
local topic_rules = require "fogcloud.mqtt.topic"

local Watch = {}
Watch.__index = Watch

-- Messages of one turn that are kept; and where more came in the turn before, too: nobody reads as fast, and whoever
-- floods a broker measures it.
local MOST, FLOOD = 300, 20

--- Seconds between two turns, at least, while nobody watches; and while somebody does.
Watch.IDLE, Watch.LIVE = 0.5, 0.1

--- For a broker that is yet to be started, whose plugin looks for this file.
---@return table? watch
---@return string? why
function Watch.new(path, timeline)
  local tap, why = core.tap(path)
  if tap == nil then return nil, why end
  return setmetatable({ tap = tap, timeline = timeline, links = {}, last = {}, at = 0 }, Watch)
end

-- One of several connections of an id may end after another has taken its place.
local function note_link(self, seen)
  local link = self.links[seen.client]
  if seen.kind == "login" then
    self.links[seen.client] = { login = seen.login, since = seen.time, count = (link and link.count or 0) + 1 }
  elseif seen.kind == "bye" and link then
    link.count = link.count - 1
    if link.count <= 0 then self.links[seen.client] = nil end
  end
end

-- As JSON can hold it: bytes that are no text as hexadecimal digits.
local function textual(seen)
  if seen.payload ~= "" and not topic_rules.is_utf8(seen.payload) then
    seen.payload_hex = seen.payload:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    seen.payload = nil
  end
  return seen
end

local function tidy(seen)
  for _, name in ipairs { "client", "login", "topic" } do
    if seen[name] == "" then seen[name] = nil end
  end
  if seen.topic == nil then
    seen.payload, seen.size, seen.qos, seen.retain = nil, nil, nil, nil
    return seen
  end
  if seen.kind:find("^subscribe") then seen.payload, seen.size, seen.retain = nil, nil, nil end
  if seen.payload and #seen.payload < seen.size then seen.cut = true end
  return seen.payload and textual(seen) or seen
end

--- Takes over what was seen since.
function Watch:turn()
  self.at = core.now()
  local list, skipped = self.tap:next(self.flooded and FLOOD or MOST)
  self.flooded = skipped > 0
  for _, seen in ipairs(list) do
    if seen.kind ~= "" then
      note_link(self, seen)
      if seen.kind == "message" then self.last[seen.topic:match("^%a2%a/([^/]*)") or ""] = seen.time end
      self.timeline:add(tidy(seen))
    end
  end
  if skipped > 0 then self.timeline:add { kind = "skipped", time = core.wall(), count = skipped } end
end

--- { messages =, bytes =, dropped = } since the start.
function Watch:counts()
  local messages, bytes, dropped = self.tap:counts()
  return { messages = messages, bytes = bytes, dropped = dropped }
end

--- Who is connected: { client, login, since }, sorted by client.
function Watch:connected()
  local list = {}
  for client, link in pairs(self.links) do
    list[#list + 1] = { client = client, login = link.login, since = link.since }
  end
  table.sort(list, function(a, b) return a.client < b.client end)
  return list
end

--- The broker is another one: nobody is connected.
function Watch:restarted() self.links = {} end

--- Closes a client's connections, or all; how many there were. It happens a moment later.
function Watch:kick(client_id)
  self:turn()
  local count = 0
  for client, link in pairs(self.links) do
    if client_id == nil or client == client_id then count = count + link.count end
  end
  if count > 0 then self.tap:kick(client_id) end
  return count
end

--- Publishes as the broker itself, a moment later.
---@return boolean ok  false: the payload has over 4096 bytes, or too much is under way
function Watch:publish(topic, payload, qos, retain) return self.tap:publish(topic, payload, qos, retain) end

function Watch:close() self.tap:close() end

return Watch
