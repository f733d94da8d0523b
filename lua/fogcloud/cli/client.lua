-- SPDX-License-Identifier: MIT

--- `fogcloud client create|list|use|forget`.
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
  parser:command("use", "make one the client that commands use when none is named")
    :argument("name", "its name or client id")
  parser:command("forget", "drop the credentials kept here; the cloud keeps the client")
    :argument("name", "its name or client id")
end

local COLUMNS = {
  { title = "", field = "mark" }, { title = "NAME", field = "name" }, { title = "CLIENT", field = "clientid" },
  { title = "LOGIN", field = "loginname" }, { title = "BROKER", field = "broker" }, { title = "APP", field = "app_id" },
  { title = "CREATED", field = "created" },
}

-- What may be shown of one.
local function shown(client)
  return {
    name = client.name, clientid = client.clientid, loginname = client.loginname, app_id = client.app_id,
    broker = ("%s:%d"):format(client.mqtthost, client.sslport or client.mqttport), created = client.created,
    current = client.current, beside = client.beside,
  }
end

-- The spare client of `login` under its name, or a new one. nil, nil, err when the cloud makes none; a client without a
-- name, and why, when it cannot be kept.
local function make(args, app_id, cloud)
  local spare = clients.take_spare(args.name, app_id, cloud.options.base_url, cloud.options.client_id)
  if spare then return spare, spare.name end
  local client, err = cloud:create_client(app_id)
  if client == nil then return nil, nil, err end
  return client, clients.keep(client, args.name, app_id, cloud)
end

local function create(args, context)
  local cloud = context:cloud()
  local app_id = cloud.options.app_id
  if app_id == nil then context:usage("--app is missing; FOGCLOUD_APP_ID or the profile may say it too") end
  local kept, unreadable = clients.list()
  if kept == nil then return context:failed(unreadable) end -- before a client is made that could not be kept
  for _, one in ipairs(kept) do
    if args.name == one.name or args.name == one.clientid then
      context:usage(("a client '%s' is kept here already: forget it first, or give another --name"):format(args.name))
    end
  end
  local client, name, why = make(args, app_id, cloud)
  if client == nil then return context:failed(why) end
  local record = shown(client)
  if args.show_password or not name then record.password = client.password end -- else it would be lost
  if context.args.json then
    context.out:record(record)
  else
    for _, field in ipairs { "name", "clientid", "loginname", "password", "broker", "app_id" } do
      if record[field] then context.out:line(("%-10s %s"):format(field, record[field])) end
    end
  end
  if not name then return context:failed(why) end
  context.out:note(("Its credentials are kept in %s."):format(clients.path()))
  return exit.ok
end

local function list(args, context)
  local settings = args.all and {} or context:settings()
  local found, why = clients.list(settings.base_url, settings.client_id)
  if found == nil then return context:failed(why) end
  local records = {}
  for i, client in ipairs(found) do
    records[i] = shown(client)
    if not context.args.json then records[i].mark = client.current and "*" or " " end
  end
  if #records == 0 then
    context.out:note("No client is kept here: `fogcloud client create` makes one.")
    return exit.ok
  end
  context.out:table(COLUMNS, records)
  return exit.ok
end

local function use(args, context)
  local settings = context:settings()
  local client, why = clients.find(args.name, settings.base_url, settings.client_id)
  if client == nil then context:usage(why) end
  local ok
  ok, why = clients.use(client)
  if not ok then return context:failed(why) end
  context.out:note(("Client '%s' is used from now on."):format(client.name))
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

local ACTIONS = { create = create, list = list, use = use, forget = forget }

function command.run(args, context) return ACTIONS[args.action](args, context) end

return command
