-- SPDX-License-Identifier: MIT

--- What `fogcloud sandbox` says to a running one: the control API, from a shell. Which one: --base-url,
--- FOGCLOUD_BASE_URL or the profile, as for every command.
local errors = require "fogcloud.errors"
local Faults = require "fogcloud.sandbox.faults"
local Relay = require "fogcloud.sandbox.relay"
local Sandbox = require "fogcloud.sandbox"
local core = require "fogcloud.sandbox.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local protect = require "fogcloud.task.protect"
local record = require "fogcloud.cli.sandbox_record"
local seeds = require "fogcloud.sandbox.seed"

local verbs = {}

local WAIT, LOOK = 30, 0.05 -- seconds

local function first_line(err) return (errors.text(err):match("^[^\n]*"):gsub("^[^ ]-:%d+: ", "")) end

-- A call of the handle's, which raises where the sandbox refuses or does not answer.
local function try(fn, ...)
  local ok, result = pcall(fn, ...)
  if not ok then error({ refused = first_line(result) }, 0) end
  return result
end

--- The sandbox that is meant.
local function attach(context)
  local settings = context:settings()
  return try(Sandbox.attach, settings.base_url, settings.ca_file)
end

-- "NAME=VALUE" words as a table.
local function fields_of(words, context, typed)
  local fields = {}
  for _, word in ipairs(words) do
    local name, value = word:match("^([%w_]+)=(.*)$")
    if name == nil then context:usage(("NAME=VALUE expected, got '%s'"):format(word)) end
    if typed then value = typed(name, value) end
    fields[name] = value
  end
  return fields
end

local BOOLEAN = { ["true"] = true, ["false"] = false }

local function of_kind(kind, value)
  if kind == "number" then return tonumber(value) or value end
  if kind == "boolean" and BOOLEAN[value] ~= nil then return BOOLEAN[value] end
  return value
end

local function fault_value(name, value) return of_kind(Faults.KINDS[name], value) end

local function rule_value(name, value) return of_kind(Relay.KINDS[name], value) end

local SHOWN = {
  "url", "client_id", "client_secret", "app_id", "mqtt_host", "mqtt_port", "tls_port", "ca_file", "pid",
}

