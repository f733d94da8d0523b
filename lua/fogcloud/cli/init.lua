-- SPDX-License-Identifier: MIT

--- The command line: `fogcloud COMMAND`. A command is a file beside this one that returns
---   summary             one line
---   options(parser)     adds its options and arguments, or commands of its own
---   run(args, context)  in a task: what waits yields, and is cancelled by SIGINT; gives the exit code
--- and `serve(args)`, when it has a loop of its own: the exit code, or nil where `run` is meant.
local argparse = require "argparse"
local Context = require "fogcloud.cli.context"
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local layout = require "fogcloud.cli.layout"
local number = require "fogcloud.cli.number"
local Output = require "fogcloud.cli.output"
local errors = require "fogcloud.errors"
local protect = require "fogcloud.task.protect"
local typed = require "fogcloud.cli.typed"
local version = require "fogcloud.cli.version"

local cli = {}

--- In the order of the help.
cli.COMMANDS = {
  "login", "profile", "token", "client", "permission", "product", "sub", "pub", "watch", "bench", "simulate", "journal",
  "sandbox", "doctor", "test", "completion", "help", "version",
}

-- What fingers type for some of them.
local ALIASES = { sub = "sub subscribe", pub = "pub publish" }

local LONGEST_TIMEOUT = 3600
local GOODBYE = 2 -- seconds for it
local TURN = 0.1 -- seconds after which an interrupt is seen at the latest

local function add_shared(parser)
  parser:option("--profile", "the profile to use, default the current one"):argname("NAME")
  parser:option("--base-url", "where the API is"):argname("URL")
  parser:option("--ca-file", "PEM file of the authorities to trust instead of the system's"):argname("FILE")
    :hidden_name("--cafile")
  parser:option("--timeout", "seconds for a call with all its attempts, default 30"):argname("SECONDS")
    :convert(number.seconds("--timeout", LONGEST_TIMEOUT))
  parser:flag("--allow-insecure-http", "let http:// go to other hosts than this one")
  parser:flag("--json", "for programs: one JSON object a line")
  parser:flag("--quiet", "only what was asked for: no headings, notes or progress")
  parser:option("--color", "auto, always or never", "auto"):choices { "auto", "always", "never" }:argname("WHEN")
end

-- Says something and ends the program; argparse's own ends it well even when nothing could be said.
local function say(text)
  Output:write(text, "\n")
  Output:flush()
  os.exit(exit.ok)
end

-- Help of our own saying, for the parser and the commands below it.
local function say_help(element)
  element._options[element._help_option_idx]:action(function() say(element:get_help()) end)
  for _, command in ipairs(element._commands) do say_help(command) end
end

-- A command, or one that says why there is none: other commands go on without what it needs.
local function load_command(name)
  local found, command = pcall(require, "fogcloud.cli." .. name)
  if found then return command end
  local why = errors.text(command):match("^[^\n]*"):gsub(":$", "")
  local needs = name == "sandbox" and "the rock fogcloud-sandbox" or "more than is installed"
  return { summary = "Not installed.", options = function() end, absent = ("%s needs %s: %s"):format(name, needs, why) }
end

-- Commands that have -h for the host, as mosquitto_pub and mosquitto_sub do.
local HOST_IS_H = { pub = true, sub = true, test = true }

local function add_command(parser, name, command)
  local element = parser:command(ALIASES[name] or name, command.summary):summary(command.summary:match("^[^.;]+"))
  if HOST_IS_H[name] then element:add_help("--help") end
  command.options(element)
end

--- The parser of everything, and the commands by name.
function cli.parser()
  local parser = argparse("fogcloud", "FogCloud from the command line.")
  parser:command_target("command"):require_command(true)
  parser:flag("-V --version", "versions of all that is used"):action(function() say(version.line()) end)
  add_shared(parser)
  local commands = {}
  for _, name in ipairs(cli.COMMANDS) do
    commands[name] = load_command(name)
    add_command(parser, name, commands[name])
  end
  say_help(parser)
  layout.set(parser)
  return parser, commands
end

-- What a command that ended by an error comes to.
local function fail(context, err)
  if type(err) == "table" and err.usage then
    context.out:fail(err.usage, "usage")
    return exit.usage
  end
  if type(err) == "table" and err.interrupted then
    context.out:fail("interrupted", "interrupted")
    return exit.failure
  end
  context.out:fail(err)
  return exit.failure
end

-- Runs the command as a task and serves it until it has ended. An interrupt cancels what it waits for.
local function serve(command, args, context)
  local code, cancelled
  local task = fogcloud.spawn(function()
    local ok, result = protect.call(command.run, args, context)
    code = ok and result or fail(context, result)
  end)
  while code == nil do
    fogcloud.step(TURN)
    if not cancelled and core.terminal.interrupted() then
      cancelled = true
      task:cancel()
    end
  end
  -- A task that was cancelled could not wait for the goodbye of its session, and without one its will is sent.
  if context.session then context.session:finish(GOODBYE) end
  return code
end

local function has(arguments, wanted)
  for _, argument in ipairs(arguments) do
    if argument == wanted then return true end
  end
  return false
end

-- Arguments that cannot be parsed, or a command that cannot be used; it was named where there is one.
local function refuse(arguments, command, why)
  Output.new({ json = has(arguments, "--json"), color = "auto" }):fail(command and command.absent or why, "usage")
  return exit.usage
end

-- What argparse complains of, in one line, with what to use instead where that is known.
local function complaint(said, command, name)
  local hint = typed.hint(said)
  local whole = said:gsub("\n", "; ")
  if hint then return ("%s; %s"):format(whole, hint) end
  return ("%s; see fogcloud %s--help"):format(whole, command and name .. " " or "")
end

--- Runs what the arguments say.
---@param arguments string[]
---@return integer code
function cli.run(arguments)
  local parser, commands = cli.parser()
  local as_typed, refused = typed.arguments(arguments)
  if as_typed == nil then return refuse(arguments, nil, refused) end
  local ok, args = parser:pparse(as_typed)
  local name = ok and args.command or arguments[1]
  local command = commands[name or ""]
  if not ok then args = complaint(args, command, name) end
  if not ok or command.absent then return refuse(arguments, command, args) end
  local code = command.serve and command.serve(args)
  if code then return code end
  if args.debug then fogcloud.log("debug") end
  core.terminal.catch_interrupts()
  return serve(command, args, Context.new(args, parser))
end

return cli
