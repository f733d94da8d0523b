-- SPDX-License-Identifier: MIT

--- The program's own words in the person's language: Chinese where the locale says so and can show it (LC_ALL, else
--- LC_MESSAGES, else LANG: zh… in UTF-8), else English. What the library says of errors stays as it is, for it is what
--- people search for; so does --json.
local words = {}

local function locale(getenv)
  for _, name in ipairs { "LC_ALL", "LC_MESSAGES", "LANG" } do
    local value = getenv(name)
    if value ~= nil and value ~= "" then return value end
  end
  return ""
end

--- Whether to speak Chinese.
---@param getenv fun(name: string): string?
function words.is_chinese(getenv)
  local value = locale(getenv)
  return value:find("^zh") ~= nil and value:lower():find("utf%-?8") ~= nil
end

local loaded, patterns -- the table, false for none; its texts with %s and %d as patterns

local function escaped(text) return (text:gsub("[%^%$%(%)%.%[%]%*%+%-%?%%]", "%%%0")) end

-- A text with marks as a pattern that finds what stands in their place.
local function pattern_of(text)
  local out, at = { "^" }, 1
  while true do
    local from, to = text:find("%%[%d.]*[sdf]", at)
    out[#out + 1] = escaped((text:sub(at, (from or 0) - 1):gsub("%%%%", "%%")))
    if from == nil then break end
    out[#out + 1] = text:sub(to, to) == "s" and "(.-)" or "(-?[%d.]+)"
    at = to + 1
  end
  return table.concat(out) .. "$"
end

local function load_table()
  loaded, patterns = require("fogcloud.cli.zh"), {}
  for text, other in pairs(loaded) do
    if text:find("%%[%d.]*[sdf]") and not text:find("%%t topic") then
      -- The values are put in as text, whatever their mark was.
      patterns[#patterns + 1] = { pattern_of(text), (other:gsub("%%[%d.]*[df]", "%%s")), #text }
    end
  end
  table.sort(patterns, function(a, b) -- the longest first
    if a[3] ~= b[3] then return a[3] > b[3] end
    return a[1] < b[1]
  end)
end

local translate

local function by_pattern(text)
  for _, pattern in ipairs(patterns) do
    local values = { text:match(pattern[1]) }
    if values[1] then
      for i, value in ipairs(values) do values[i] = translate(value) end
      return pattern[2]:format((table.unpack or unpack)(values))
    end
  end
end

-- A text that begins with words of ours and a colon, and goes on with others'.
local function by_beginning(text)
  for at in text:gmatch("(): ") do
    local other = loaded[text:sub(1, at + 1)]
    if other then return other .. translate(text:sub(at + 2)) end
  end
  local option, rest = text:match("^(%-%-?[%a%d-]+: )(.+)$")
  if option then return option .. translate(rest) end
end

function translate(text)
  local whole = loaded[text] or text:find("%.$") and loaded[text:sub(1, -2)] and loaded[text:sub(1, -2)] .. "。"
  return whole or text ~= "" and (by_pattern(text) or by_beginning(text)) or text
end

--- A text of ours in the person's language.
---@param text string
---@return string
function words.say(text)
  if loaded == nil then
    loaded = false
    if words.is_chinese(os.getenv) then load_table() end
  end
  return loaded and translate(text) or text
end

--- Speaks English from now on: for what is made of the help, the manual page for one.
function words.english() loaded = false end

local HEADINGS = {
  "Arguments:", "Options:", "Commands:", "Other options:", "Other arguments:", "Other commands:",
}

--- Help, as argparse made it, with its own few words in the person's language.
function words.help(text)
  if words.say("Options:") == "Options:" then return text end
  for _, heading in ipairs(HEADINGS) do
    text = text:gsub("\n" .. heading .. "\n", "\n" .. words.say(heading) .. "\n")
  end
  return (text:gsub("%(default: ([^)\n]*)%)", function(value) return words.say("(default: %s)"):format(value) end))
end

return words
