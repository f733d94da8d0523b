-- SPDX-License-Identifier: MIT

--- `fogcloud client create|list|forget`.
local clients = require "fogcloud.cli.clients"
local exit = require "fogcloud.cli.exit"

local command = { summary = "MQTT clients: make one, list and forget those made here." }

function command.options(parser)
  parser:command_target("action"):require_command(true)
  local create = parser:command("create", "make a client and keep its credentials, 0600")
  create:option("--app", "the application, default the profile's"):argname("ID")
  create:option("--name", "what to call it here, default its client id"):argname("NAME")
  create:flag("--show-password", "print the password too")
  parser:command("list", "those made here; the API has no list of its own")
    :flag("--all", "of other clouds and accounts too")
  parser:command("forget", "drop the credentials kept here; the cloud keeps the client")
    :argument("name", "its name or client id")
end

local COLUMNS = {
  { title = "NAME", field = "name" }, { title = "CLIENT", field = "clientid" },
  { title = "LOGIN", field = "loginname" }, { title = "BROKER", field = "broker" }, { title = "APP", field = "app_id" },
  { title = "CREATED", field = "created" },
}

-- What may be shown of one.
local function shown(client)
  return {
    name = client.name, clientid = client.clientid, loginname = client.loginname, app_id = client.app_id,
    broker = ("%s:%d"):format(client.mqtthost, client.sslport or client.mqttport), created = client.created,
  }
end

local function create(args, context)
  local cloud = context:cloud()
  local app_id = cloud.options.app_id
  if app_id == nil then context:usage("--app is missing; FOGCLOUD_APP_ID or the profile may say it too") end
  if args.name and clients.find(args.name) then
    context:usage(("a client '%s' is kept here already: forget it first, or give another --name"):format(args.name))
  end
  local client, err = cloud:create_client(app_id)
  if client == nil then return context:failed(err) end
  local name = args.name or client.clientid
  client.app_id, client.base_url, client.ca_file = app_id, cloud.options.base_url, cloud.options.ca_file
  client.created = os.date("!%Y-%m-%dT%H:%M:%SZ")
  local ok, why = clients.save(name, client)
  client.name = name
  local record = shown(client)
  if args.show_password or not ok then record.password = client.password end -- else it would be lost
  if context.args.json then
    context.out:record(record)
  else
    for _, field in ipairs { "name", "clientid", "loginname", "password", "broker", "app_id" } do
      if record[field] then context.out:line(("%-10s %s"):format(field, record[field])) end
    end
  end
  if not ok then return context:failed(why) end
  context.out:note(("Its credentials are kept in %s."):format(clients.path()))
  return exit.ok
end

local function list(args, context)
  local found, why = clients.list(not args.all and context:cloud().options.base_url or nil)
  if found == nil then return context:failed(why) end
  local records = {}
  for i, client in ipairs(found) do records[i] = shown(client) end
  if #records == 0 then
    context.out:note("No client is kept here: `fogcloud client create` makes one.")
    return exit.ok
  end
  context.out:table(COLUMNS, records)
  return exit.ok
end

local function forget(args, context)
  local client, why = clients.find(args.name)
  if client == nil then context:usage(why) end
  local ok
  ok, why = clients.forget(client.name)
  if not ok then return context:failed(why) end
  context.out:note(("'%s' is forgotten here; the cloud still knows it."):format(client.name))
  return exit.ok
end

local ACTIONS = { create = create, list = list, forget = forget }

function command.run(args, context) return ACTIONS[args.action](args, context) end

return command
