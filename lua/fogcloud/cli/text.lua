-- SPDX-License-Identifier: MIT

--- Text on a terminal: how wide it is, and what may be shown of foreign bytes. Pure.
local text = {}

-- East Asian wide and full-width characters and pictures (Unicode TR 11), two columns each.
local WIDE = {
  { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0x33FF }, { 0x3400, 0x4DBF }, { 0x4E00, 0x9FFF },
  { 0xA000, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 },
  { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1FAFF }, { 0x20000, 0x3FFFD },
}
-- Marks that join the character before them.
local NARROW = { { 0x0300, 0x036F }, { 0x200B, 0x200F }, { 0xFE00, 0xFE0F } }

local function within(ranges, code)
  for _, range in ipairs(ranges) do
    if code >= range[1] and code <= range[2] then return true end
  end
  return false
end

local function decode(character)
  local first = character:byte()
  if #character == 1 then return first end
  local code = first % 2 ^ (7 - #character)
  for i = 2, #character do code = code * 64 + character:byte(i) % 64 end
  return code
end

-- One character of UTF-8, or a byte that begins none.
local CHARACTER = "[%z\1-\127\192-\255][\128-\191]*"

local function columns_of(character)
  local code = decode(character)
  if within(NARROW, code) then return 0 end
  return within(WIDE, code) and 2 or 1
end

--- How many columns a text takes.
---@param s string  one line
---@return integer
function text.width(s)
  if not s:find("[\128-\255]") then return #s end
  local width = 0
  for character in s:gmatch(CHARACTER) do width = width + columns_of(character) end
  return width
end

--- The text, cut so that it takes `columns` at most; what was cut is marked by "…".
function text.fit(s, columns)
  if text.width(s) <= columns then return s end
  local parts, width = {}, 0
  for character in s:gmatch(CHARACTER) do
    width = width + columns_of(character)
    if width > columns - 1 then break end
    parts[#parts + 1] = character
  end
  return table.concat(parts) .. "…"
end

--- The text with blanks up to `columns`.
function text.pad(s, columns) return s .. (" "):rep(columns - text.width(s)) end

--- Foreign text as a terminal may get it: without what moves its cursor or writes its title.
function text.harmless(s) return (s:gsub("[%z\1-\8\11-\31\127]", "?"):gsub("\194[\128-\159]", "?")) end

-- Second bytes of UTF-8 by first byte (RFC 3629, 4): neither overlong, surrogates, nor over U+10FFFF.
local function is_sequence(s, first)
  if first < 0xC2 or first > 0xF4 then return nil end
  local length = first >= 0xF0 and 4 or first >= 0xE0 and 3 or 2
  if not s:find("^[\128-\191]" .. ("[\128-\191]"):rep(length - 2)) then return nil end
  local second = s:byte()
  if first == 0xE0 and second < 0xA0 or first == 0xED and second > 0x9F then return nil end
  if first == 0xF0 and second < 0x90 or first == 0xF4 and second > 0x8F then return nil end
  return length
end

--- Whether bytes are UTF-8 (RFC 3629).
---@param s string
---@return boolean
function text.is_utf8(s)
  local at = s:find("[\128-\255]")
  while at do
    local length = is_sequence(s:sub(at + 1, at + 3), s:byte(at))
    if length == nil then return false end
    at = s:find("[\128-\255]", at + length)
  end
  return true
end

--- Bytes in hexadecimal.
function text.hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

return text
