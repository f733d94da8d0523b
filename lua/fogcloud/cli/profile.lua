-- SPDX-License-Identifier: MIT

--- `fogcloud profile list|use|remove`.
local exit = require "fogcloud.cli.exit"
local profiles = require "fogcloud.cli.profiles"

local command = { summary = "The accounts that `login` has stored." }

function command.options(parser)
  parser:command_target("action"):require_command(true)
  parser:command("list", "names, where they are, and which is the current one")
  parser:command("use", "make one the current one"):argument("name", "of the profile")
  parser:command("remove", "forget one, with its secret"):argument("name", "of the profile")
end

local COLUMNS = {
  { title = "", field = "mark" }, { title = "PROFILE", field = "name" }, { title = "URL", field = "base_url" },
  { title = "ACCESS KEY", field = "client_id" }, { title = "APP", field = "app_id" },
}

local function list(context, all)
  local records, current = {}, profiles.current()
  for name, options in pairs(all) do
    records[#records + 1] = {
      name = name, base_url = options.base_url, client_id = options.client_id, app_id = options.app_id,
      current = name == current, mark = not context.args.json and (name == current and "*" or " ") or nil,
    }
  end
  table.sort(records, function(a, b) return a.name < b.name end)
  if #records == 0 then context.out:note("There is no profile yet: `fogcloud login` makes one.") end
  if #records > 0 or context.args.json then context.out:table(COLUMNS, records) end
  return exit.ok
end

function command.run(args, context)
  local all, why = profiles.all()
  if all == nil then return context:failed(why) end
  if args.action == "list" then return list(context, all) end
  if all[args.name] == nil then context:usage(("there is no profile '%s'"):format(args.name)) end
  local act = args.action == "use" and profiles.use or profiles.remove
  local ok
  ok, why = act(args.name)
  if not ok then return context:failed(why) end
  context.out:note(args.action == "use" and ("Profile '%s' is used from now on."):format(args.name)
    or ("Profile '%s' is gone."):format(args.name))
  return exit.ok
end

return command
