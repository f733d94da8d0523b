-- SPDX-License-Identifier: MIT

--- Text on a terminal: how wide it is, and what may be shown of foreign bytes.
local terminal = require("fogcloud.core").terminal

local text = {}

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

--- Foreign text as a terminal may get it: without what moves its cursor or writes its title.
function text.harmless(s) return (s:gsub("[%z\1-\8\11-\31\127]", "?"):gsub("\194[\128-\159]", "?")) end

--- The same as one line, for a cell of a table.
function text.one_line(s) return text.harmless((s:gsub("[\r\n\t]", " "))) end

text.is_utf8 = require("fogcloud.mqtt.topic").is_utf8

--- Bytes in hexadecimal.
function text.hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

return text
