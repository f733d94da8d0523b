-- SPDX-License-Identifier: MIT

--- Which filter matches which topic, without what shared subscriptions have in front.
local topic_rules = require "fogcloud.mqtt.topic"

local match = {}

---@param filter string
---@param topic string
---@return boolean
function match.matches(filter, topic)
  filter = topic_rules.unshared(filter)
  local levels, at = {}, 1
  for level in (topic .. "/"):gmatch("([^/]*)/") do levels[#levels + 1] = level end
  for level in (filter .. "/"):gmatch("([^/]*)/") do
    if level == "#" then return true end
    if levels[at] == nil or (level ~= "+" and level ~= levels[at]) then return false end
    at = at + 1
  end
  return at == #levels + 1
end

return match
