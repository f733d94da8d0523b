-- SPDX-License-Identifier: MIT

--- Topics and filters: what passes the checks is what MQTT allows, and the router finds exactly the filters that a
--- matcher written straight from the specification finds, before and after removals.
--- Input: lines; the first is a topic, the others are filters.
local topic = require "fogcloud.topic"
local Router = require "fogcloud.router"

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

local function check_text(ok, why, text)
  assert(ok == true and why == nil or ok == nil and type(why) == "string", "neither yes nor no and why")
  if not ok then return end
  assert(text ~= "" and #text <= 65535 and not text:find("%z") and utf8.len(text), "passed what MQTT forbids")
end

local function check_filter(text)
  local ok, why = topic.valid_filter(text)
  check_text(ok, why, text)
  if not ok then return false end
  local filter, group = topic.unshared(text)
  assert(group == nil or group ~= "" and not group:find("[+#/]"))
  for i, level in ipairs(levels_of(filter)) do
    assert(level == "+" or level == "#" or not level:find("[+#]"), "a wildcard inside of a level")
    assert(level ~= "#" or i == #levels_of(filter), "'#' is not last")
  end
  return true
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
  check_text(usable, why, name)
  if usable then assert(not name:find("[+#]")) end
  local id_ok, id_why = topic.valid_device_id(name)
  check_text(id_ok, id_why, name)
  if id_ok then assert(#name <= 128 and not name:find("[/+#%c]") and usable) end
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
