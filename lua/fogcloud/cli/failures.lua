-- SPDX-License-Identifier: MIT

--- What went wrong in a bulk job: the first failures are told as they come, all of them are counted by their reason,
--- and kept in a file that the next run can read.
local core = require "fogcloud.core"
local csv = require "fogcloud.cli.csv"
local errors = require "fogcloud.errors"

local Failures = {}
Failures.__index = Failures

local TOLD = 5 -- failures that are told one by one

function Failures.new(context)
  return setmetatable({ context = context, rows = {}, counts = {}, reasons = {} }, Failures)
end

-- The error without what is another for each device.
local function reason_of(err) return type(err) == "table" and err.message or errors.text(err) end

--- One more, told where it is one of the first.
function Failures:add(id, err)
  local fields, reason = type(err) == "table" and err or {}, reason_of(err)
  local code = fields.code and ("%d"):format(fields.code) or ""
  self.rows[#self.rows + 1] = { id, tostring(fields.kind or ""), code, reason }
  if self.counts[reason] == nil then self.reasons[#self.reasons + 1] = reason end
  self.counts[reason] = (self.counts[reason] or 0) + 1
  if self.context.args.json then return end
  if #self.rows <= TOLD then self.context.out:fail(("%s: %s"):format(id, errors.text(err))) end
  if #self.rows == TOLD + 1 then self.context.out:note("More failures are counted by their reason, at the end.") end
end

--- How many there were for each reason, most first; nothing where all were told.
function Failures:summary()
  if #self.rows <= TOLD then return end
  table.sort(self.reasons, function(a, b)
    if self.counts[a] ~= self.counts[b] then return self.counts[a] > self.counts[b] end
    return a < b
  end)
  for _, reason in ipairs(self.reasons) do self.context.out:note(("%6d  %s"):format(self.counts[reason], reason)) end
end

--- Writes them to a file, a line for each, which `--devices FILE --column id` reads.
---@return boolean? ok
---@return string? why
function Failures:write(path)
  local lines = { csv.row { "id", "kind", "code", "message" } }
  for i, row in ipairs(self.rows) do lines[i + 1] = csv.row(row) end
  local ok, _, why = core.file.write(path, table.concat(lines, "\n") .. "\n")
  return ok, why
end

return Failures