local function info(_, context)
  local sandbox = attach(context)
  local said = sandbox:info()
  if context.args.json then
    context.out:record(said)
    return exit.ok
  end
  for _, name in ipairs(SHOWN) do
    local value = said[name]
    context.out:line(("%-14s %s"):format(name, type(value) == "number" and ("%.0f"):format(value) or value or ""))
  end
  context.out:line(("%-14s %d"):format("devices", #said.devices))
  return exit.ok
end

local function is_ready(url, ca_file)
  local ok, sandbox = pcall(Sandbox.attach, url, ca_file)
  if not ok then return false, first_line(sandbox) end
  local said, all
  ok, said, all = pcall(sandbox.health, sandbox)
  return ok and all, ok and "its broker or store does not serve" or first_line(said)
end

local function wait(args, context)
  local settings = context:settings()
  local url, deadline = args.url or settings.base_url, core.now() + (args.timeout or WAIT)
  while true do
    local ready, why = is_ready(url, settings.ca_file)
    if ready then return exit.ok end
    if core.now() >= deadline then
      context.out:fail(("%s: %s"):format(url, why))
      return exit.network
    end
    if not fogcloud.sleep(LOOK) then context:go_on() end
  end
end

local function more_seed(args, context, account)
  if args.file then
    local seed, why = seeds.read(args.file)
    if seed == nil then context:usage(why) end
    return seed
  end
  local empty = { accounts = { { client_id = account.client_id, client_secret = account.client_secret } } }
  local seed, why = seeds.extend(empty, args.apps, args.product, args.device, args.devices)
  if seed == nil then context:usage(why) end
  return seed
end

local function seed(args, context)
  local sandbox = attach(context)
  try(sandbox.add, sandbox, more_seed(args, context, sandbox.account))
  return exit.ok
end

local function show_faults(sandbox, context)
  local faults = try(sandbox.faults, sandbox)
  for _, fault in ipairs(faults) do
    local words = {}
    for name, value in pairs(fault) do
      if name ~= "id" and name ~= "struck" and name ~= "left" and name ~= "count" then
        words[#words + 1] = ("%s=%s"):format(name, errors.text(value):gsub("%.0$", ""))
      end
    end
    table.sort(words)
    local left = fault.left and ("%.0f left"):format(fault.left) or "without end"
    local text = ("%.0f  struck %.0f, %s  %s"):format(fault.id, fault.struck, left, table.concat(words, " "))
    context.out:record(fault, text)
  end
  return exit.ok
end

local function fault(args, context)
  local sandbox = attach(context)
  if args.clear then
    try(sandbox.heal, sandbox)
    try(sandbox.heal_mqtt, sandbox)
  end
  if #args.field == 0 then return args.clear and exit.ok or show_faults(sandbox, context) end
  if args.mqtt then
    try(sandbox.fail_mqtt, sandbox, fields_of(args.field, context, rule_value))
  else
    try(sandbox.fail, sandbox, fields_of(args.field, context, fault_value))
  end
  return exit.ok
end

local function clock(args, context)
  local sandbox = attach(context)
  if args.advance then try(sandbox.advance, sandbox, args.advance) end
  if args.freeze then try(sandbox.freeze, sandbox) end
  if args.thaw then try(sandbox.freeze, sandbox, false) end
  local said = try(sandbox.clock, sandbox)
  local text = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(said.now)) .. (said.frozen and "  frozen" or "")
  context.out:record({ now = said.now, frozen = said.frozen }, text)
  return exit.ok
end

local function journal(args, context)
  local sandbox = attach(context)
  local filter = fields_of(args.field, context)
  if args.count then
    local count = try(sandbox.count, sandbox, filter)
    context.out:record({ count = count }, ("%.0f"):format(count))
  else
    for _, entry in ipairs(try(sandbox.journal, sandbox, filter)) do
      local time = os.date("!%H:%M:%S", math.floor(entry.time))
      local code = entry.code and (" code %.0f"):format(entry.code) or ""
      context.out:record(entry, ("%s  %.0f%s  %s %s"):format(time, entry.status, code, entry.method, entry.path))
    end
  end
  if args.clear then try(sandbox.clear_journal, sandbox) end
  return exit.ok
end

local function kick(args, context)
  local sandbox = attach(context)
  local kicked = try(sandbox.kick, sandbox, args.clientid)
  context.out:record({ kicked = kicked }, ("%.0f"):format(kicked))
  return exit.ok
end

local function reset(_, context)
  local sandbox = attach(context)
  try(sandbox.reset, sandbox)
  return exit.ok
end

local ACTIONS = {
  info = info, wait = wait, seed = seed, fault = fault, clock = clock, journal = journal, kick = kick, reset = reset,
}

local function fields_argument(parser, help) parser:argument("field", help):args("*"):argname("NAME=VALUE") end

--- Adds the verbs to the parser of `fogcloud sandbox`.
function verbs.declare(parser)
  parser:command("info", "what a program needs to use the running one")
  parser:command("wait", "until one serves there, for at most --timeout seconds"):argument("url", "where"):args("?")
  parser:command("seed", "add a seed file to it, or what --app, --product, --device and --devices say")
    :argument("file", "JSON or Lua"):args("?")
  local fault_parser = parser:command("fault", "arm a fault, as in endpoint=token code=10050; without one, show them")
  fields_argument(fault_parser, "of docs/sandbox.md")
  fault_parser:flag("--mqtt", "rules for MQTT, of one that was started with --mqtt-faults")
  fault_parser:flag("--clear", "take all back first")
  local clock_parser = parser:command("clock", "its time; move or stop it")
  clock_parser:option("--advance", "by so many seconds"):argname("SECONDS"):convert(tonumber)
  clock_parser:flag("--freeze")
  clock_parser:flag("--thaw")
  local journal_parser = parser:command("journal", "the requests that came, as in endpoint=token code=0")
  fields_argument(journal_parser, "of docs/sandbox.md: those where they are equal")
  journal_parser:flag("--count", "only how many")
  journal_parser:flag("--clear", "forget all of them afterwards")
  parser:command("kick", "close a client's connections"):argument("clientid", "default: everybody's"):args("?")
  parser:command("reset", "back to the seed")
end

--- Runs a verb; in a task.
function verbs.run(args, context)
  local ok, code = protect.call(ACTIONS[args.action] or record.ACTIONS[args.action], args, context, attach)
  if ok then return code end
  if type(code) == "table" and code.refused then return context:failed(code.refused) end
  error(code, 0)
end

return verbs
