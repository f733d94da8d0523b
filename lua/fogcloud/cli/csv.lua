-- SPDX-License-Identifier: MIT

--- Tables in text, one column of them (RFC 4180; commas, semicolons or tabs, whichever the first line has). Pure.
local csv = {}

local MARK = "\239\187\191" -- that some programs put at a file's beginning

-- Which of them the first line has most of, outside of quotes.
local function separator_of(text)
  local head = text:match("^[^\r\n]*"):gsub('"[^"]*"', "")
  local best, most = ",", 0
  for _, candidate in ipairs { ",", ";", "\t" } do
    local _, count = head:gsub(candidate, "")
    if count > most then best, most = candidate, count end
  end
  return best
end

-- The cell at a place, and where what follows it begins; nil where a quote has no end.
local function cell(text, at, separator)
  if text:sub(at, at) ~= '"' then
    local stop = text:find("[\r\n" .. separator .. "]", at) or #text + 1
    return text:sub(at, stop - 1), stop
  end
  local parts = {}
  while true do
    local stop = text:find('"', at + 1, true)
    if stop == nil then return nil end
    parts[#parts + 1] = text:sub(at + 1, stop - 1)
    if text:sub(stop + 1, stop + 1) ~= '"' then return table.concat(parts, '"'), stop + 1 end
    at = stop + 1
  end
end

-- The rows of a text with the line that each begins in; nil and why where it is no table.
local function rows_of(text)
  local separator, rows, row, at, line = separator_of(text), {}, {}, 1, 1
  while at <= #text do
    if #row == 0 then row.line = line end
    local value, stop = cell(text, at, separator)
    if value == nil then return nil, ("line %d: a quote has no end"):format(line) end
    local _, ends = value:gsub("\n", "")
    line, row[#row + 1] = line + ends, value
    local after = text:sub(stop, stop)
    if after == separator then
      at = stop + 1
    else
      if after ~= "" and not after:find("[\r\n]") then return nil, ("line %d: text behind a quote"):format(line) end
      rows[#rows + 1], row = row, {}
      at, line = (text:match("^\r?\n()", stop) or stop + 1), line + 1
    end
  end
  if #row > 0 then rows[#rows + 1] = row end
  return rows
end

--- The values of a column, by the name in the first line.
---@param text string
---@param name string
---@return { value: string, line: integer }[]? values
---@return string? why
function csv.column(text, name)
  if text:sub(1, 3) == MARK then text = text:sub(4) end
  local rows, why = rows_of(text)
  if rows == nil then return nil, why end
  local at
  for i, title in ipairs(rows[1] or {}) do
    if title:match("^%s*(.-)%s*$") == name then at = i end
  end
  if at == nil then
    return nil, ("there is no column '%s'; the first line has: %s"):format(name, table.concat(rows[1] or {}, ", "))
  end
  local values = {}
  for i = 2, #rows do
    local row = rows[i]
    if #row > 1 or row[1] ~= "" then values[#values + 1] = { value = row[at] or "", line = row.line } end
  end
  return values
end

--- One line of a table.
---@param cells string[]
---@return string
function csv.row(cells)
  local quoted = {}
  for i, value in ipairs(cells) do
    quoted[i] = value:find('[",\r\n]') and '"' .. value:gsub('"', '""') .. '"' or value
  end
  return table.concat(quoted, ",")
end

return csv
