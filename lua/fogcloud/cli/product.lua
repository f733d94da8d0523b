-- SPDX-License-Identifier: MIT

--- `fogcloud product list`.
local exit = require "fogcloud.cli.exit"

local command = { summary = "The products of the account." }

local COLUMNS = { { title = "PRODUCT", field = "productid" }, { title = "NAME", field = "pname" } }

function command.options(parser)
  parser:command_target("action"):require_command(true)
  parser:command("list", "their ids and names")
end

function command.run(_, context)
  local products, err = context:cloud():products()
  if products == nil then return context:failed(err) end
  context.out:table(COLUMNS, products)
  return exit.ok
end

return command
