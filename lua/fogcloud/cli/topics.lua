-- SPDX-License-Identifier: MIT

--- The topics of a device that a person names, by the library's own templates.
local Device = require "fogcloud.mqtt.device"
local topic_rules = require "fogcloud.mqtt.topic"

local topics = {}

--- A device id as it was given. One that can be none ends the command.
function topics.check(device, context)
  local ok, why = topic_rules.valid_device_id(device)
  if not ok then context:usage(("device '%s': the id %s"):format(device, why)) end
  return device
end

--- What the device sends on a channel; "#" for all.
function topics.from(device, channel) return Device.default_topic("from_device", device, channel) end

--- What is for the device.
function topics.to(device, channel) return Device.default_topic("to_device", device, channel) end

--- The channel of a topic that from(device, "#") or to(device, "#") matched.
function topics.channel(topic, all) return topic:sub(#all) end

--- The devices that topics or filters are of; nil when one is of no device, or of more than one.
---@param list string[]
---@return string[]? devices
function topics.devices(list)
  local devices = {}
  for _, topic in ipairs(list) do
    local device = topic:match("^[cd]2[cd]/([^/+#]+)/")
    if device == nil then return nil end
    devices[#devices + 1] = device
  end
  return devices
end

return topics
