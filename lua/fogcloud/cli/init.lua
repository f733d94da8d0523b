-- SPDX-License-Identifier: MIT

--- The command line: `fogcloud COMMAND`. A command is a file beside this one that returns
---   summary             one line
---   options(parser)     adds its options and arguments, or commands of its own
---   run(args, context)  in a task: what waits yields, and is cancelled by SIGINT; gives the exit code
--- or `serve(args)` instead of `run`, when it has a loop of its own.
local argparse = require "argparse"
local Context = require "fogcloud.cli.context"
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local protect = require "fogcloud.protect"

local cli = {}

--- In the order of the help.
cli.COMMANDS = {
  "login", "profile", "token", "client", "permission", "product", "sub", "pub", "watch", "bench", "simulate", "sandbox",
  "doctor", "completion",
}

local TURN = 0.1 -- seconds after which an interrupt is seen at the latest

local function version()
  local info = fogcloud.info()
  return ("fogcloud %s (%s, libcurl %s, Paho %s, %s, lua-cjson %s)"):format(info.fogcloud, info.lua, info.curl,
    info.paho, info.tls, info.cjson)
end

local function add_shared(parser)
  parser:option("--profile", "the profile to use, default the current one"):argname("NAME")
  parser:option("--base-url", "where the API is"):argname("URL")
  parser:option("--ca-file", "PEM file of the authorities to trust instead of the system's"):argname("FILE")
  parser:option("--timeout", "seconds for a call with all its attempts, default 30"):argname("SECONDS")
    :convert(tonumber)
  parser:flag("--allow-insecure-http", "let http:// go to other hosts than this one")
  parser:flag("--json", "for programs: one JSON object a line")
  parser:flag("--quiet", "only what was asked for: no headings, notes or progress")
  parser:option("--color", "auto, always or never", "auto"):choices { "auto", "always", "never" }:argname("WHEN")
end

--- The parser of everything, and the commands by name. A command whose modules are not installed is left out.
function cli.parser()
  local parser = argparse("fogcloud", "FogCloud from the command line.")
  parser:command_target("command"):require_command(true):help_description_margin(29)
  parser:flag("--version", "versions of all that is used"):action(function()
    print(version())
    os.exit(exit.ok)
  end)
  add_shared(parser)
  local commands = {}
  for _, name in ipairs(cli.COMMANDS) do
    local found, command = pcall(require, "fogcloud.cli." .. name)
    if found then
      commands[name] = command
      command.options(parser:command(name, command.summary):summary(command.summary:match("^[^.;]+")))
    end
  end
  return parser, commands
end

-- Runs the command as a task and serves it until it has ended. An interrupt cancels what it waits for.
local function serve(command, args, context)
  local code, cancelled
  local task = fogcloud.spawn(function()
    local ok, result = protect.call(command.run, args, context)
    if ok then
      code = result
    elseif type(result) == "table" and result.usage then
      context.out:fail(result.usage)
      code = exit.usage
    else
      context.out:fail(result)
      code = exit.failure
    end
  end)
  while code == nil do
    fogcloud.step(TURN)
    if not cancelled and core.terminal.interrupted() then
      cancelled = true
      task:cancel()
    end
  end
  return code
end

--- Runs what the arguments say.
---@param arguments string[]
---@return integer code
function cli.run(arguments)
  local parser, commands = cli.parser()
  local ok, args = parser:pparse(arguments)
  if not ok then
    local name = commands[arguments[1] or ""] and arguments[1] .. " " or ""
    io.stderr:write("fogcloud: ", args, "; see fogcloud ", name, "--help\n")
    return exit.usage
  end
  local command = commands[args.command]
  if command.serve then return command.serve(args) end
  core.terminal.catch_interrupts()
  return serve(command, args, Context.new(args))
end

return cli
