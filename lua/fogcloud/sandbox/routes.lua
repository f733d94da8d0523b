-- SPDX-License-Identifier: MIT

--- The five calls, as the API page has them; the HTTP statuses are the sandbox's choice. A route takes (cloud,
--- params, account) and returns a result.
local cjson = require("cjson").new() -- what a program sets in its own changes nothing here

local routes = {}

local STATUS = { [0] = 200, [10000] = 400, [10050] = 500, [10100] = 401, [10101] = 401 }

--- A result: the API's code and message, and data for success.
local function result(code, message, data) return { code = code, message = message, data = data } end

local function bad(message) return result(10000, message) end

local function need(params, name)
  local value = params[name]
  if value == nil or value == "" then return nil, bad(("parameter %s is required"):format(name)) end
  if type(value) ~= "string" then return nil, bad(("parameter %s must be a string"):format(name)) end
  return value
end

local TOKEN, PAIR = { "grant_type", "client_id", "client_secret" }, { "client_id", "device_id" }

local function token(cloud, params)
  for _, name in ipairs(TOKEN) do
    local value, refusal = need(params, name)
    if not value then return refusal end
  end
  if params.grant_type ~= "client_credentials" then return bad("grant_type must be client_credentials") end
  if not cloud.state:check_account(params.client_id, params.client_secret) then
    return bad("client_id or client_secret is wrong")
  end
  local life = cloud.token_life
  return result(0, "token info", {
    access_token = cloud.state:issue_token(params.client_id, cloud.clock:now() + life),
    token_type = "Bearer", expires_in = life, scope = "read write groups",
  })
end

local function create_client(cloud, params, account)
  local app_id, refusal = need(params, "app_id")
  if not app_id then return refusal end
  if not cloud.state:owns("apps", "app_id", app_id, account) then return bad("app_id is unknown") end
  local client = cloud.state:create_client(app_id, account)
  local ports = cloud.ports
  client.mqtthost, client.mqttport, client.sslport, client.endpoint = cloud.host, ports.plain, ports.tls, "sandbox"
  return result(0, "mqtt info", client)
end

local function permission(cloud, params, account)
  for _, name in ipairs(PAIR) do
    local value, refusal = need(params, name)
    if not value then return nil, refusal end
  end
  if not cloud.state:owns("clients", "clientid", params.client_id, account) then
    return nil, bad("client_id is unknown")
  end
  if not cloud.state:owns("devices", "id", params.device_id, account) then
    return nil, bad("device_id is unknown")
  end
  return { client_id = params.client_id, device_id = params.device_id }
end

local function grant(cloud, params, account)
  local pair, refusal = permission(cloud, params, account)
  if not pair then return refusal end
  cloud.state:grant(pair.client_id, pair.device_id)
  return result(0, "create permission ok", pair)
end

local function revoke(cloud, params, account)
  local pair, refusal = permission(cloud, params, account)
  if not pair then return refusal end
  cloud.state:revoke(pair.client_id, pair.device_id)
  return result(0, "delete permission ok", pair)
end

local function products(cloud, _, account)
  return result(0, "product id list", cloud.state:products(account))
end

local PERMISSION = "/v3/open_api/mqtt/permission/"

--- By path and method: the endpoint's name and its function.
local TABLE = {
  ["/v3/open_api/token/"] = { POST = { "token", token } },
  ["/v3/open_api/mqtt/client/"] = { POST = { "create_client", create_client } },
  [PERMISSION] = { POST = { "grant", grant }, DELETE = { "revoke", revoke } },
  ["/v3/open_api/product/ids/"] = { GET = { "products", products } },
}

--- The parameters of each endpoint, all of which must be there.
routes.PARAMETERS = { token = TOKEN, create_client = { "app_id" }, grant = PAIR, revoke = PAIR, products = {} }

--- What there is, for specs.
routes.TABLE = TABLE

--- The endpoint's name and function; nil and the HTTP status when there is none.
function routes.find(method, path)
  local methods = TABLE[path]
  if methods == nil then return nil, 404 end
  local route = methods[method]
  if route == nil then return nil, 405 end
  return route[1], route[2]
end

--- The token that a request bears, if any.
function routes.bearer(request) return (request.headers.authorization or ""):match("^[Bb]earer (.+)$") end

-- The account of the bearer token, or the refusal.
local function authorize(cloud, request)
  local bearer = routes.bearer(request)
  local row = bearer and cloud.state:token(bearer)
  if row == nil then return nil, result(10101, "token is error") end
  if row.expires <= cloud.clock:now() then return nil, result(10100, "token is expired") end
  return row.account
end

--- Answers one of the five calls.
---@param name string  the endpoint's
function routes.answer(cloud, name, fn, request, params)
  if name == "token" then return fn(cloud, params) end
  local account, refusal = authorize(cloud, request)
  if account == nil then return refusal end
  return fn(cloud, params, account)
end

--- A result as HTTP status and body.
---@param always_200 boolean
function routes.render(outcome, always_200)
  local data = outcome.code == 0 and outcome.data or {}
  local body
  if outcome.code == 0 and #data == 0 and next(data) == nil then
    body = ('{"meta":{"message":%s,"code":0},"data":[]}'):format(cjson.encode(outcome.message))
  else
    body = cjson.encode { meta = { message = outcome.message, code = outcome.code }, data = data }
  end
  return always_200 and 200 or STATUS[outcome.code] or 500, body
end

return routes
