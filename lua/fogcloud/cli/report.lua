-- SPDX-License-Identifier: MIT

--- A line for each thing that was looked at: what `doctor` and `test` print.
local text = require "fogcloud.cli.text"
local words = require "fogcloud.cli.words"

local Report = {}
Report.__index = Report

local COLUMNS = 18 -- of a check's name
local MARKS = { ok = { "ok  ", "good" }, warn = { "warn", "busy" }, fail = { "FAIL", "bad" } }

function Report.new(context)
  return setmetatable({ context = context, out = context.out, ok = 0, warn = 0, fail = 0 }, Report)
end

--- Tells the outcome of one check: "ok", "warn" or "fail", what was seen, and what to do about it. An interrupt makes
--- what waited fail, which is no outcome.
function Report:add(check, status, detail, remedy)
  self.context:go_on()
  self[status] = self[status] + 1
  local out, mark = self.out, MARKS[status]
  local to_do = status ~= "ok" and remedy or nil
  out:record({ check = check, status = status, detail = detail, remedy = to_do },
    ("  %s %s"):format(text.pad(words.say(check), COLUMNS), words.say(detail)), out:style(mark[2], mark[1]))
  if to_do and not out.json then out:line(words.say(to_do), "      -> ") end
  return status ~= "fail"
end

return Report
