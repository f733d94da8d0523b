-- SPDX-License-Identifier: MIT
--- The tables of a section in Markdown as Lua values, so that what the page shows, what results.json holds and what the
--- goals are compared with is one thing.
local tables = {}

local function cells(line)
  local list = {}
  for cell in line:gsub("^|", ""):gmatch("%s*(.-)%s*|") do list[#list + 1] = cell end
  return list
end

--- All tables of a text: { columns = { … }, rows = { { … }, … } } each.
function tables.of(text)
  local list, current = {}, nil
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    if not line:find("^|") then
      current = nil
    elseif current == nil then
      current = { columns = cells(line), rows = {} }
      list[#list + 1] = current
    elseif not line:find("^|%-") then
      current.rows[#current.rows + 1] = cells(line)
    end
  end
  return list
end

--- The number in the column that `column` matches, of the first row whose cells match those of `row` from the left;
--- nil where there is none. All are Lua patterns.
function tables.number(list, row, column)
  for _, t in ipairs(list or {}) do
    for _, r in ipairs(t.rows) do
      local same = true
      for i, pattern in ipairs(row) do same = same and (r[i] or ""):find(pattern) ~= nil end
      for i, name in ipairs(t.columns) do
        if same and name:find(column) then return tonumber((r[i]:gsub(",", ""):match("^%-?[%d.]+"))) end
      end
    end
  end
end

--- The largest number of a column, over all rows.
function tables.largest(list, column)
  local most
  for _, t in ipairs(list or {}) do
    for i, name in ipairs(t.columns) do
      for _, r in ipairs(name:find(column) and t.rows or {}) do
        local value = tonumber(r[i]:match("^%-?[%d.]+"))
        if value and (most == nil or value > most) then most = value end
      end
    end
  end
  return most
end

return tables
