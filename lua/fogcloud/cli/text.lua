-- SPDX-License-Identifier: MIT

--- Text on a terminal: how wide it is, and what may be shown of foreign bytes.
local terminal = require("fogcloud.core").terminal

local text = {}

text.is_utf8 = require("fogcloud.mqtt.topic").is_utf8

-- One character of UTF-8, or a byte that begins none.
local CHARACTER = "[%z\1-\127\192-\255][\128-\191]*"

--- How many columns a text takes.
---@param s string  one line
---@return integer
function text.width(s)
  if not s:find("[\128-\255]") then return #s end
  return terminal.width(s)
end

--- The text, cut so that it takes `columns` at most; what was cut is marked by "…".
function text.fit(s, columns)
  if text.width(s) <= columns then return s end
  local parts, width = {}, 0
  for character in s:gmatch(CHARACTER) do
    width = width + text.width(character)
    if width > columns - 1 then break end
    parts[#parts + 1] = character
  end
  return table.concat(parts) .. "…"
end

--- The text with blanks up to `columns`.
function text.pad(s, columns) return s .. (" "):rep(columns - text.width(s)) end

-- What is no text, or steers a terminal: C1 controls, and the marks that turn the direction of writing or end a line.
local STEERING = {
  ["\216\156"] = true, -- U+061C
  ["\226\128\142"] = true, ["\226\128\143"] = true, -- U+200E, U+200F
  ["\226\128\168"] = true, ["\226\128\169"] = true, -- U+2028, U+2029: ends of a line and of a paragraph
}
for last = 170, 174 do STEERING["\226\128" .. string.char(last)] = true end -- U+202A to U+202E
for last = 166, 169 do STEERING["\226\129" .. string.char(last)] = true end -- U+2066 to U+2069

local function is_harmless(character)
  return text.is_utf8(character) and not STEERING[character] and not character:find("^\194[\128-\159]$")
end

-- How long the character is that begins with this byte.
local function length_of(lead) return lead >= 240 and 4 or lead >= 224 and 3 or 2 end

-- A run of bytes beyond ASCII with `replace(character)` in the place of what is not harmless; it may begin in the midst
-- of a character, and have bytes too many.
local function clean_run(run, replace)
  local first = run:match("^[\128-\191]+")
  local rest = run:gsub("^[\128-\191]+", ""):gsub("[\192-\255][\128-\191]*", function(s)
    local length = length_of(s:byte())
    local character = s:sub(1, length)
    local more = #s > length and replace("\128") or ""
    return (is_harmless(character) and character or replace(character)) .. more
  end)
  return (first and replace(first) or "") .. rest
end

local function question_mark() return "?" end
local function clean_text(run) return clean_run(run, question_mark) end

--- Foreign text as a terminal may get it: without what moves its cursor, writes its title, or turns the writing.
function text.harmless(s)
  s = s:gsub("[%z\1-\8\11-\31\127]", "?")
  if not s:find("[\128-\255]") then return s end
  return (s:gsub("[\128-\255]+", clean_text))
end

--- The same as one line: a second one could be taken for a line of ours.
function text.one_line(s) return text.harmless((s:gsub("[\r\n\t]", " "))) end

local function escape(character)
  if not text.is_utf8(character) then return "\\ufffd" end
  local a, b, c = character:byte(1, 3)
  local code = c and (a % 16) * 4096 + (b % 64) * 64 + c % 64 or (a % 32) * 64 + b % 64
  return ("\\u%04x"):format(code)
end

local function clean_json(run) return clean_run(run, escape) end

--- JSON that is harmless on a terminal, and means what it meant.
function text.harmless_json(json) return (json:gsub("[\128-\255]+", clean_json)) end

--- Bytes in hexadecimal.
function text.hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

return text
