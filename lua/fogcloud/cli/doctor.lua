-- SPDX-License-Identifier: MIT

--- `fogcloud doctor`: looks at everything between this program and its devices, and says what to do where it is wrong.
local checks = require "fogcloud.cli.checks"
local exit = require "fogcloud.cli.exit"
local sessions = require "fogcloud.cli.session"
local Report = require "fogcloud.cli.report"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Check versions, files, network, certificates, account and broker." }

function command.options(parser)
  parser:option("--device", "also check that the client may hear this device"):argname("DEVICE")
  sessions.options(parser)
  parser:epilog("Exit code 1 when a check fails; warnings are none.")
end

function command.run(args, context)
  if args.device then topics.check(args.device, context) end
  local report = Report.new(context)
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
