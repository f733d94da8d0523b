-- SPDX-License-Identifier: MIT

--- Finds the one packet that a broker hangs up on. MQTT 3.1.1 has no other way to refuse a message, and many brokers
-- have none for a subscription; trying for ever would keep everything else from being sent.
--
-- What was sent first and has no answer when a link falls soon after it came up is under suspicion. Once the same thing
-- was so twice in a row, the next links are probes: the link has to live for a while between two pings, and then that
-- one thing goes out alone. It counts against it when the link falls in a small part of the time for which the link had
-- lived without it. Anything else shows that the trouble is not its doing, and the count starts anew: a link that falls
-- by itself (a network that is cut, a broker that restarts), or in silence (a peer that is gone).
--
-- A broker in trouble may hang up on everything that it is sent, for a while. What waits in a queue is therefore given
-- up after many probes only, the later ones at the distances of the usual backoff. Somebody waits for the answer to a
-- new subscription, and can ask again: a few are enough. They are enough, too, where MQTT 5 has said what is wrong.
local diagnosis = require "fogcloud.mqtt.diagnosis"

local BEFORE_PROBES, FEW, MANY = 2, 3, 14

-- How much longer than the broker has needed to hang up a probe has to live before; seconds, at least.
local PATIENCE, LEAST_QUIET = 4, 0.05

local Suspicion = {}
Suspicion.__index = Suspicion

local function clear(self)
  self.suspect, self.times, self.probes, self.probing, self.quiet = nil, 0, 0, false, LEAST_QUIET
end

---@param stable_after number  seconds after which a link is taken to be a good one
function Suspicion.new(stable_after)
  local self = setmetatable({ most_quiet = stable_after * 0.4 }, Suspicion)
  clear(self)
  return self
end

--- Whether the next link should be a probe.
---@return number? quiet  how long it has to live before it counts, seconds
function Suspicion:wants_probe()
  self.probing = self.times >= BEFORE_PROBES
  return self.probing and self.quiet or nil
end

--- The number of a message that the next link should give up; nil: none.
function Suspicion:take_verdict()
  local verdict = self.verdict
  self.verdict = nil
  return verdict
end

-- Soon at first, for the broker serves us, and one packet is the trouble; should it be the broker's, it gets its rest.
local SOON = 6

--- The number of failures in a row that the backoff should go by; nil: as many as there were.
function Suspicion:failures()
  if self.times == 0 then return nil end
  return math.max(1, self.times - SOON + 1)
end

-- Whether the fall came so soon after what is under suspicion that the link would have been likely to live on without.
local function was_prompt(self, waited)
  local quiet = self.quiet
  self.quiet = math.min(math.max(quiet, waited * PATIENCE), math.max(self.most_quiet, LEAST_QUIET))
  return not self.probing or waited * PATIENCE / 2 <= quiet
end

--- A link that was up is gone.
---@param event table      the core's: code, kind, suspect = { id, topic, size }, waited (seconds since it was sent)
---@param cut table?       a subscription that was sent and not answered: filter, and whether it is `new`
---@param stable boolean   it had been up for long
---@return string? filter  a subscription that is the cause
---@return fogcloud.Error? err
function Suspicion:note_lost(event, cut, stable)
  local suspect = cut and cut.filter or (event.suspect and event.suspect.id)
  if stable or suspect == nil or not diagnosis.may_blame_packet(event) then return clear(self) end
  if suspect ~= self.suspect then
    clear(self)
    self.suspect = suspect
  end
  if not was_prompt(self, event.waited or 0) then return end
  self.times = self.times + 1
  if self.probing then self.probes = self.probes + 1 end
  local enough = (cut and cut.new or diagnosis.names_a_packet(event)) and FEW or MANY
  if self.probes < enough then return end
  clear(self)
  if cut then return cut.filter, diagnosis.blamed_filter(cut.filter) end
  self.verdict = suspect
end

return Suspicion
