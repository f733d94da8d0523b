-- SPDX-License-Identifier: MIT

--- `fogcloud pub`: publishes an argument, a file, or lines of standard input.
local exit = require "fogcloud.cli.exit"
local input = require "fogcloud.cli.input"
local link = require "fogcloud.cli.link"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Publish a message, or one for each line of standard input." }

function command.options(parser)
  parser:argument("topic", "the topic; with --device its channel, as in commands")
  parser:argument("message", "the payload"):args("?")
  parser:option("--device", "to this device: c2d/DEVICE/CHANNEL"):argname("DEVICE")
  link.topic_options(parser)
  parser:flag("-r --retain", "the broker keeps it for those who subscribe later")
  parser:option("-f --file", "the payload is this file, - for standard input"):argname("FILE")
  parser:flag("-l --lines", "a message for each line of standard input")
  parser:flag("-n --null", "an empty payload; with --retain it takes away what is retained")
  link.options(parser)
  parser:epilog("Exit code 5 when only some of the messages were acknowledged, or when it was interrupted halfway.")
end

local function read(path, context)
  local text, why = input.read(path)
  context:go_on()
  if text == nil then context:usage("--file: " .. why) end
  return text
end

local function once(value)
  return function()
    local payload = value
    value = nil
    return payload
  end
end

-- An iterator over the payloads.
local function payloads(args, context)
  local given = (args.message and 1 or 0) + (args.file and 1 or 0) + (args.lines and 1 or 0) + (args.null and 1 or 0)
  if given ~= 1 then context:usage("one of MESSAGE, --file, --lines and --null is needed") end
  if args.lines then return input.lines() end
  return once(args.message or args.null and "" or read(args.file, context))
end

local function publish_all(session, topic, args, each, context)
  local options = { qos = tonumber(args.qos), retained = args.retain or nil, wait = true }
  local payload, count = each(), 0
  while payload do
    local id, err = context:try(session.publish, session, topic, payload, options)
    if id == nil then return count, err end
    count = count + 1
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
  local each = payloads(args, context)
  local topic = args.device and topics.to(topics.check(args.device, context), args.topic) or args.topic
  local session, err = link.open(args, context, topics.devices { topic })
  if session == nil then return context:failed(err) end
  local lost
  session:on("drop", function(message) lost = lost or message.err end)
  local count
  count, err = publish_all(session, topic, args, each, context)
  local _, why = session:finish(context:settings().timeout)
  local stats = session:stats()
  session:close()
  if lost and why and why.kind == "mqtt" then why = lost end -- which says more than that some were lost
  return outcome(context, args, count, stats, err or why)
end

return command
