-- SPDX-License-Identifier: MIT

--- The timeline live, as server-sent events: `entries`, a list of those that are new, and `pulse`, how the sandbox is,
--- once a second. An event's id lets a browser go on where it was; that of another sandbox, at the same address, is
--- answered with `restart`.
local core = require "fogcloud.sandbox.core"
local json = require "fogcloud.sandbox.json"

local Events = {}
Events.__index = Events

local STREAMS, FIRST, MOST, PULSE = 16, 1000, 1000, 1

local HEADERS = { "Content-Type: text/event-stream; charset=utf-8", "Cache-Control: no-store", "X-Accel-Buffering: no" }

--- `pulse()` gives how the sandbox is.
function Events.new(server, timeline, pulse)
  local boot = core.random(4):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  return setmetatable({
    server = server, timeline = timeline, pulse = pulse, boot = boot, streams = {}, next_pulse = 0,
  }, Events)
end

local function event(name, data, id)
  return ("event: %s\n%sdata: %s\n\n"):format(name, id and ("id: %s\n"):format(id) or "", data)
end

local function id_of(self, number) return ("%s-%.0f"):format(self.boot, number) end

-- The entries behind a stream's place; nil when there are none.
local function fresh(self, stream)
  local list = self.timeline:since(stream.at, MOST)
  if #list == 0 then return nil end
  local parts = {}
  for i, entry in ipairs(list) do parts[i] = json.encode(entry) end
  stream.at = list[#list].id
  return event("entries", "[" .. table.concat(parts, ",") .. "]", id_of(self, stream.at))
end

--- Begins one. `last` is the id that a browser has seen last, if any.
---@return boolean ok  false: there are too many
function Events:open(request, last, headers)
  if #self.streams >= STREAMS then return false end
  local all = {}
  for _, list in ipairs { HEADERS, headers } do
    for _, line in ipairs(list) do all[#all + 1] = line end
  end
  if not self.server:stream(request.id, all) then return true end
  local boot, number = (last or ""):match("^(%x+)%-(%d+)$")
  local goes_on = boot == self.boot
  local stream = { id = request.id, at = goes_on and tonumber(number) or math.max(0, self.timeline.last - FIRST) }
  self.streams[#self.streams + 1] = stream
  local begin = ("retry: 1000\n\n%s"):format(boot and not goes_on and event("restart", "{}") or "")
  local pulse = event("pulse", json.encode(self.pulse()), id_of(self, stream.at))
  self.server:push(stream.id, begin .. pulse .. (fresh(self, stream) or ""))
  return true
end

--- Sends what is new. Those that have gone are forgotten.
function Events:turn()
  if #self.streams == 0 then return end
  local now, pulse = core.now(), nil
  if now >= self.next_pulse then
    self.next_pulse = now + PULSE
    pulse = json.encode(self.pulse())
  end
  local kept = {}
  for _, stream in ipairs(self.streams) do
    local text = fresh(self, stream) or ""
    if pulse then text = text .. event("pulse", pulse, id_of(self, stream.at)) end
    if text == "" or self.server:push(stream.id, text) then kept[#kept + 1] = stream end
  end
  self.streams = kept
end

--- Whether somebody watches.
function Events:watched() return #self.streams > 0 end

return Events
