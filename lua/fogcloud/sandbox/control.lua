-- SPDX-License-Identifier: MIT

--- The control API under /_sandbox/: JSON in, JSON out; see docs/sandbox.md. A route takes (cloud, params) and
--- returns a status and a table.
local errors = require "fogcloud.errors"
local Faults = require "fogcloud.sandbox.faults"
local acts = require "fogcloud.sandbox.acts"
local Journal = require "fogcloud.sandbox.journal"
local json = require "fogcloud.sandbox.json"
local seeds = require "fogcloud.sandbox.seed"

local control = {}

local function refuse(why) return 400, { error = why } end

-- The relay is not asked: it is a part of this process, and a connection would use up what its rules count.
local function health(cloud)
  local ok, empty = pcall(cloud.state.is_empty, cloud.state)
  local store, broker = ok and not empty, cloud.broker:serves()
  return store and broker and 200 or 503, { http = true, store = store, broker = broker }
end

--- What a program needs to use this sandbox. Its secrets are those of the sandbox alone.
function control.info(cloud)
  local account = cloud.seed.accounts[1]
  local ports = cloud.ports
  return {
    url = cloud.url, client_id = account.client_id, client_secret = account.client_secret,
    app_id = (account.apps or {})[1], devices = json.list(cloud:devices()), mqtt_host = cloud.host,
    mqtt_port = ports.plain,
    tls_port = ports.tls, ca_file = cloud.broker.options.folder .. "/ca.pem", ca = cloud.broker.ca,
    client_cert_file = cloud.broker.options.folder .. "/client.pem",
    client_key_file = cloud.broker.options.folder .. "/client.key", pid = cloud.pid,
  }
end

--- What whoever starts it is told: the same, and where its console is, with the key that lets it change something.
function control.announcement(cloud)
  local info = control.info(cloud)
  info.console = ("%s/#key=%s"):format(cloud.url, cloud.own.key)
  return info
end

-- Rules of the relay in front of the broker, or clients to be thrown out: by the relay, which may hold connections that
-- have not logged in, else by the broker.
local function bend_mqtt(cloud, params)
  if params.kick ~= nil then
    if type(params.kick) ~= "string" then return refuse("'kick' is a client id, or \"*\" for all") end
    if next(params, (next(params))) ~= nil then return refuse("'kick' goes alone") end
    local kicker = cloud.relay or cloud.watch
    return 200, { kicked = kicker:kick(params.kick ~= "*" and params.kick or nil) }
  end
  if cloud.relay == nil then return refuse("start the sandbox with mqtt_faults to make MQTT fail") end
  local ok, why = cloud.relay:bend(params)
  if not ok then return refuse(why) end
  return 200, { ok = true }
end

local function clear_mqtt(cloud)
  if cloud.relay then cloud.relay:bend {} end
  return 200, { ok = true }
end

local function list_faults(cloud)
  local mqtt = cloud.relay and cloud.relay.rules or nil
  local faults = json.list(cloud.faults:describe())
  return 200, { faults = faults, mqtt = mqtt, mqtt_struck = mqtt and cloud.relay:struck() }
end

-- Replies that a fault holds back go out: nothing is left of it.
local function clear_faults(cloud, params)
  local id = params.id and tonumber(params.id)
  if params.id and id == nil then return refuse("'id' must be a number") end
  if not cloud.faults:clear(id) then return refuse("there is no such fault") end
  cloud.server:hurry()
  return 200, { ok = true }
end

local function reset(cloud)
  cloud.state:reset(cloud.seed)
  cloud.added = {}
  clear_faults(cloud, {})
  clear_mqtt(cloud)
  cloud.clock:reset()
  cloud.journal:clear()
  cloud.always_200, cloud.token_life = false, cloud.default_token_life
  cloud:stop_players()
  local ok, why = cloud.broker:restart()
  cloud.watch:restarted()
  if not ok then return 503, { error = why } end
  return 200, { ok = true }
end

local function add_seed(cloud, params)
  local ok, why = seeds.check(params)
  if ok then ok, why = cloud.state:apply(params) end
  if not ok then return refuse(why) end
  cloud:note_added(params)
  return 200, { ok = true }
end

local function add_fault(cloud, params)
  local ok, why = Faults.check(params)
  if not ok then return refuse(why) end
  return 200, { ok = true, id = cloud.faults:add(params) }
end

