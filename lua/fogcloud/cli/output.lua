-- SPDX-License-Identifier: MIT

--- What a command says: tables for people, one JSON object a line for programs, notes and failures on standard error.
local cjson = require "cjson"
local core = require "fogcloud.core"
local text = require "fogcloud.cli.text"

---@class fogcloud.cli.Output
local Output = {}
Output.__index = Output

local STYLES = { good = "32", bad = "31", busy = "33", dim = "2", strong = "1" }

local function wants_colour(choice, fd)
  if choice == "always" then return true end
  if choice == "never" or os.getenv("NO_COLOR") then return false end
  return core.terminal.is_terminal(fd)
end

--- `args`: json, quiet, color ("auto", "always", "never").
function Output.new(args)
  return setmetatable({
    json = args.json, quiet = args.quiet, terminal = core.terminal.is_terminal(1),
    colour = wants_colour(args.color, 1), error_colour = wants_colour(args.color, 2),
  }, Output)
end

--- Writes to standard output. When nobody reads any more, the program is done.
function Output.write(_, ...)
  local ok = io.stdout:write(...)
  if not ok then os.exit(1) end -- SIGPIPE, where it is ignored
end

--- Lets go of what was written; after the last line of a piece.
function Output.flush()
  if not io.stdout:flush() then os.exit(1) end
end

function Output:line(s) self:write(self.terminal and text.harmless(s) or s, "\n") end

--- Text in a colour of its meaning: good, bad, busy, dim, strong.
function Output:style(name, s) return self.colour and ("\27[%sm%s\27[0m"):format(STYLES[name], s) or s end

--- One record: an object with --json, else `s`.
function Output:record(object, s)
  if self.json then
    self:write(cjson.encode(object):gsub("\\/", "/"), "\n") -- some versions of cjson escape slashes
  elseif s then
    self:line(s)
  end
  self:flush()
end

local function widths_of(columns, rows)
  local widths = {}
  for i, column in ipairs(columns) do
    widths[i] = text.width(column.title)
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], text.width(row[i])) end
  end
  return widths
end

local function row_text(row, widths)
  local cells = {}
  for i, cell in ipairs(row) do cells[i] = i == #row and cell or text.pad(cell, widths[i]) end
  return table.concat(cells, "  ")
end

--- Records as a table with aligned columns; with --json an object a line.
---@param columns { title: string, field: string }[]
---@param records table[]
function Output:table(columns, records)
  if self.json then
    for _, record in ipairs(records) do self:record(record) end
    return
  end
  local rows, titles = {}, {}
  for i, column in ipairs(columns) do titles[i] = column.title end
  for n, record in ipairs(records) do
    rows[n] = {}
    for i, column in ipairs(columns) do
      local value = record[column.field]
      rows[n][i] = text.harmless(value == nil and "" or tostring(value):gsub("[\r\n\t]", " "))
    end
  end
  local widths = widths_of(columns, rows)
  if not self.quiet then self:write(self:style("strong", row_text(titles, widths)), "\n") end
  for _, row in ipairs(rows) do self:write(row_text(row, widths), "\n") end
  self:flush()
end

--- Something for the person only: on standard error, not with --quiet or --json.
function Output:note(s)
  if not self.quiet and not self.json then io.stderr:write(s, "\n") end
end

--- What went wrong; always said.
function Output:fail(err)
  local said = text.harmless(tostring(err))
  if self.json and type(err) == "table" then
    local object = { kind = err.kind, message = said, code = err.code, status = err.status }
    io.stderr:write(cjson.encode { error = object }, "\n")
    return
  end
  local prefix = self.error_colour and "\27[31mfogcloud:\27[0m " or "fogcloud: "
  io.stderr:write(prefix, said, "\n")
end

return Output
