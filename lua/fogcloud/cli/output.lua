-- SPDX-License-Identifier: MIT

--- What a command says: tables for people, one JSON object a line for programs, notes and failures on standard error.
local core = require "fogcloud.core"
local json = require "fogcloud.cli.json"
local text = require "fogcloud.cli.text"
local words = require "fogcloud.cli.words"
local errors = require "fogcloud.errors"

---@class fogcloud.cli.Output
local Output = {}
Output.__index = Output

local STYLES = { good = "32", bad = "31", busy = "33", dim = "2", strong = "1" }
local EPIPE = 32 -- nobody reads any more, which is for the reader to judge

-- https://no-color.org: an empty NO_COLOR is none.
local function wants_colour(choice, fd)
  if choice == "always" then return true end
  if choice == "never" or (os.getenv("NO_COLOR") or "") ~= "" or os.getenv("TERM") == "dumb" then return false end
  return core.terminal.is_terminal(fd)
end

--- `args`: json, quiet, color ("auto", "always", "never").
function Output.new(args)
  return setmetatable({
    json = args.json, quiet = args.quiet, terminal = core.terminal.is_terminal(1),
    colour = wants_colour(args.color, 1), error_colour = wants_colour(args.color, 2),
  }, Output)
end

-- What cannot be said ends the program.
local function check(ok, why, number)
  if ok then return end
  if number ~= EPIPE then io.stderr:write("fogcloud: standard output: ", tostring(why), "\n") end
  os.exit(1)
end

--- Writes to standard output.
function Output.write(_, ...) check(io.stdout:write(...)) end

--- Lets go of what was written; after the last line of a piece.
function Output.flush() check(io.stdout:flush()) end

--- Foreign text as it may be shown: on a terminal harmless and one line, elsewhere as it is.
function Output:shown(s) return self.terminal and text.one_line(s) or s end

--- A line. `mark` before it is ours, and may be coloured.
function Output:line(s, mark) self:write(mark or "", self:shown(s), "\n") end

--- Text in a colour of its meaning: good, bad, busy, dim, strong.
function Output:style(name, s) return self.colour and ("\27[%sm%s\27[0m"):format(STYLES[name], s) or s end

--- One record: an object with --json, else a line.
function Output:record(object, s, mark)
  if self.json then
    self:write(json.encode(object), "\n")
  elseif s then
    self:line(s, mark)
  end
  self:flush()
end

--- A message: an object with --json, else a text that is shown already, and may hold colours of the person's.
---@param bare boolean?  no line end behind it
function Output:message(object, s, bare)
  if self.json then
    self:write(json.encode(object), "\n")
  else
    self:write(s, bare and "" or "\n")
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
      rows[n][i] = text.one_line(value == nil and "" or errors.text(value))
    end
  end
  local widths = widths_of(columns, rows)
  if not self.quiet then self:write(self:style("strong", row_text(titles, widths)), "\n") end
  for _, row in ipairs(rows) do self:write(row_text(row, widths), "\n") end
  self:flush()
end

--- Something for the person only: on standard error, not with --quiet or --json.
function Output:note(s)
  if not self.quiet and not self.json then io.stderr:write(text.one_line(words.say(s)), "\n") end
end

--- An error as an object for programs; `kind` is that of one which is only a text.
---@param err fogcloud.Error|string
function Output.error_object(err, kind)
  local fields = type(err) == "table" and err or {}
  return {
    kind = fields.kind or kind or "failure", message = text.one_line(errors.text(err)), code = fields.code,
    status = fields.status,
  }
end

--- Something that happened to the session: a note, which programs get on standard error as an object.
function Output:event(name, s, err)
  if not self.json then return self:note(s) end
  io.stderr:write(json.encode { event = name, error = err and self.error_object(err) or nil }, "\n")
end

--- What went wrong; always said. `kind` is that of a text: "usage", "interrupted", default "failure".
---@param err fogcloud.Error|string
function Output:fail(err, kind)
  if self.json then
    io.stderr:write(json.encode { error = self.error_object(err, kind) }, "\n")
    return
  end
  local prefix = self.error_colour and "\27[31mfogcloud:\27[0m " or "fogcloud: "
  local said = type(err) == "string" and words.say(err) or errors.text(err)
  io.stderr:write(prefix, text.one_line(said), "\n")
end

return Output
