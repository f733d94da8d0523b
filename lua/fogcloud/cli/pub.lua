-- SPDX-License-Identifier: MIT

--- `fogcloud pub`: publishes an argument, a file, or lines of standard input; with the options of mosquitto_pub.
local broker = require "fogcloud.cli.broker"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local input = require "fogcloud.cli.input"
local sessions = require "fogcloud.cli.session"
local number = require "fogcloud.cli.number"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Publish a message, or one for each line of standard input." }

function command.options(parser)
  parser:argument("topic", "the topic; with --device its channel, as in commands"):args("?")
  parser:argument("message", "the payload"):args("?")
  local options = {
    parser:option("-t --topic", "the topic, or the channel, as an option"):argname("TOPIC"):target("named_topic"),
    parser:option("-m --message", "the payload as an option"):argname("TEXT"):target("text"),
    parser:option("-f --file", "the payload is this file, - for standard input"):argname("FILE"),
    parser:flag("-s --stdin-file", "the payload is all of standard input"),
    parser:flag("-l --lines", "a message for each line of standard input"),
    parser:flag("-n --null", "an empty payload; with --retain it takes away what is retained"),
    parser:option("--device", "to this device: c2d/DEVICE/CHANNEL; more than one may be named"):argname("DEVICE")
      :count("*"):args(1),
    parser:option("-q --qos", "0, 1 or 2; default 1, at a broker that you name 0"):choices { "0", "1", "2" }
      :argname("QOS"),
    parser:flag("-r --retain", "the broker keeps it for those who subscribe later"),
    parser:option("--repeat", "publish it so many times"):argname("N"):convert(number.count("--repeat", 1, 1e9))
      :target("times"),
    parser:option("--repeat-delay", "seconds between two times"):argname("SECONDS")
      :convert(number.rate("--repeat-delay")),
  }
  parser:group("What to publish", (table.unpack or unpack)(options))
  sessions.options(parser)
  broker.options(parser)
  broker.session_options(parser)
  parser:epilog("Exit code 5 when only some of the messages were acknowledged, or when it was interrupted halfway.")
end

local function read(path, context)
  local text, why = input.read(path)
  context:go_on()
  if text == nil then context:usage("--file: " .. why) end
  return text
end

-- An iterator that gives the payload so many times, with a pause between.
local function again(payload, times, pause)
  local given = 0
  return function()
    if given == times or given > 0 and pause and not fogcloud.sleep(pause) then return nil end
    given = given + 1
    return payload
  end
end

-- TOPIC and MESSAGE, wherever they were said: of two arguments beside -t, the first is the message.
local function arrange(args, context)
  local topic, message = args.topic, args.message
  if args.named_topic then topic, message = args.named_topic, args.topic end
  if args.named_topic and args.message or message and args.text then
    context:usage("one topic and one message are needed: some were given twice")
  end
  return topic, message or args.text
end

-- An iterator over the payloads.
local function payloads(args, message, context)
  local given = (message and 1 or 0) + (args.file and 1 or 0) + (args.stdin_file and 1 or 0) + (args.lines and 1 or 0)
    + (args.null and 1 or 0)
  if given ~= 1 then
    context:usage("one of MESSAGE, --message, --file, --stdin-file, --lines and --null is needed")
  end
  if args.lines then return input.lines() end
  local payload = message or args.null and "" or read(args.stdin_file and "-" or args.file, context)
  return again(payload, args.times or 1, args.repeat_delay)
end

-- The topics that get each message.
local function destinations(args, topic, context)
  if #args.device == 0 then return { topic } end
  local list = {}
  for i, device in ipairs(args.device) do list[i] = topics.to(topics.check(device, context), topic) end
  return list
end

-- What nobody acknowledges nobody refuses either: a kept client hears of a refusal unless it is told otherwise. At a
-- broker that is named the default is mosquitto_pub's.
local function qos_of(args, target) return tonumber(args.qos or target.broker and 0 or 1) end

local function publish_all(session, list, args, each, target, context)
  local options = {
    qos = qos_of(args, target), retained = args.retain or nil, wait = true, properties = target.said.publish,
  }
  local payload, count = each(), 0
  while payload do
    for _, topic in ipairs(list) do
      local id, err = context:try(session.publish, session, topic, payload, options)
      if id == nil then return count, err end
      count = count + 1
    end
    payload = each()
  end
  return count
end

-- What became of it for the person, and the exit code. A message that is lost has a reason of its own.
local function outcome(context, args, count, stats, err)
  local sent, interrupted = stats.acknowledged, context.interrupted()
  if args.lines or interrupted or args.json then
    local summary = { published = count, acknowledged = sent, failed = stats.failed + stats.dropped }
    if args.json then context.out:record(summary) end
    context.out:note(("%d published, %d acknowledged"):format(count, sent))
  end
  if interrupted then err = (args.lines or sent < count) and "interrupted" or nil end
  if err == nil then return exit.ok end
  local code = interrupted and exit.failure or context:failed(err)
  if interrupted then context.out:fail(err, "interrupted") end
  return sent > 0 and exit.partial or code
end

function command.run(args, context)
  args.host_options = true
  local topic, message = arrange(args, context)
  local each = payloads(args, message, context)
  local list = topic and destinations(args, topic, context) or {}
  if topic == nil and not args.url then context:usage("no topic: give one, or --topic TOPIC") end
  local session, err, target = sessions.open(args, context, topics.devices(list))
  if session == nil then return sessions.failed(context, err, target) end
  if topic == nil then list = { target.topic or context:usage("--url: no topic in it, and no --topic") } end
  local lost
  session:on("drop", function(dropped) lost = lost or dropped.err end)
  local count
  count, err = publish_all(session, list, args, each, target, context)
  local _, why = sessions.finish(session, target, args.timeout or context:settings().timeout)
  local stats = session:stats()
  session:close()
  if lost and why and why.kind == "mqtt" then why = lost end -- which says more than that some were lost
  return outcome(context, args, count, stats, err or why)
end

return command
