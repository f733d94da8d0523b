-- SPDX-License-Identifier: MIT

--- The handlers of a session without a core, on a clock that stands still.
---
---     local crew = Crew.new()                  -- crew.handlers, crew.host, crew.handle (the core's half)
---     crew:come("topic", "payload", flags, properties, number)
---     crew:serve()                             -- all that can be done now
---     crew:pass(10)                            -- and what can be done in 10 seconds
---
--- `crew.reports` has what the host's own report was told, `crew.written` what the log was, `crew.log` what its handlers
--- `crew.note` and `crew.note_and_sleep` got.
local busted = require "busted"
local Handlers = require "fogcloud.mqtt.handlers"
local virtual = require "spec.support.virtual"

local Crew = {}
Crew.__index = Crew

-- An inbox, and the numbers of messages that were given back, in their order.
local function fake_handle()
  local fake = { inbox = {}, given_back = {}, drops = 0 }
  function fake.handled(_, number) fake.given_back[#fake.given_back + 1] = number end
  function fake.pending() return #fake.inbox > 0 end
  function fake.received_dropped() return fake.drops end
  function fake.receiver()
    return function(number)
      if number then fake:handled(number) end
      local message = table.remove(fake.inbox, 1)
      if message == nil then return nil end
      return message.topic, message.payload, message.flags, message.properties, message.number
    end
  end
  return fake
end

--- @param max_runners integer?  4 without
function Crew.new(max_runners)
  local self = setmetatable({ host = virtual.host(), handle = fake_handle() }, Crew)
  self.reports, self.written, self.log = {}, {}, {}
  local reports, written, log, host = self.reports, self.written, self.log, self.host
  host.pause = function() host.scheduler:pause() end
  host.report = function(text) reports[#reports + 1] = text:match("^[^\n]*") end
  self.handlers = Handlers.new(host, self.handle, max_runners or 4, {
    write = function(_, level, text) written[#written + 1] = level .. ": " .. text end,
  })
  function self.note(_, payload) log[#log + 1] = payload end
  function self.note_and_sleep(_, payload)
    log[#log + 1] = payload
    host.sleep(10)
    log[#log + 1] = payload .. " done"
  end
  return self
end

--- A message comes into the inbox.
function Crew:come(topic, payload, flags, properties, number)
  local inbox = self.handle.inbox
  inbox[#inbox + 1] =
    { topic = topic, payload = payload or "", flags = flags or 0, properties = properties, number = number }
end

--- Each task that is ready comes to its turn once.
function Crew:turn() self.host.scheduler:turn(self.host.now(), true) end

--- All that those who are awake can do now.
function Crew:settle()
  for _ = 1, 30 do self:turn() end
end

--- The same, when somebody has looked for work.
function Crew:serve()
  self.handlers:wake()
  self:settle()
end

--- Seconds in which the user's tasks run; nobody is woken but by themselves.
function Crew:pass(seconds)
  local host = self.host
  local by = host.now() + seconds
  while host.now() < by do host.scheduler:turn(by, true) end
  self:settle()
end

--- A crew of its own for each spec of a `describe`: `made(crew)` gets it. The functions are of the crew of the moment.
---@return fun(max_runners: integer?) make  another one, in a spec
---@return fun(...) come
---@return fun() turn
---@return fun() serve
---@return fun(seconds: number) pass
function Crew.for_each(made)
  local crew
  local function make(max_runners)
    crew = Crew.new(max_runners)
    made(crew)
  end
  busted.before_each(function() make() end)
  return make, function(...) crew:come(...) end, function() crew:turn() end, function() crew:serve() end,
    function(seconds) crew:pass(seconds) end
end

return Crew
