-- SPDX-License-Identifier: MIT

--- What MQTT allows as topic name and topic filter (3.1.1 and 5.0, sections 1.5.3, 4.7), and what we allow as device
--- id. Pure.
local topic = {}

local MAX_BYTES = 65535
local MAX_DEVICE_ID = 128

-- Well-formed UTF-8 as MQTT wants it: no surrogates, nothing beyond U+10FFFF, no overlong form, no NUL.
-- A lead byte's range tells how many bytes follow and which range the first of them has.
local LEADS = {
  { 0xC2, 0xDF, 1, 0x80, 0xBF },
  { 0xE0, 0xE0, 2, 0xA0, 0xBF },
  { 0xE1, 0xEC, 2, 0x80, 0xBF },
  { 0xED, 0xED, 2, 0x80, 0x9F },
  { 0xEE, 0xEF, 2, 0x80, 0xBF },
  { 0xF0, 0xF0, 3, 0x90, 0xBF },
  { 0xF1, 0xF3, 3, 0x80, 0xBF },
  { 0xF4, 0xF4, 3, 0x80, 0x8F },
}

local function lead_of(byte)
  for _, lead in ipairs(LEADS) do
    if byte >= lead[1] and byte <= lead[2] then return lead end
  end
  return nil
end

local function sequence_length(text, at)
  local lead = lead_of(text:byte(at))
  if lead == nil then return nil end
  local second = text:byte(at + 1)
  if second == nil or second < lead[4] or second > lead[5] then return nil end
  for i = 2, lead[3] do
    local byte = text:byte(at + i)
    if byte == nil or byte < 0x80 or byte > 0xBF then return nil end
  end
  return lead[3] + 1
end

--- True for well-formed UTF-8.
---@param text string
---@return boolean
function topic.is_utf8(text)
  local at = text:find("[\128-\255]")
  while at ~= nil do
    local length = sequence_length(text, at)
    if length == nil then return false end
    at = text:find("[\128-\255]", at + length)
  end
  return true
end

local function check(text)
  if type(text) ~= "string" then return nil, "a string expected, got " .. type(text) end
  if text == "" then return nil, "may not be empty" end
  if #text > MAX_BYTES then return nil, "may have at most 65535 bytes" end
  if text:find("%z") then return nil, "may hold no NUL byte" end
  if not topic.is_utf8(text) then return nil, "must be UTF-8" end
  return true
end

--- Whether a message can be published to it: no wildcards (4.7.1).
---@return boolean? ok
---@return string? why
function topic.valid_topic(text)
  local ok, why = check(text)
  if not ok then return nil, why end
  if text:find("[+#]") then return nil, "may hold no wildcard ('+', '#')" end
  return true
end

local SHARE = "^%$share/([^/]*)/(.*)$"

--- The filter that decides on matching: a shared subscription without its prefix.
---@return string filter
---@return string? group
function topic.unshared(filter)
  local group, rest = filter:match(SHARE)
  if group == nil then return filter end
  return rest, group
end

--- Whether it can be subscribed to: wildcards fill whole levels, '#' is the last (4.7.1); `$share/group/filter` (5.0,
--- 4.8.2).
---@return boolean? ok
---@return string? why
function topic.valid_filter(text)
  local ok, why = check(text)
  if not ok then return nil, why end
  local filter, group = topic.unshared(text)
  if group ~= nil and (group == "" or group:find("[+#]")) then
    return nil, "'$share/' needs a group without wildcards"
  end
  if filter == "" or (group == nil and text:find("^%$share/")) then
    return nil, "'$share/group/' needs a filter after it"
  end
  if filter:find("[^/]%+") or filter:find("%+[^/]") then return nil, "'+' must fill a whole level" end
  if filter:find("[^/]#") or filter:find("#.") then return nil, "'#' must fill the last level" end
  return true
end

--- Whether it can be a level of a topic and a parameter of a call: 1 to 128 bytes of UTF-8 without '/', '+', '#' and
--- control characters.
---@return boolean? ok
---@return string? why
function topic.valid_device_id(text)
  local plain = type(text) == "string" and #text <= MAX_DEVICE_ID and text:find("^[A-Za-z0-9_.:-]+$")
  if plain then return true end -- as nearly all are
  local ok, why = check(text)
  if not ok then return nil, why end
  if #text > MAX_DEVICE_ID then return nil, "may have at most 128 bytes" end
  if text:find("[/+#]") then return nil, "may hold no '/', '+' or '#'" end
  if text:find("%c") then return nil, "may hold no control character" end
  return true
end

return topic
