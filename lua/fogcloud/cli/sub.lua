-- SPDX-License-Identifier: MIT

--- `fogcloud sub`: prints what is published, in the spirit of mosquitto_sub.
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local format = require "fogcloud.cli.format"
local link = require "fogcloud.cli.link"

local command = { summary = "Print the messages of topics or of a device." }

local TURN = 0.02 -- seconds between two looks whether it is over

function command.options(parser)
  parser:argument("topic", "topic filters; with --device its channels, default all"):args("*")
  parser:option("--device", "what this device sends: d2c/DEVICE/…"):argname("DEVICE")
  link.topic_options(parser)
  parser:option("-C --count", "end after so many messages"):argname("N"):convert(tonumber)
  parser:option("-W --wait", "end after so many seconds"):argname("SECONDS"):convert(tonumber)
  parser:option("--format", format.HELP):argname("FORMAT")
  parser:flag("-v --verbose", "the topic before the payload")
  parser:flag("-R --no-retained", "not what was retained before")
  link.options(parser)
  parser:epilog("Exit code 1 when --wait is over before --count messages have come.")
end

local function filters_of(args, context)
  local filters = {}
  for _, topic in ipairs(args.topic) do
    filters[#filters + 1] = args.device and ("d2c/%s/%s"):format(args.device, topic) or topic
  end
  if #filters == 0 and args.device then filters[1] = ("d2c/%s/#"):format(args.device) end
  if #filters == 0 then context:usage("no topic: give some, or --device DEVICE") end
  return filters
end

local function pattern_of(args, context)
  local pattern = args.format or args.verbose and "%t %p" or "%p"
  local why = format.complaint(pattern)
  if why then context:usage("--format: " .. why) end
  return pattern
end

local function subscribe(session, filters, args, handler, context)
  for _, filter in ipairs(filters) do
    local granted, err = context:try(session.subscribe, session, filter, tonumber(args.qos), handler)
    if granted == nil then return nil, err end
  end
  return true
end

local function serve(session, args, state)
  local deadline = args.wait and core.now() + args.wait
  while not (args.count and state.count >= args.count) do
    if session.ended then return session.ended end
    if deadline and core.now() >= deadline then
      state.in_time = args.count == nil
      return nil
    end
    if not fogcloud.sleep(TURN) then return nil end
  end
end

function command.run(args, context)
  local filters, pattern = filters_of(args, context), pattern_of(args, context)
  local session, err = link.open(args, context)
  if session == nil then return context:failed(err) end
  local state = { count = 0, in_time = true }
  local ok
  ok, err = subscribe(session, filters, args, function(topic, payload, message)
    if args.no_retained and message.retained or args.count and state.count >= args.count then return end
    state.count = state.count + 1
    local one = format.message(topic, payload, message)
    context.out:record(format.object(one), format.apply(pattern, one))
  end, context)
  if ok then
    context.out:note(("listening to %s; Ctrl-C ends"):format(table.concat(filters, ", ")))
    err = serve(session, args, state)
  end
  session:close()
  context.out:note(("%d message%s"):format(state.count, state.count == 1 and "" or "s"))
  if err and err.kind ~= "cancelled" then return context:failed(err) end
  return state.in_time and exit.ok or exit.failure
end

return command
