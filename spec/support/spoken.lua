-- SPDX-License-Identifier: MIT

--- What the command line says: the texts of its parser, and the literals in the calls by which its commands speak.
local spoken = {}

local function sources()
  local list = {}
  for path in io.popen "ls lua/fogcloud/cli/*.lua":lines() do
    local file = assert(io.open(path))
    list[#list + 1] = file:read("*a"):gsub("\n%s*%-%-[^\n]*", ""):gsub('"%s*%.%.%s*"', "")
    file:close()
  end
  return list
end

local function unescaped(literal) return (literal:gsub("\\n", "\n"):gsub('\\"', '"'):gsub("\\\\", "\\")) end

-- What is said is a sentence, or two words: not a mark, a state, a key, or the name of an option before what it says.
local function is_said(text)
  local bare = text:gsub("%%[%d.]*%a", "x"):gsub("^%-%-[%l-]+: ", "")
  return bare:find "%a%a+ [%a'0-9]" ~= nil or bare:find "^%u.*%.$" ~= nil
end

--- The literals in calls of note, usage, fail and report:add, and those that are returned behind nil, each once.
function spoken.literals()
  local set = {}
  for _, text in ipairs(sources()) do
    for _, call in ipairs { "[%.:]note(%b())", "[%.:]usage(%b())", "[%.:]fail(%b())", "report:add(%b())", "[%.:]event(%b())" } do
      for arguments in text:gmatch(call) do
        for literal in arguments:gmatch '"(.-[^\\])"' do
          if is_said(unescaped(literal)) then set[unescaped(literal)] = true end
        end
      end
    end
  end
  -- And what a function returns as its complaint.
  for _, text in ipairs(sources()) do
    for literal in text:gmatch 'return nil, %(?"(.-[^\\])"' do
      if is_said(unescaped(literal)) then set[unescaped(literal)] = true end
    end
  end
  return set
end

--- The texts of the parser, each once: a summary without its full stop.
function spoken.help()
  local set = {}
  local function add(text)
    if text and text ~= "" then set[text] = true end
  end
  local function walk(parser)
    add(parser._summary)
    if parser._description ~= nil and parser._description:gsub("%.$", "") ~= parser._summary then add(parser._description) end
    add(parser._own_epilog)
    for _, element in ipairs(parser._arguments) do add(element._description) end
    for _, element in ipairs(parser._options) do add(element._description) end
    for _, group in ipairs(parser._groups) do add(group.name) end
    for _, command in ipairs(parser._commands) do walk(command) end
  end
  walk((require("fogcloud.cli").parser()))
  return set
end

return spoken
