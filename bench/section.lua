-- SPDX-License-Identifier: MIT
--- A section of the page while it is measured: what is added is printed too, so that one sees how far it is.
--- dofile("bench/section.lua")(title)
local programs = dofile("bench/programs.lua")

local Section = {}
Section.__index = Section

-- An empty line, where there is none yet.
local function part(self)
  if self.lines[#self.lines] ~= "" then self.lines[#self.lines + 1] = "" end
end

--- Prose.
function Section:text(text)
  part(self)
  self.lines[#self.lines + 1] = text:match("^%s*(.-)%s*$")
end

--- A new table with these columns.
function Section:columns(...)
  part(self)
  self:row(...)
  self.lines[#self.lines + 1] = "|" .. ("---|"):rep(select("#", ...))
end

function Section:row(...)
  local cells = { ... }
  for i = 1, select("#", ...) do cells[i] = tostring(cells[i]) end
  self.lines[#self.lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  print(self.lines[#self.lines])
end

--- Writes it to a file, where one is given.
function Section:write(path)
  if path then programs.write(path, table.concat(self.lines, "\n") .. "\n") end
end

--- The value below which `share` of the values lie; sorts them.
function Section.percentile(values, share)
  table.sort(values)
  return values[math.max(1, math.ceil(#values * share))] or 0 / 0
end

return function(title)
  print(title)
  return setmetatable({ lines = { "## " .. title, "" } }, Section)
end
