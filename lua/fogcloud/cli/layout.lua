-- SPDX-License-Identifier: MIT

--- How help looks: `-t, --topic TOPIC   …` on one line, left-aligned, with examples below. argparse lays it out; this
--- sets what it goes by.
local examples = require "fogcloud.cli.examples"
local words = require "fogcloud.cli.words"

local layout = {}

local COLUMN, WIDTH = 34, 100 -- where descriptions begin, and how wide a line is

-- The names of an option as one label: those without a short name stand below the long names of the others.
local function label(aliases)
  local short, long = {}, {}
  for _, alias in ipairs(aliases) do
    local list = alias:sub(1, 2) == "--" and long or short
    list[#list + 1] = alias
  end
  local names = table.concat(short, ", ")
  if #long == 0 then return names end
  return (#short > 0 and names .. ", " or "    ") .. table.concat(long, ", ")
end

-- Has argparse make the help with one label for each option, and gives the options their names back, which completion
-- and parsing go by.
local function set_help(parser)
  local get_help = parser.get_help
  function parser.get_help(self)
    local names = {}
    for _, option in ipairs(self._options) do
      names[option] = option._public_aliases
      option._public_aliases = { label(option._public_aliases) }
    end
    local text = words.help(get_help(self))
    for option, aliases in pairs(names) do option._public_aliases = aliases end
    return text
  end
end

local function set_argument(argument)
  if argument._argname == nil then argument:argname(argument._name:upper()) end
  function argument._get_label_lines(self)
    return { type(self._argname) == "table" and self._argname[1] or self._argname }
  end
end

-- One line: what is called, and what must follow.
local function usage(parser, name)
  local parts = { words.say("Usage: ") .. "fogcloud", name ~= "" and name or nil }
  if #parser._commands > 0 then
    parts[#parts + 1] = "COMMAND"
  end
  parts[#parts + 1] = "[OPTION]..."
  for _, argument in ipairs(parser._arguments) do
    local shown = argument._argname or argument._name:upper()
    if argument._minargs == 0 then shown = "[" .. shown .. "]" end
    parts[#parts + 1] = shown .. (argument._maxargs > 1 and "..." or "")
  end
  return table.concat(parts, " ")
end

local function epilog(parser, name)
  parser._own_epilog = parser._epilog
  local parts = { parser._epilog and words.say(parser._epilog) }
  local lines = examples[name]
  if lines then parts[#parts + 1] = words.say("Examples:") .. "\n  " .. table.concat(lines, "\n  ") end
  if name ~= "" then
    parts[#parts + 1] = words.say("The options of `fogcloud --help` may follow every command, too.")
  end
  return table.concat(parts, "\n\n")
end

-- The element's words in the person's language; the original ones for those who look for them.
local function say(element)
  element._own_description, element._own_summary = element._description, element._summary
  if element._description then element:description(words.say(element._description)) end
  if element._summary then element:summary(words.say(element._summary)) end
end

--- Lays out the help of a parser and of the commands below it.
---@param parser table  argparse's
---@param name string?  the command's whole name, without the program's
function layout.set(parser, name)
  name = name or ""
  parser:help_usage_margin(2):help_description_margin(COLUMN):help_max_width(WIDTH)
  for _, argument in ipairs(parser._arguments) do set_argument(argument) end
  parser._options[parser._help_option_idx]:description("show this help")
  say(parser)
  for _, group in ipairs(parser._groups) do
    group.own_name, group.name = group.name, words.say(group.name)
  end
  for _, element in ipairs(parser._arguments) do say(element) end
  for _, element in ipairs(parser._options) do say(element) end
  for _, option in ipairs(parser._options) do
    -- A placeholder where none is given: the last word of its name.
    if option._argname == nil and option._choices == nil then option:argname(option._name:match("(%w+)$"):upper()) end
  end
  set_help(parser)
  parser:usage(usage(parser, name))
  local said = epilog(parser, name)
  if said ~= "" then parser:epilog(said) end
  for _, command in ipairs(parser._commands) do
    layout.set(command, (name == "" and "" or name .. " ") .. command._name)
  end
end

return layout