local function journal(cloud, params)
  local entries = cloud.journal:select(params)
  return 200, { count = #entries, entries = json.list(entries) }
end

local function count(cloud, params) return 200, { count = cloud.journal:count(params) } end

local function clear_journal(cloud)
  cloud.journal:clear()
  return 200, { ok = true }
end

-- NaN and the infinities would stop a clock for good.
local function finite(value)
  return math.abs(value) <= 1e12 and value or nil
end

local function read_clock(cloud)
  return 200, { now = cloud.clock:now(), frozen = cloud.clock.frozen ~= nil, life = cloud.token_life }
end

local function move_clock(cloud, params)
  if params.advance ~= nil then
    local seconds = finite(params.advance)
    if seconds == nil then return refuse("'advance' must be a number of seconds") end
    cloud.clock:advance(seconds)
  end
  if params.freeze == true then cloud.clock:freeze() end
  if params.freeze == false then cloud.clock:thaw() end
  return read_clock(cloud)
end

local function set_tokens(cloud, params)
  if params.life ~= nil then
    local life = finite(params.life)
    if life == nil or life % 1 ~= 0 then return refuse("'life' must be a whole number of seconds") end
    cloud.token_life = life
  end
  if params.revoke ~= nil then cloud.state:revoke_token(params.revoke ~= "*" and params.revoke or nil) end
  return 200, { life = cloud.token_life }
end

local function set_switches(cloud, params)
  if params.always_200 ~= nil then cloud.always_200 = params.always_200 end
  return 200, { always_200 = cloud.always_200 }
end

local function broker(cloud, params)
  local action = params.action
  if action == "stop" then
    cloud.broker:stop()
    cloud.watch:restarted()
  elseif action == "kill" then
    cloud.broker:kill()
    cloud.watch:restarted()
  elseif action == "start" then
    local ok, why = cloud.broker:start()
    if not ok then return 503, { error = why } end
  else
    return refuse("'action' is stop, kill or start")
  end
  return 200, { running = cloud.broker:running() }
end

local ROUTES = {
  ["GET health"] = health,
  ["GET info"] = function(cloud) return 200, control.info(cloud) end,
  ["GET state"] = function(cloud) return 200, cloud.state:dump() end,
  ["POST reset"] = reset,
  ["POST seed"] = add_seed,
  ["POST faults"] = add_fault,
  ["GET faults"] = list_faults,
  ["DELETE faults"] = clear_faults,
  ["GET journal"] = journal,
  ["GET count"] = count,
  ["DELETE journal"] = clear_journal,
  ["POST mqtt"] = bend_mqtt,
  ["DELETE mqtt"] = clear_mqtt,
  ["GET clock"] = read_clock,
  ["POST clock"] = move_clock,
  ["POST tokens"] = set_tokens,
  ["POST switches"] = set_switches,
  ["POST broker"] = broker,
}

-- What they may be told, by type. The bodies of seed, faults and mqtt have checks of their own.
local FIELDS = {
  ["GET journal"] = Journal.FIELDS, ["GET count"] = Journal.FIELDS,
  ["GET faults"] = {}, ["DELETE faults"] = { id = true },
  ["POST reset"] = {},
  ["POST clock"] = { advance = "number", freeze = "boolean" },
  ["POST tokens"] = { life = "number", revoke = "string" },
  ["POST switches"] = { always_200 = "boolean" },
  ["POST broker"] = { action = "string" },
}

for call, route in pairs(acts.ROUTES) do ROUTES[call] = route end
for call, fields in pairs(acts.FIELDS) do FIELDS[call] = fields end

local function check(fields, params)
  for name, value in pairs(params) do
    local kind = fields[name]
    if kind == nil then return nil, ("unknown field '%s'"):format(errors.text(name)) end
    if kind ~= true and type(value) ~= kind then return nil, ("field '%s' must be a %s"):format(name, kind) end
  end
  return true
end

--- What there is: "METHOD name", and the fields of those that have no check of their own, with their types; for specs.
control.ROUTES, control.FIELDS = ROUTES, FIELDS

--- Answers a request under /_sandbox/.
---@return integer status
---@return table reply
function control.answer(cloud, request, params)
  local name = request.path:match("^/_sandbox/([%w_]+)/?$")
  local call = request.method .. " " .. (name or "")
  local route, fields = ROUTES[call], FIELDS[call]
  if route == nil then return 404, { error = "no such control call" } end
  if fields then
    local ok, why = check(fields, params)
    if not ok then return refuse(why) end
  end
  return route(cloud, params)
end

return control
