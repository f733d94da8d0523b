-- SPDX-License-Identifier: MIT

--- `fogcloud help [COMMAND [ACTION]]`: what `--help` says.
local exit = require "fogcloud.cli.exit"

local command = { summary = "Show the help of a command." }

function command.options(parser) parser:argument("name", "the command, and its action"):args("*"):argname("COMMAND") end

local function below(parser, name)
  for _, one in ipairs(parser._commands) do
    for _, alias in ipairs(one._aliases) do
      if alias == name then return one end
    end
  end
end

function command.run(args, context)
  local parser = context.parser
  for _, name in ipairs(args.name) do
    parser = below(parser, name) or context:usage(("there is no command '%s'; see fogcloud --help"):format(name))
  end
  context.out:write(parser:get_help(), "\n")
  context.out:flush()
  return exit.ok
end

return command
