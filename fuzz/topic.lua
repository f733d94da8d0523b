-- SPDX-License-Identifier: MIT

--- Topics and filters: what passes the checks is exactly what MQTT allows, and the router finds exactly the filters
--- that a matcher written straight from the specification finds, before and after removals.
--- Input: lines; the first is a topic, the others are filters.
local topic = require "fogcloud.mqtt.topic"
local Router = require "fogcloud.mqtt.router"

local function levels_of(text)
  local levels = {}
  for level in (text .. "/"):gmatch("([^/]*)/") do levels[#levels + 1] = level end
  return levels
end

-- 4.7.1, 4.7.2 word by word.
local function matches(filter, name)
  if name:sub(1, 1) == "$" and filter:find("^[+#]") then return false end
  local want, have = levels_of(filter), levels_of(name)
  for i, level in ipairs(want) do
    if level == "#" then return true end
    if have[i] == nil or (level ~= "+" and level ~= have[i]) then return false end
  end
  return #want == #have
end

-- Yes exactly where `right` says so, of a text that MQTT allows.
local function check_text(ok, why, text, right)
  assert(ok == true and why == nil or ok == nil and type(why) == "string", "neither yes nor no and why")
  local allowed = text ~= "" and #text <= 65535 and not text:find("%z") and utf8.len(text) ~= nil
  assert((ok == true) == (allowed and right), ok and "passed what is forbidden" or "refused what is allowed")
end

-- 4.7.1.2, 4.7.1.3: a wildcard is a level of its own, and '#' the last.
local function right_filter(filter)
  local levels = levels_of(filter)
  for i, level in ipairs(levels) do
    if level == "#" and i < #levels or #level > 1 and level:find("[+#]") then return false end
  end
  return true
end

-- 4.8.2 of 5.0: the group has a name without wildcards, and a filter behind it.
local function right_subscription(text)
  if not text:find("^%$share/") then return right_filter(text) end
  local group, filter = text:match("^%$share/([^/]*)/(.*)$")
  return group ~= nil and group ~= "" and not group:find("[+#]") and filter ~= "" and right_filter(filter)
end

local function check_filter(text)
  local ok, why = topic.valid_filter(text)
  check_text(ok, why, text, right_subscription(text))
  return ok
end

local function check_match(router, entries, name)
  local found, n = router:match(name)
  local expected = {}
  for _, entry in ipairs(entries) do
    if entry.token and matches(topic.unshared(entry.filter), name) then expected[#expected + 1] = entry end
  end
  assert(n == #expected, ("%d found, %d expected for %q"):format(n, #expected, name))
  for i, entry in ipairs(expected) do assert(found[i] == entry, "another order") end
end

return function(input)
  local name, rest = input:match("^([^\n]*)\n?(.*)$")
  local usable, why = topic.valid_topic(name)
  check_text(usable, why, name, not name:find("[+#]"))
  local id_ok, id_why = topic.valid_device_id(name)
  check_text(id_ok, id_why, name, #name <= 128 and not name:find("[/+#%c]"))
  local router, entries = Router.new(), {}
  for line in rest:gmatch("[^\n]+") do
    if check_filter(line) and #entries < 64 then
      local entry = { filter = line }
      entry.token = router:add(line, entry)
      entries[#entries + 1] = entry
    end
  end
  if not usable then return end
  check_match(router, entries, name)
  for i = 1, #entries, 2 do
    router:remove(entries[i].token)
    router:remove(entries[i].token)
    entries[i].token = nil
  end
  check_match(router, entries, name)
end
