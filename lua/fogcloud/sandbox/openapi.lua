-- SPDX-License-Identifier: MIT

--- Both APIs of the sandbox as an OpenAPI 3.1 document: docs/openapi.json, and /openapi.json of a running one. What is
--- said here once more, the names and types of fields, spec/sandbox/openapi_spec.lua holds against the code.
local schemas = require "fogcloud.sandbox.openapi_schemas"

local openapi = {}

local object, list, ref, string_of = schemas.object, schemas.list, schemas.ref, schemas.string_of

local function reply(description, schema)
  return { description = description, content = { ["application/json"] = { schema = schema } } }
end

local function body(schema, ...)
  local content = {}
  for _, media in ipairs { ... } do content[media] = { schema = schema } end
  return { required = true, content = content }
end

local function parameter(name, schema, required)
  return { name = name, ["in"] = "query", required = required or false, schema = schema }
end

local FORM, JSON = "application/x-www-form-urlencoded", "application/json"

-- What every call of the cloud may be answered with. Under a fault it may be anything.
local function replies_of_api(data, message, more)
  local replies = {
    ["200"] = reply(message, object({
      meta = object({ code = { type = "integer", const = 0 }, message = string_of() }, "code", "message"), data = data,
    }, "meta", "data")),
    ["400"] = reply("code 10000: a parameter is missing or wrong", ref "Failure"),
    ["500"] = reply("code 10050: the system is busy, by a fault or an error of the sandbox", ref "Failure"),
    ["403"] = reply("a page of another origin, or the console's without its key", ref "Refusal"),
    ["421"] = reply("the Host is not this sandbox", ref "Refusal"),
  }
  for status, one in pairs(more or {}) do replies[status] = one end
  return replies
end

local UNAUTHORIZED = {
  ["401"] = reply("code 10100: the token is expired; code 10101: it is missing, unknown or revoked", ref "Failure"),
}
local BEARER = { { bearer = schemas.empty_list } }

local function api_paths()
  local pair = object({ client_id = string_of(), device_id = string_of() }, "client_id", "device_id")
  return {
    ["/v3/open_api/token/"] = { post = {
      operationId = "token", summary = "An access token for an account",
      requestBody = body(ref "TokenRequest", FORM, JSON), responses = replies_of_api(ref "Token", "an access token"),
    } },
    ["/v3/open_api/mqtt/client/"] = { post = {
      operationId = "create_client", summary = "A new MQTT client of an application; its password is said only here",
      security = BEARER, requestBody = body(object({ app_id = string_of() }, "app_id"), FORM, JSON),
      responses = replies_of_api(ref "Client", "the client's credentials", UNAUTHORIZED),
    } },
    ["/v3/open_api/mqtt/permission/"] = {
      post = {
        operationId = "grant", summary = "Lets a client talk to a device; again does no harm", security = BEARER,
        requestBody = body(pair, FORM, JSON),
        responses = replies_of_api(pair, "the permission", UNAUTHORIZED),
      },
      delete = {
        operationId = "revoke", summary = "Takes a permission away, on live connections too", security = BEARER,
        parameters = { parameter("client_id", string_of(), true), parameter("device_id", string_of(), true) },
        responses = replies_of_api(pair, "what was taken away", UNAUTHORIZED),
      },
    },
    ["/v3/open_api/product/ids/"] = { get = {
      operationId = "products", summary = "The account's products", security = BEARER,
      responses = replies_of_api(list(ref "Product"), "ids and names", UNAUTHORIZED),
    } },
  }
end

local function control(summary, schema, request, more)
  local operation = {
    summary = summary, tags = { "control" }, requestBody = request and body(request, JSON) or nil,
    responses = {
      ["200"] = reply("done", schema),
      ["400"] = reply("what it does not know or take; it has no effect", ref "Refusal"),
      ["403"] = reply("a page of another origin, or the console's without its key", ref "Refusal"),
      ["415"] = reply("a change that is not JSON", ref "Refusal"),
      ["421"] = reply("the Host is not this sandbox", ref "Refusal"),
    },
  }
  for name, value in pairs(more or {}) do operation[name] = value end
  return operation
end

-- Those with a reply of their own for what does not serve.
local function with_503(operation, description, schema)
  operation.responses["503"] = reply(description, schema)
  return operation
end

