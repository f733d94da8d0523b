-- SPDX-License-Identifier: MIT

--- `fogcloud sub`: prints what is published, in the spirit of mosquitto_sub.
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local format = require "fogcloud.cli.format"
local link = require "fogcloud.cli.link"
local number = require "fogcloud.cli.number"
local Router = require "fogcloud.mqtt.router"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Print the messages of topics or of a device." }

local TURN = 0.02 -- seconds between two looks whether it is over

function command.options(parser)
  parser:argument("topic", "topic filters; with --device its channels, default all"):args("*")
  parser:option("-t --topic", "another topic filter, as mosquitto_sub has it"):argname("TOPIC"):target("topics")
    :count("*"):args(1)
  parser:option("--device", "what this device sends: d2c/DEVICE/…"):argname("DEVICE")
  link.topic_options(parser)
  parser:option("-C --count", "end after so many messages"):argname("N"):convert(number.count("--count", 1, 1e9))
  parser:option("-W --wait", "end after so many seconds"):argname("SECONDS"):convert(number.seconds("--wait"))
  parser:option("-F --format", format.HELP):argname("FORMAT")
  parser:flag("-v --verbose", "the topic before the payload")
  parser:flag("-R --no-retained", "not what was retained before")
  link.options(parser)
  parser:epilog("Exit code 1 when it ended before --count messages had come.")
end

local function filters_of(args, context)
  local device = args.device and topics.check(args.device, context)
  local filters = {}
  for _, given in ipairs { args.topic, args.topics or {} } do
    for _, topic in ipairs(given) do filters[#filters + 1] = device and topics.from(device, topic) or topic end
  end
  if #filters == 0 and device then filters[1] = topics.from(device, "#") end
  if #filters == 0 then context:usage("no topic: give some, or --device DEVICE") end
  return filters
end

local function pattern_of(args, context)
  local pattern = args.format or args.verbose and "%t %p" or "%p"
  local why = format.complaint(pattern)
  if why then context:usage("--format: " .. why) end
  return pattern
end

-- The library calls the handler of each filter that matches, and a message is to be printed once: for the first.
local function subscribe(session, filters, args, handler, context)
  local router = Router.new()
  for i, filter in ipairs(filters) do
    local function first(topic, ...)
      if router:match(topic)[1] == i then handler(topic, ...) end
    end
    router:add(filter, i)
    local granted, err = context:try(session.subscribe, session, filter, tonumber(args.qos), first)
    if granted == nil then return nil, err end
  end
  return true
end

local function serve(session, args, state)
  local deadline = args.wait and core.now() + args.wait
  while not (args.count and state.count >= args.count) do
    if session.ended then return session.ended end
    if deadline and core.now() >= deadline then return nil end
    if not fogcloud.sleep(TURN) then return nil end
  end
end

function command.run(args, context)
  local filters, pattern = filters_of(args, context), pattern_of(args, context)
  local session, err = link.open(args, context, topics.devices(filters))
  if session == nil then return context:failed(err) end
  local state = { count = 0 }
  local ok
  ok, err = subscribe(session, filters, args, function(topic, payload, message)
    if args.no_retained and message.retained or args.count and state.count >= args.count then return end
    state.count = state.count + 1
    local one = format.message(topic, payload, message)
    context.out:record(format.object(one), format.apply(pattern, one, context.out), nil, true)
  end, context)
  if ok then
    context.out:note(("listening to %s; Ctrl-C ends"):format(table.concat(filters, ", ")))
    err = serve(session, args, state)
  end
  session:close()
  context.out:note(("%d message%s"):format(state.count, state.count == 1 and "" or "s"))
  if err and err.kind ~= "cancelled" then return context:failed(err) end
  local short = args.count and state.count < args.count
  return short and exit.failure or exit.ok
end

return command
