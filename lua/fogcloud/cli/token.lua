-- SPDX-License-Identifier: MIT

--- `fogcloud token`.
local exit = require "fogcloud.cli.exit"

local command = { summary = "Print an access token; a kept one while it lasts." }

function command.options() end

function command.run(_, context)
  local token, err = context:cloud():token()
  if token == nil then return context:failed(err) end
  context.out:record({ access_token = token }, token)
  return exit.ok
end

return command
