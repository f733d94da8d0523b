-- SPDX-License-Identifier: MIT

--- The properties of MQTT 5 that `-D PACKET NAME VALUE` gives, as the library takes them.
local properties = {}

local WHOLE = {
  payload_format_indicator = true, message_expiry_interval = true, topic_alias_maximum = true,
  will_delay_interval = true,
  maximum_packet_size = true, receive_maximum = true, request_response_information = true,
  request_problem_information = true, session_expiry_interval = true,
}
local KNOWN = {
  connect = "maximum_packet_size receive_maximum request_problem_information request_response_information "
    .. "session_expiry_interval topic_alias_maximum user_property",
  disconnect = "session_expiry_interval user_property",
  publish = "content_type correlation_data message_expiry_interval payload_format_indicator response_topic "
    .. "user_property",
  subscribe = "user_property",
  will = "content_type correlation_data message_expiry_interval payload_format_indicator response_topic "
    .. "will_delay_interval user_property",
}

-- Options of the session, or of its goodbye, rather than properties.
local OF_SESSION = {
  connect = { receive_maximum = "receive_maximum", session_expiry_interval = "session_expiry" },
  disconnect = { session_expiry_interval = "goodbye_expiry" },
}

-- What the manual pages of mosquitto_pub and mosquitto_sub have besides, and what to do in its place.
local NO_ACKNOWLEDGEMENT = "acknowledgements carry no properties: leave it out"
local NO_AUTH = "an exchange of AUTH needs a program: the option authentication of fogcloud.connect"
local INSTEAD = {
  puback = NO_ACKNOWLEDGEMENT, pubrec = NO_ACKNOWLEDGEMENT, pubrel = NO_ACKNOWLEDGEMENT, pubcomp = NO_ACKNOWLEDGEMENT,
  auth = NO_AUTH, unsubscribe = "UNSUBSCRIBE carries no properties: leave it out",
  ["connect authentication_method"] = NO_AUTH, ["connect authentication_data"] = NO_AUTH,
  ["publish topic_alias"] = "aliases are chosen by themselves, where the broker takes them: leave it out",
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
  local instead = INSTEAD[packet] or INSTEAD[packet .. " " .. name]
  if instead then context:usage("--property: " .. instead) end
  if KNOWN[packet] == nil then
    context:usage(("--property: no '%s' here; connect, publish, subscribe, disconnect and will have properties")
      :format(parts[1]))
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
  local option = (OF_SESSION[packet] or {})[name]
  if option then
    result[option] = value
    return
  end
  result[packet] = result[packet] or {}
  add(result[packet], name, value, parts[4])
end

--- Those of each packet; apart those that are options of the session, or of its goodbye.
---@param list string[]  as typed.lua has joined them
---@return { connect: table?, publish: table?, subscribe: table?, disconnect: table?, will: table?,
---         receive_maximum: integer?, session_expiry: integer?, goodbye_expiry: integer? }
function properties.parse(list, context)
  local result = {}
  for _, said in ipairs(list) do parse_one(said, result, context) end
  return result
end

return properties
