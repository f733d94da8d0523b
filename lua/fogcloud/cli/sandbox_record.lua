-- SPDX-License-Identifier: MIT

--- `fogcloud sandbox record` and `replay`: what happens in a running sandbox as a test file, or as a list of steps that
--- are done again.
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local input = require "fogcloud.cli.input"
local number = require "fogcloud.cli.number"
local protect = require "fogcloud.task.protect"
local writer = require "fogcloud.sandbox.writer"

local record = {}

local TURN = 0.05 -- seconds between two looks at the person

local function first_line(err) return (tostring(err):match("^[^\n]*"):gsub("^[^ ]-:%d+: ", "")) end

-- Until the person has done enough: an interrupt is the ordinary end.
local function until_told(args, context)
  local left = args.wait or math.huge
  while left > 0 and not context.interrupted() do
    if not fogcloud.sleep(math.min(TURN, left)) then return end
    left = left - TURN
  end
end

local function write(path, text, context)
  if path == nil or path == "-" then
    context.out:write(text)
    context.out:flush()
    return exit.ok
  end
  local file, why = io.open(path, "w")
  local ok = file and file:write(text)
  if file then ok = file:close() and ok end
  if not ok then return context:failed(("%s: %s"):format(path, why or "it cannot be written")) end
  return exit.ok
end

local function last_of(sandbox)
  local entries = sandbox:timeline()
  return #entries > 0 and entries[#entries].id or 0
end

local function start_record(args, context, attach)
  local sandbox = attach(context)
  local after = args.all and 0 or last_of(sandbox)
  if not args.all then
    context.out:note("Recording; end it with Ctrl-C.")
    until_told(args, context)
  end
  local ok, text = pcall(sandbox.spec, sandbox, after, nil, args.as)
  if not ok then return context:failed(first_line(text)) end
  return write(args.output, text, context)
end

local WORDS = { "method", "path", "call", "who", "device", "client", "filter", "topic" }

local function words_of(step)
  local words = { step.op }
  for _, name in ipairs(WORDS) do words[#words + 1] = step[name] end
  return table.concat(words, " ")
end

local function replay(args, context)
  local text, why = input.read(args.file)
  if text == nil then context:usage(why) end
  local recording
  recording, why = writer.read(text)
  if recording == nil then context:usage(args.file .. ": " .. why) end
  local ok, run = pcall(require("fogcloud.sandbox.replay").start, recording.options)
  if not ok then return context:failed(tostring(run)) end
  local failure
  for i, step in ipairs(recording.steps) do
    local fine, wrong = protect.call(run.run, run, step)
    context.out:note(("%s %s"):format(fine and "ok  " or "FAIL", words_of(step)))
    if not fine then
      failure = ("step %d of %d, %s: %s"):format(i, #recording.steps, words_of(step), first_line(wrong))
      break
    end
  end
  run:stop()
  if failure then return context:failed(failure) end
  context.out:record({ steps = #recording.steps }, ("%d steps, as they were"):format(#recording.steps))
  return exit.ok
end

--- Taken in by sandbox_verbs.lua.
record.ACTIONS = { record = start_record, replay = replay }

--- Adds them to the parser of `fogcloud sandbox`.
function record.declare(parser)
  local p = parser:command("record", "write a test of what happens in a running one, until Ctrl-C")
  p:option("--as", "busted, pytest, or json, for replay", "json"):argname("FORMAT")
    :choices { "busted", "pytest", "json" }
  p:option("-o --output", "to this file, default standard output"):argname("FILE")
  p:option("-W --wait", "for so many seconds"):argname("SECONDS"):convert(number.seconds("--wait"))
  p:flag("--all", "what has happened already, instead")
  parser:command("replay", "do what was recorded again, in a sandbox of its own, and see whether the same happens")
    :argument("file", "of record --as json, - for standard input")
end

return record
