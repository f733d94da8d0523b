-- SPDX-License-Identifier: MIT

--- `fogcloud completion bash|zsh|fish`.
local exit = require "fogcloud.cli.exit"

local command = { summary = "Print what lets a shell complete commands and options." }

local SHELLS = { "bash", "zsh", "fish" }

function command.options(parser)
  parser:command_target("shell"):require_command(true)
  for _, shell in ipairs(SHELLS) do parser:command(shell, "for " .. shell) end
  parser:epilog("For bash: fogcloud completion bash > ~/.local/share/bash-completion/completions/fogcloud")
end

function command.run(args, context)
  local parser = context.parser
  context.out:write(parser["get_" .. args.shell .. "_complete"](parser))
  context.out:flush()
  return exit.ok
end

return command
