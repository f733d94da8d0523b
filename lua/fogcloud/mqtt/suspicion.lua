-- SPDX-License-Identifier: MIT

--- Finds the one packet that a broker hangs up on. MQTT 3.1.1 has no other way to refuse a message, and many brokers
-- have none for a subscription; trying for ever would keep everything else from being sent.
--
-- What was sent first and has no answer when a link falls soon after it came up is under suspicion. Once the same thing
-- was so twice in a row, the next links are probes: the broker first has to answer a ping, and then gets that one thing
-- alone. If it hangs up on two probes too, that thing is the cause, and is given up alone. A broker that hangs up
-- before it has answered the ping is in trouble, which is nobody's fault.
local diagnosis = require "fogcloud.mqtt.diagnosis"

local BEFORE_PROBES, PROBES = 2, 2

local Suspicion = {}
Suspicion.__index = Suspicion

function Suspicion.new() return setmetatable({ times = 0, probes = 0 }, Suspicion) end

local function clear(self)
  self.suspect, self.times, self.probes, self.probing, self.hot = nil, 0, 0, false, false
end

--- Whether the next link should be a probe.
function Suspicion:wants_probe()
  self.probing = self.times >= BEFORE_PROBES
  return self.probing
end

--- The number of a message that the next link should give up; nil: none.
function Suspicion:take_verdict()
  local verdict = self.verdict
  self.verdict = nil
  return verdict
end

--- A link that was up is gone.
---@param event table      the core's: code, suspect = { id, topic, size }
---@param filter string?   of the subscription that was sent and not answered
---@param stable boolean   it had been up for long
---@return string? filter  a subscription that is the cause
---@return fogcloud.Error? err
function Suspicion:note_lost(event, filter, stable)
  local suspect = filter or (event.suspect and event.suspect.id)
  if stable or not diagnosis.may_blame_packet(event.code) then return clear(self) end
  if suspect == nil then -- nothing was sent: the broker is in trouble, and what we suspect has not had its chance
    self.hot = false
    if not self.probing then clear(self) end
    return
  end
  if suspect ~= self.suspect then
    clear(self)
    self.suspect = suspect
  end
  self.times, self.hot = self.times + 1, true
  if self.probing then self.probes = self.probes + 1 end
  if self.probes < PROBES then return end
  clear(self)
  if filter then return filter, diagnosis.blamed_filter(filter) end
  self.verdict = suspect
end

return Suspicion
