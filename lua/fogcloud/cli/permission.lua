-- SPDX-License-Identifier: MIT

--- `fogcloud permission grant|revoke`: for one device, for many, from a file or standard input.
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"
local csv = require "fogcloud.cli.csv"
local exit = require "fogcloud.cli.exit"
local Failures = require "fogcloud.cli.failures"
local input = require "fogcloud.cli.input"
local number = require "fogcloud.cli.number"
local Progress = require "fogcloud.cli.progress"
local DoneList = require "fogcloud.cli.done_list"
local topic_rules = require "fogcloud.mqtt.topic"

local command = { summary = "Let a client talk to devices, or no longer." }

local function add(parser, name, summary)
  local action = parser:command(name, summary)
  action:argument("device", "device ids"):args("*")
  action:option("--client", "name or client id, default the only one kept here"):argname("CLIENT")
  action:option("--devices", "device ids from a file, one a line, - for standard input"):argname("FILE")
  action:option("--column", "the file is a table with titles (CSV): the ids are in this column"):argname("TITLE")
  action:option("--failed", "write the devices that failed to this file, with the reason (CSV)"):argname("FILE")
  action:option("--resume", "note in a file what is done, and leave that out the next time"):argname("FILE")
  action:option("--concurrency", "calls in flight at most, default 16, at most 256"):argname("N")
    :convert(number.count("--concurrency", 1, 256))
end

function command.options(parser)
  parser:command_target("action"):require_command(true)
  add(parser, "grant", "let a client hear devices and send to them")
  add(parser, "revoke", "take that away from a client")
end

local function add_id(ids, id, where, context)
  local ok, why = topic_rules.valid_device_id(id)
  if not ok then context:usage(("%s'%s' is no device id: it %s"):format(where, id, why)) end
  ids[#ids + 1] = id
end

-- The ids of a column.
local function add_column(ids, path, title, context)
  local text, why = input.read(path)
  context:go_on()
  if text == nil then context:usage("--devices: " .. why) end
  local values
  values, why = csv.column(text, title)
  if values == nil then context:usage(("--devices: %s: %s"):format(path, why)) end
  for _, one in ipairs(values) do add_id(ids, one.value, ("--devices: line %d: "):format(one.line), context) end
end

-- Blank lines and those that begin with # are nobody's ids.
local function add_lines(ids, path, context)
  local lines, why = input.lines_of_file(path)
  context:go_on()
  if lines == nil then context:usage("--devices: " .. why) end
  for n, line in ipairs(lines) do
    local id = line:match("^%s*(.-)%s*$")
    if id ~= "" and id:sub(1, 1) ~= "#" then add_id(ids, id, ("--devices: line %d: "):format(n), context) end
  end
end

local function wanted(args, context)
  local ids = {}
  for _, id in ipairs(args.device) do add_id(ids, id, "", context) end
  if args.column and not args.devices then context:usage("--column is for --devices FILE") end
  if args.column then
    add_column(ids, args.devices, args.column, context)
  elseif args.devices then
    add_lines(ids, args.devices, context)
  end
  if #ids == 0 then context:usage("no device: name some, or give --devices FILE") end
  return ids
end

-- Each id once, without those that are done; and how many different ones there were.
local function remaining(ids, done)
  local seen, rest, count = {}, {}, 0
  for _, id in ipairs(ids) do
    if not seen[id] then
      seen[id], count = true, count + 1
      if not done[id] then rest[#rest + 1] = id end
    end
  end
  return rest, count
end

-- The client id that is meant: of one kept here, or as it was given.
local function client_id(args, context, cloud)
  local client, why = clients.find(args.client, cloud.options.base_url, cloud.options.client_id)
  if client then return client.clientid end
  if args.client == nil then context:usage(why) end
  return args.client
end

local function open_list(args, context, cloud, client)
  if args.resume == nil then return nil end
  local title = ("fogcloud permission %s %s %s"):format(args.action, client, cloud.options.base_url)
  local list, why = DoneList.open(args.resume, title)
  if list == nil then context:usage("--resume: " .. why) end
  return list
end

-- What is said of each device, when there is no file that says it.
local function tell(context, action, id, err)
  if context.args.json then
    local object = err and context.out.error_object(err) or nil
    return context.out:record { device_id = id, action = action, ok = err == nil, error = object }
  end
end

local function summary(context, args, counts, seconds)
  if args.json then
    context.out:record {
      action = args.action, done = counts.done, failed = counts.failed, left = counts.left, earlier = counts.earlier,
      seconds = seconds,
    }
    return
  end
  local parts = { ("%d %s"):format(counts.done, args.action == "grant" and "granted" or "revoked") }
  if counts.earlier > 0 then parts[#parts + 1] = ("%d earlier"):format(counts.earlier) end
  if counts.failed > 0 then parts[#parts + 1] = ("%d failed"):format(counts.failed) end
  if counts.left > 0 then parts[#parts + 1] = ("%d left"):format(counts.left) end
  context.out:note(("%s, %.1f s"):format(table.concat(parts, ", "), seconds))
  if (counts.failed > 0 or counts.left > 0) and args.resume then
    context.out:note("Say the same again to go on with the rest.")
  end
end

local function outcome(counts, err)
  if err == nil then return exit.ok end
  if counts.done + counts.earlier > 0 then return exit.partial end
  return exit.of(err)
end

-- Notes at a client kept here what it may do now, and takes what it may no longer do from those beside it.
local function note(args, context, cloud, client, ids)
  if #ids == 0 then return nil end
  local ok, why = clients.note(client, args.action, ids)
  if not ok then context.out:fail(why) end
  if args.action == "grant" then return nil end
  local gone, err = {}, nil
  for _, id in ipairs(ids) do gone[id] = true end
  for _, other in ipairs(clients.list(cloud.options.base_url) or {}) do
    local shared = {}
    for _, id in ipairs(other.beside == client and other.devices or {}) do
      if gone[id] then shared[#shared + 1] = id end
    end
    if #shared > 0 then
      local done, failed = cloud:revoke_all(other.clientid, shared)
      if done then clients.note(other.clientid, "revoke", shared) else err = err or failed end
    end
  end
  return err
end

function command.run(args, context)
  local cloud = context:cloud()
  local ids, client = wanted(args, context), client_id(args, context, cloud)
  local list = open_list(args, context, cloud, client)
  local rest, total = remaining(ids, list and list.done or {})
  local counts = { done = 0, failed = 0, earlier = total - #rest, left = #rest }
  local progress = Progress.new(context, total, counts.earlier)
  local began, done, failures = core.now(), {}, Failures.new(context)
  for id in pairs(list and list.done or {}) do done[#done + 1] = id end

  local function each(id, err)
    if not err then done[#done + 1] = id end
    counts.left = counts.left - 1
    counts[err and "failed" or "done"] = counts[err and "failed" or "done"] + 1
    if list and not err then list:note(id) end
    if err then
      progress:clear()
      failures:add(id, err)
    end
    tell(context, args.action, id, err)
    if #rest > 1 then progress:show(counts.earlier + counts.done + counts.failed, counts.failed) end
  end
  local options = { each = each, concurrency = args.concurrency }
  local _, err = context:try(cloud[args.action .. "_all"], cloud, client, rest, options)
  progress:finish()
  local unnoted = note(args, context, cloud, client, done)
  if list then list:close() end
  failures:summary()
  if args.failed then
    local ok, why = failures:write(args.failed)
    if not ok then context.out:fail(("--failed: %s: %s"):format(args.failed, why)) end
  end
  summary(context, args, counts, core.now() - began)
  return outcome(counts, err or unnoted)
end

return command
