-- SPDX-License-Identifier: MIT

--- `fogcloud doctor`: looks at everything between this program and its devices, and says what to do where it is wrong.
local checks = require "fogcloud.cli.checks"
local exit = require "fogcloud.cli.exit"
local link = require "fogcloud.cli.link"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Check versions, files, network, certificates, account and broker." }

function command.options(parser)
  parser:option("--device", "also check that the client may hear this device"):argname("DEVICE")
  link.options(parser)
  parser:epilog("Exit code 1 when a check fails; warnings are none.")
end

local MARKS = { ok = { "ok  ", "good" }, warn = { "warn", "busy" }, fail = { "FAIL", "bad" } }

local Report = {}
Report.__index = Report

--- Tells the outcome of one check: "ok", "warn" or "fail", what was seen, and what to do about it. An interrupt makes
--- what waited fail, which is no outcome.
function Report:add(check, status, detail, remedy)
  self.context:go_on()
  self[status] = self[status] + 1
  local out, mark = self.out, MARKS[status]
  local to_do = status ~= "ok" and remedy or nil
  out:record({ check = check, status = status, detail = detail, remedy = to_do },
    ("  %-18s %s"):format(check, detail), out:style(mark[2], mark[1]))
  if to_do and not out.json then out:line(to_do, "      -> ") end
  return status ~= "fail"
end

function command.run(args, context)
  if args.device then topics.check(args.device, context) end
  local report = setmetatable({ context = context, out = context.out, ok = 0, warn = 0, fail = 0 }, Report)
  checks.versions(report)
  checks.files(report)
  local cloud = checks.configuration(report, context)
  if cloud and checks.api_network(report, cloud, context) then checks.account(report, cloud) end
  local credentials = checks.client(report, args, context)
  if credentials and checks.broker_network(report, credentials, args, context) then
    checks.session(report, credentials, args, context)
  end
  context.out:note(("%d ok, %d to look at, %d wrong"):format(report.ok, report.warn, report.fail))
  return report.fail > 0 and exit.failure or exit.ok
end

return command
