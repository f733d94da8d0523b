-- SPDX-License-Identifier: MIT

--- `fogcloud pub`: publishes an argument, a file, or lines of standard input.
local exit = require "fogcloud.cli.exit"
local lines = require "fogcloud.cli.lines"
local link = require "fogcloud.cli.link"

local command = { summary = "Publish a message, or one for each line of standard input." }

local FLUSH = 30 -- seconds for the last acknowledgements

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
end

local function read(path, context)
  local file, why = io.stdin, nil
  if path ~= "-" then file, why = io.open(path, "rb") end
  if file == nil then context:usage("--file: " .. why) end
  local text = file:read("*a")
  if file ~= io.stdin then file:close() end
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
  if args.lines then return lines.each() end
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

function command.run(args, context)
  local each = payloads(args, context)
  local topic = args.device and ("c2d/%s/%s"):format(args.device, args.topic) or args.topic
  local session, err = link.open(args, context)
  if session == nil then return context:failed(err) end
  local count
  count, err = publish_all(session, topic, args, each, context)
  local interrupted = context.interrupted()
  local ok, why = session:finish(interrupted and 1 or FLUSH)
  if err == nil and not ok and not interrupted then err = why end
  local stats = session:stats()
  session:close()
  if args.lines or interrupted or context.args.json then
    local sent = stats.acknowledged
    local summary = { published = count, acknowledged = sent, failed = stats.failed + stats.dropped }
    if context.args.json then context.out:record(summary) end
    context.out:note(("%d published, %d acknowledged"):format(count, sent))
  end
  if err and err.kind ~= "cancelled" then
    local code = context:failed(err)
    return stats.acknowledged > 0 and exit.partial or code
  end
  return exit.ok
end

return command
