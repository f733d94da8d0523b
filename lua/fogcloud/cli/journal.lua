-- SPDX-License-Identifier: MIT

--- `fogcloud journal FILE`: what a session has left in its journal.
local exit = require "fogcloud.cli.exit"
local journal = require "fogcloud.journal"
local number = require "fogcloud.cli.number"
local text = require "fogcloud.cli.text"

local command = { summary = "The journal of a session that is not running: list, remove, send again." }

local PORTION = 1000
local LARGEST = 2 ^ 53

function command.options(parser)
  parser:argument("file", "the session's journal")
  parser:flag("--payloads", "show what is in the messages, too")
  parser:option("--limit", "so many messages at most; default 1000, with --json all"):argname("N")
    :convert(number.count("--limit", 1, LARGEST))
  parser:option("--remove", "remove the message with this number; may be repeated"):argname("NUMBER"):count("*")
    :convert(number.count("--remove", 1, LARGEST))
  parser:option("--resend", "queue again what was set aside; may be repeated"):argname("NUMBER"):count("*")
    :convert(number.count("--resend", 1, LARGEST))
end

local COLUMNS = {
  { title = "NUMBER", field = "number" }, { title = "STATE", field = "state" }, { title = "QOS", field = "qos" },
  { title = "BYTES", field = "size" }, { title = "PUBLISHED", field = "published" },
  { title = "EXPIRES", field = "expires" }, { title = "TOPIC", field = "topic" },
}
local WHY, PAYLOAD = { title = "WHY", field = "why" }, { title = "PAYLOAD", field = "payload" }

local function columns(args, some_set_aside)
  local list = {}
  for i, column in ipairs(COLUMNS) do list[i] = column end
  if some_set_aside then list[#list + 1] = WHY end
  if args.payloads then list[#list + 1] = PAYLOAD end
  return list
end

local function time(seconds) return seconds and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) end

-- A message as it is shown; bytes that are no text in hexadecimal.
local function shown(message, as_json)
  local why = message.why
  if why and message.reason > 0 then why = ("%s (0x%02x)"):format(why, message.reason) end
  local record = {
    number = message.number, state = message.state, topic = message.topic, qos = message.qos,
    size = message.size, published = time(message.accepted), expires = time(message.expires), why = why,
  }
  if as_json then
    record.retained, record.packet_id, record.reason, record.why =
      message.retained, message.packet_id, message.reason, message.why
  end
  if message.payload == nil then return record end
  local is_text = text.is_utf8(message.payload)
  local field = as_json and not is_text and "payload_hex" or "payload"
  record[field] = is_text and message.payload or text.hex(message.payload)
  return record
end

-- Up to `limit` messages, in portions: each(message) of all.
local function each_message(opened, limit, payloads, each)
  local after, left = 0, limit
  while left > 0 do
    local list, err = opened:list { after = after, count = math.min(left, PORTION), payloads = payloads }
    if list == nil then return nil, err end
    if #list == 0 then break end
    for _, message in ipairs(list) do each(message) end
    after, left = list[#list].number, left - #list
  end
  return true
end

local function list_json(opened, args, context)
  local ok, err = each_message(opened, args.limit or LARGEST, args.payloads, function(message)
    context.out:record(shown(message, true))
  end)
  return ok and exit.ok or context:failed(err)
end

local function list_table(opened, args, context)
  local records = {}
  local ok, err = each_message(opened, args.limit or PORTION, args.payloads, function(message)
    records[#records + 1] = shown(message, false)
  end)
  if not ok then return context:failed(err) end
  local counts = opened:counts()
  local all = counts.waiting + counts.set_aside
  if all == 0 then
    context.out:note("Nothing waits in it.")
    return exit.ok
  end
  context.out:table(columns(args, counts.set_aside > 0), records)
  local more = all > #records and ("; %.0f more are not shown"):format(all - #records) or ""
  context.out:note(("%.0f wait, %.0f are set aside%s."):format(counts.waiting, counts.set_aside, more))
  return exit.ok
end

-- Removes and queues again what is named.
local function change(opened, args, context)
  for _, at in ipairs(args.remove) do
    local ok, err = opened:remove(at)
    if not ok then return context:failed(err) end
    context.out:record({ action = "remove", number = at }, ("%.0f is removed"):format(at))
  end
  for _, at in ipairs(args.resend) do
    local now, err = opened:resend(at)
    if not now then return context:failed(err) end
    context.out:record({ action = "resend", number = at, now = now }, ("%.0f is queued again as %.0f"):format(at, now))
  end
  return exit.ok
end

function command.run(args, context)
  local opened, err = journal.open(args.file)
  if opened == nil then return context:failed(err) end
  if opened.damage then context.out:note(opened.damage) end
  local code
  if #args.remove + #args.resend > 0 then
    code = change(opened, args, context)
  else
    code = (args.json and list_json or list_table)(opened, args, context)
  end
  opened:close()
  return code
end

return command
