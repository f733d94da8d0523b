-- SPDX-License-Identifier: MIT

--- The properties of MQTT 5 that `-D PACKET NAME VALUE` gives, as the library takes them.
local properties = {}

local WHOLE = {
  payload_format_indicator = true, message_expiry_interval = true, topic_alias = true, will_delay_interval = true,
  maximum_packet_size = true, receive_maximum = true, request_response_information = true,
  request_problem_information = true, session_expiry_interval = true,
}
local KNOWN = {
  connect = "maximum_packet_size receive_maximum request_problem_information request_response_information "
    .. "user_property",
  publish = "content_type correlation_data message_expiry_interval payload_format_indicator response_topic "
    .. "user_property",
  subscribe = "user_property",
  will = "content_type correlation_data message_expiry_interval payload_format_indicator response_topic "
    .. "will_delay_interval user_property",
}

local function knows(packet, name)
  return (" " .. KNOWN[packet] .. " "):find((" %s "):format(name), 1, true) ~= nil
end

local function add(into, name, value, second)
  if name == "user_property" then
    into.user_properties = into.user_properties or {}
    table.insert(into.user_properties, { value, second })
  else
    into[name] = value
  end
end

local function parse_one(said, result, context)
  local parts = {}
  for part in (said .. "\31"):gmatch("([^\31]*)\31") do parts[#parts + 1] = part end
  local packet, name, value = parts[1]:lower(), (parts[2] or ""):gsub("-", "_"), parts[3]
  if KNOWN[packet] == nil then
    context:usage(("--property: no '%s' here; connect, publish, subscribe and will have properties"):format(parts[1]))
  end
  if not knows(packet, name) then
    context:usage(("--property: %s has none of these here: '%s'"):format(packet, parts[2] or ""))
  end
  if WHOLE[name] then
    local whole = tonumber(value)
    if whole == nil or whole % 1 ~= 0 or whole < 0 then
      context:usage(("--property: %s: a whole number expected, got '%s'"):format(parts[2], value))
    end
    value = math.floor(whole)
  end
  if packet == "connect" and name == "receive_maximum" then
    result.receive_maximum = value
    return
  end
  result[packet] = result[packet] or {}
  add(result[packet], name, value, parts[4])
end

--- Those of each packet; `receive_maximum` apart, which is an option of the session.
---@param list string[]  as typed.lua has joined them
---@return { connect: table?, publish: table?, subscribe: table?, will: table?, receive_maximum: integer? }
function properties.parse(list, context)
  local result = {}
  for _, said in ipairs(list) do parse_one(said, result, context) end
  return result
end

return properties
