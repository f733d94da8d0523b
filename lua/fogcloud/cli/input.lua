-- SPDX-License-Identifier: MIT

--- What a command reads: standard input without holding up what goes on meanwhile, answers, files. Each ends early
--- when the person wants to end, which the caller sees by context:go_on() or context.interrupted().
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local words = require "fogcloud.cli.words"

local input = {}

local TURN = 0.02 -- seconds between two looks when nothing is there
local STANDARD_INPUT = 0
local BYTE_ORDER_MARK = "\239\187\191"

-- What is there; yields while nothing is. nil at the end of input, or when it is to end.
local function piece()
  while not core.terminal.interrupted() do
    local more = core.terminal.read(STANDARD_INPUT, 0)
    if more ~= "" then return more end
    if not fogcloud.sleep(TURN) then return nil end
  end
end

-- An iterator over the lines that pieces make up. A line is put together once, however many pieces it comes in.
local function lines_of(next_piece)
  local parts, text, at, ended = {}, "", 1, false
  local function take(upto)
    parts[#parts + 1] = text:sub(at, upto)
    at = upto + 1
  end
  local function line()
    local whole = table.concat(parts)
    parts = {}
    return whole
  end
  return function()
    while not ended do
      local stop = text:find("\n", at, true)
      if stop then
        take(stop - 1)
        at = stop + 1
        return line()
      end
      take(#text)
      text, at = next_piece(), 1
      ended = text == nil
    end
    local rest = line()
    return rest ~= "" and rest or nil
  end
end

local standard_lines

--- An iterator over the lines of standard input.
function input.lines()
  standard_lines = standard_lines or lines_of(piece)
  return standard_lines
end

--- A line that the person types; an empty one, and the end of input, give nil.
function input.ask(question)
  io.stderr:write(words.say(question), ": ")
  local line = (input.lines()() or ""):match("^%s*(.-)%s*$")
  return line ~= "" and line or nil
end

local function standard_input()
  local parts = {}
  repeat -- no `for`: Lua 5.1 cannot yield from its iterator
    local part = piece()
    parts[#parts + 1] = part
  until part == nil
  return table.concat(parts)
end

--- All of a file, or of standard input for "-"; bytes as they are.
---@return string? text
---@return string? why  with the file's name
function input.read(path)
  if path == "-" then return standard_input() end
  local file, why = io.open(path, "rb")
  if file == nil then return nil, why end
  local text, unreadable = file:read("*a") -- of a folder, for one
  file:close()
  if text == nil then return nil, ("%s: %s"):format(path, unreadable) end
  return text
end

--- The lines of a text file, without the mark that some editors put at its beginning.
---@return string[]? lines
---@return string? why
function input.lines_of_file(path)
  local text, why = input.read(path)
  if text == nil then return nil, why end
  if text:sub(1, 3) == BYTE_ORDER_MARK then text = text:sub(4) end
  local lines = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

return input