local function filters()
  local parameters = {}
  for name, schema in pairs(schemas.JOURNAL_FILTER) do parameters[#parameters + 1] = parameter(name, schema) end
  table.sort(parameters, function(a, b) return a.name < b.name end)
  return { parameters = parameters }
end

local function control_paths()
  local ok = object({ ok = { type = "boolean" } }, "ok")
  local id = { parameters = { parameter("id", { type = "integer" }) } }
  local entries = object({ count = { type = "integer" }, entries = list(ref "Entry") }, "count", "entries")
  local count = object({ count = { type = "integer" } }, "count")
  local running = object({ running = { type = "boolean" } }, "running")
  local switch = object { always_200 = { type = "boolean" } }
  return {
    health = { get = with_503(control("Whether all serves", ref "Health"), "something does not serve", ref "Health") },
    info = { get = control("All that a program needs", ref "Info") },
    state = { get = control("All tables, secrets and tokens as hashes", ref "State") },
    journal = {
      get = control("The requests that came, those where all of it is equal", entries, nil, filters()),
      delete = control("Forgets them", ok),
    },
    count = { get = control("How many of them", count, nil, filters()) },
    faults = {
      get = control("What is armed, and what has met all its requests", ref "Faults"),
      post = control("Arms a fault", object({ ok = { type = "boolean" }, id = { type = "integer" } }, "ok", "id"),
        ref "Fault"),
      delete = control("Takes them back, or one; what is held back goes out", ok, nil, id),
    },
    mqtt = {
      post = control("The relay's rules, all at once, or whom to throw out", ref "Bent", ref "Rules"),
      delete = control("No rules", ok),
    },
    clock = {
      get = control("Its time", ref "Clock"),
      post = control("Moves, stops or frees its time", ref "Clock",
        object { advance = { type = "number", minimum = -1e12, maximum = 1e12 }, freeze = { type = "boolean" } }),
    },
    tokens = { post = control("The life of tokens issued from now on; a token to forget, or * for all",
      object({ life = { type = "integer" } }, "life"),
      object { life = { type = "integer", minimum = -1e12, maximum = 1e12 }, revoke = string_of() }) },
    switches = { post = control("HTTP 200 for every reply of the API", switch, switch) },
    broker = { post = with_503(control("Stops, kills or starts the broker; it keeps its ports", running,
      object({ action = { type = "string", enum = { "stop", "kill", "start" } } }, "action")), "it does not start",
      ref "Refusal") },
    seed = { post = control("More of everything", ok, ref "Seed") },
    reset = { post = with_503(control("Back to the seed, the broker too", ok, object {}), "the broker does not start",
      ref "Refusal") },
  }
end

local function console_paths()
  local ok = object({ ok = { type = "boolean" } }, "ok")
  local qos, retain = { type = "integer", minimum = 0, maximum = 2 }, { type = "boolean" }
  local payload = string_of { maxLength = 4096 }
  local pair = { parameters = {
    parameter("client_id", string_of(), true), parameter("device_id", string_of(), true),
  } }
  local span = { parameters = {
    parameter("after", schemas.integer), parameter("upto", schemas.integer), parameter("most", schemas.integer),
  } }
  local last = object({ device = string_of(), time = { type = "number" } }, "device", "time")
  return {
    grants = {
      post = control("Lets a client talk to a device, without a token", ok, ref "Pair"),
      delete = control("Takes the permission away", ok, nil, pair),
    },
    links = { get = control("Who is connected, who is played, and when each device last sent or was sent something",
      object({ connected = list(ref "Link"), played = list(string_of()), last = list(last) }, "connected", "played",
        "last")) },
    play = { post = control("A device comes online, played by the sandbox, or leaves",
      object({ playing = { type = "boolean" } }, "playing"),
      object({ device = string_of(), on = { type = "boolean" } }, "device")) },
    report = { post = control("Reports as a device that is played", ok, object({
      device = string_of(), channel = string_of { minLength = 1 }, payload = payload, qos = qos, retain = retain,
    }, "device", "channel")) },
    publish = { post = control("Publishes as the broker itself", ok, object({
      topic = string_of { minLength = 1 }, payload = payload, qos = qos, retain = retain,
    }, "topic")) },
    spec = { get = control("A test file of what happened between two numbers", object({ text = string_of() }, "text"),
      nil, { parameters = {
        parameter("after", schemas.integer), parameter("upto", schemas.integer),
        parameter("as", string_of { enum = { "busted", "pytest", "json" } }),
      } }) },
    timeline = { get = control("What happened, oldest first; the last 10,000 are kept", ref "Timeline", nil, span) },
  }
end

-- All under /_sandbox/.
local function sandbox_paths()
  local all = control_paths()
  for name, path in pairs(console_paths()) do all[name] = path end
  local events = control("The timeline live: server-sent events `entries`, `pulse`, `restart`", string_of())
  events.responses["200"].content = { ["text/event-stream"] = { schema = string_of() } }
  events.responses["415"] = nil
  events.parameters = { parameter("last", string_of()) }
  all.events = { get = with_503(events, "too many watch already", ref "Refusal") }
  return all
end

--- The document.
---@param url string?  of the sandbox that serves it
---@return table
function openapi.document(url)
  local paths = api_paths()
  for name, path in pairs(sandbox_paths()) do
    for method, operation in pairs(path) do operation.operationId = method .. "_" .. name end
    paths["/_sandbox/" .. name] = path
  end
  return {
    openapi = "3.1.0",
    info = {
      title = "fogcloud sandbox", version = "1",
      description = "The five calls of FogCloud as the sandbox answers them, and the sandbox's own control API.",
      license = { name = "MIT", identifier = "MIT" },
    },
    servers = { { url = url or "http://127.0.0.1:8080" } },
    paths = paths,
    components = { schemas = schemas.ALL, securitySchemes = { bearer = { type = "http", scheme = "bearer" } } },
  }
end

return openapi
