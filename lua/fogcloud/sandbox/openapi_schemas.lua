-- SPDX-License-Identifier: MIT

--- The schemas of openapi.lua: what goes into the sandbox and what comes out.
local json = require "fogcloud.sandbox.json"

local schemas = {}

--- A list that stays one while it is empty.
schemas.empty_list = json.list {}

function schemas.string_of(more)
  local schema = { type = "string" }
  for name, value in pairs(more or {}) do schema[name] = value end
  return schema
end

--- An object of these properties and no others; the names of those that must be there.
function schemas.object(properties, ...)
  local schema = { type = "object", additionalProperties = false }
  if next(properties) then schema.properties = properties end
  if select("#", ...) > 0 then schema.required = { ... } end
  return schema
end

function schemas.list(items) return { type = "array", items = items } end

function schemas.ref(name) return { ["$ref"] = "#/components/schemas/" .. name } end

local object, list, string_of = schemas.object, schemas.list, schemas.string_of

local integer, number, boolean = { type = "integer" }, { type = "number" }, { type = "boolean" }

schemas.integer = integer

local function whole(least, most) return { type = "integer", minimum = least, maximum = most } end

local function up_to(most) return { type = "number", minimum = 0, maximum = most } end

local port, text, id = whole(1, 65535), string_of(), string_of { minLength = 1 }
local DAY = 86400

--- What GET journal and GET count filter by.
schemas.JOURNAL_FILTER = {
  time = number, endpoint = text, method = text, path = text, code = integer, status = integer, request_id = text,
  content_type = text, connection = integer,
}

local device_id = string_of { minLength = 1, maxLength = 128, pattern = "^[^/+#]+$" }
local device = object({ id = device_id, password = text, productid = text }, "id", "password")
local product = object({ productid = id, pname = text }, "productid", "pname")

local FAULT = {
  endpoint = string_of { enum = { "token", "create_client", "grant", "revoke", "products", "*" } },
  count = whole(0, 1e9), probability = up_to(1), code = whole(1, 1e9), status = whole(200, 999), delay = up_to(DAY),
  delay_max = up_to(DAY), cut = string_of { enum = { "before", "during", "after" } }, lost = boolean, body = text,
  truncate = whole(0, 1e9), content_type = string_of { minLength = 1, maxLength = 900, pattern = "\\S" },
  size = whole(0, 2 ^ 30), trickle_ms = whole(0, DAY * 1000),
  retry_after = string_of { minLength = 1, maxLength = 900, pattern = "\\S" },
}

local RULES = {
  refuse = boolean, half_open = boolean, mid_packet = boolean, connack = whole(0, 255), cut_after = whole(0, 1e9),
  cut_bytes = whole(0, 1e9), delay_ms = whole(0, 3600000), rate = whole(0, 1e9),
  puback = string_of { enum = { "pass", "swallow", "duplicate" } }, puback_delay_ms = whole(0, 3600000),
  count = whole(0, 1e9), probability = up_to(1),
}

local function with(fields, more)
  local all = {}
  for name, schema in pairs(fields) do all[name] = schema end
  for name, schema in pairs(more) do all[name] = schema end
  return all
end

-- What stands on the timeline, by kind: a call has endpoint to ms, what the broker saw client to cut, and what was done
-- to the sandbox call and params.
local TIMELINE = {
  id = integer, time = number,
  kind = string_of { enum = {
    "call", "control", "login", "login_refused", "bye", "message", "message_refused", "subscribe", "subscribe_refused",
    "withheld", "skipped",
  } },
  endpoint = text, method = text, path = text, params = { type = { "object", "array" } }, code = integer,
  message = text, status = integer, request_id = text, content_type = text, token = integer, fault = integer,
  wire = text, ms = number, reply = object { token = integer, client = text, login = text, count = integer },
  client = text, login = text, topic = text, payload = text, payload_hex = text, size = integer, qos = integer,
  retain = boolean, cut = boolean, count = integer, call = text, why = text,
}

local function rows(...)
  local fields = {}
  for _, name in ipairs { ... } do fields[name] = text end
  return list(object(fields))
end

--- By name.
schemas.ALL = {
  Refusal = object({ error = text }, "error"),
  Failure = object({
    meta = object({ code = integer, message = text }, "code", "message"), data = { type = { "object", "array" } },
  }, "meta", "data"),
  TokenRequest = object({
    grant_type = string_of { enum = { "client_credentials" } }, client_id = id, client_secret = id,
  }, "grant_type", "client_id", "client_secret"),
  Token = object({
    access_token = text, token_type = string_of { enum = { "Bearer" } }, expires_in = integer, scope = text,
  }, "access_token", "token_type", "expires_in", "scope"),
  Client = object({
    clientid = text, loginname = text, password = text, mqtthost = text, mqttport = port, sslport = port,
    endpoint = text,
  }, "clientid", "loginname", "password", "mqtthost", "mqttport", "sslport", "endpoint"),
  Product = product,
  Device = device,
  Seed = object({
    accounts = { type = "array", minItems = 1, items = object({
      client_id = text, client_secret = text, apps = list(id), products = list(product), devices = list(device),
    }, "client_id", "client_secret") },
  }, "accounts"),
  Health = object({ http = boolean, store = boolean, broker = boolean }, "http", "store", "broker"),
  Info = object({
    url = text, client_id = text, client_secret = text, app_id = text, devices = list(device), mqtt_host = text,
    mqtt_port = port, tls_port = port, ca = text, ca_file = text, client_cert_file = text, client_key_file = text,
    pid = integer,
  }, "url", "client_id", "client_secret", "devices", "mqtt_host", "mqtt_port", "tls_port", "ca", "ca_file", "pid"),
  State = object({
    accounts = rows("client_id", "secret"), apps = rows("app_id", "account"),
    products = rows("productid", "pname", "account"), devices = rows("id", "password", "productid", "account"),
    clients = rows("clientid", "loginname", "password", "app_id", "account"), grants = rows("clientid", "device_id"),
    tokens = list(object({ token = text, account = text, expires = number }, "token", "account", "expires")),
  }, "accounts", "apps", "products", "devices", "clients", "grants", "tokens"),
  Entry = object(with(schemas.JOURNAL_FILTER, { params = { type = { "object", "array" } } }), "time", "method", "path",
    "params", "status", "connection"),
  Fault = object(FAULT),
  Faults = object({
    faults = list(object(with(FAULT, { id = integer, struck = integer, left = integer }), "id", "struck", "endpoint")),
    mqtt = object(RULES), mqtt_struck = integer,
  }, "faults"),
  Rules = object(with(RULES, { kick = text })),
  Bent = object { ok = boolean, kicked = integer },
  Pair = object({ client_id = text, device_id = text }, "client_id", "device_id"),
  Link = object({ client = text, login = text, since = number }, "client", "login", "since"),
  Timeline = object({ last = integer, entries = list(object(TIMELINE, "id", "time", "kind")) }, "last", "entries"),
  Clock = object({ now = number, frozen = boolean, life = integer }, "now", "frozen", "life"),
}

return schemas
