-- SPDX-License-Identifier: MIT

-- The OpenAPI document against the code, in both directions, and against what is really answered: every operation with
-- generated requests, valid ones and ones that break the schema in each of its points.
local Faults = require "fogcloud.sandbox.faults"
local Journal = require "fogcloud.sandbox.journal"
local Relay = require "fogcloud.sandbox.relay"
local cjson = require "cjson"
local control = require "fogcloud.sandbox.control"
local http = require "socket.http"
local ltn12 = require "ltn12"
local routes = require "fogcloud.sandbox.routes"
local schema = require "spec.support.schema"
local support = require "spec.support.sandbox"

local CONTROL = "/_sandbox/"

local function read_document()
  local file = assert(io.open "docs/openapi.json")
  local text = file:read "*a"
  file:close()
  return cjson.decode(text), text
end

local document, text = read_document()

local function keys(object)
  local list = {}
  for name in pairs(object or {}) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- "METHOD path" of the document.
local function operations()
  local all = {}
  for path, methods in pairs(document.paths) do
    for method, operation in pairs(methods) do all[method:upper() .. " " .. path] = operation end
  end
  return all
end

local function body_schema(operation)
  local content = operation.requestBody and operation.requestBody.content
  return content and schema.resolve(document, content["application/json"].schema)
end

local function parameter_names(operation)
  local found = {}
  for _, one in ipairs(operation.parameters or {}) do found[one.name] = true end
  return keys(found)
end

describe("docs/openapi.json", function()
  it("is what the code says now (make docs)", function()
    assert.equal(require("fogcloud.sandbox.json").pretty(require("fogcloud.sandbox.openapi").document()), text)
    assert.equal("3.1.0", document.openapi)
  end)

  it("has every route, and no other", function()
    local routed = {}
    for path, methods in pairs(routes.TABLE) do
      for method in pairs(methods) do routed[method .. " " .. path] = true end
    end
    routed["GET /_sandbox/events"] = true -- a stream; spec/sandbox/timeline_spec.lua
    for call in pairs(control.ROUTES) do routed[(call:gsub(" ", " " .. CONTROL))] = true end
    assert.same(keys(routed), keys(operations()))
  end)

  it("has the parameters of the five calls, and no others", function()
    for path, methods in pairs(routes.TABLE) do
      for method, route in pairs(methods) do
        local operation = document.paths[path][method:lower()]
        assert.equal(route[1], operation.operationId)
        local declared = {}
        for _, name in ipairs(routes.PARAMETERS[route[1]]) do declared[name] = true end
        local body = body_schema(operation)
        assert.same(keys(declared), body and keys(body.properties) or parameter_names(operation))
        if body then
          local required = {}
          for _, name in ipairs(body.required) do required[name] = true end
          assert.same(keys(declared), keys(required))
          local content = operation.requestBody.content
          assert.same(content["application/json"], content["application/x-www-form-urlencoded"])
        end
        assert.equal(route[1] ~= "token", operation.security ~= nil)
      end
    end
  end)

  it("has the fields of the control calls with their types, and no others", function()
    local function types(properties)
      local found = {}
      for name, one in pairs(properties) do
        local kind = schema.resolve(document, one).type
        found[name] = kind == "integer" and "number" or kind
      end
      return found
    end
    for call, fields in pairs(control.FIELDS) do
      local operation = operations()[(call:gsub(" ", " " .. CONTROL))]
      local body = body_schema(operation)
      if call:find "^GET" or call:find "^DELETE" then
        assert.same(keys(fields), parameter_names(operation), call)
      else
        assert.same(fields, types(body.properties or {}), call)
      end
    end
    assert.same(Faults.KINDS, types(document.components.schemas.Fault.properties))
    local rules = types(document.components.schemas.Rules.properties)
    rules.kick = nil
    assert.same(Relay.KINDS, rules)
    assert.same(keys(Journal.FIELDS), parameter_names(document.paths["/_sandbox/journal"].get))
  end)
end)

-- Those that are answered at once.
local function answered()
  local all = operations()
  all["GET /_sandbox/events"] = nil
  return all
end

describe("every operation", function()
  local sandbox, known, token

  local function request(method, path, headers, body)
    local out = {}
    headers["content-length"] = #(body or "")
    local _, status, got = assert(http.request {
      url = sandbox.url .. path, method = method, headers = headers, source = ltn12.source.string(body or ""),
      sink = ltn12.sink.table(out),
    })
    return status, table.concat(out), got
  end

  -- The seed again, with a client, a token of it, and a device that is played.
  local function renew()
    sandbox:reset()
    local cloud = support.cloud(sandbox)
    local client = support.client(sandbox, cloud, { "dev1" })
    token = assert(cloud:token())
    known = { app_id = sandbox.app_id, device_id = "dev1", device = "dev1", topic = "t", clientid = client.clientid, action = "start",
      kick = schema.ABSENT }
    assert.equal(200, (request("POST", "/_sandbox/play", {}, '{"device":"dev1"}')))
  end

  setup(function() sandbox = support.start { mqtt_faults = true } end)
  teardown(function() sandbox:stop() end)
  before_each(renew)

  -- What a name stands for depends on the call: client_id is a key of the account, and an MQTT client.
  local function values(operation)
    local copy = { client_id = operation.operationId == "token" and sandbox.account.client_id or known.clientid,
      client_secret = sandbox.account.client_secret }
    for name, value in pairs(known) do copy[name] = value end
    return copy
  end

  local function check(operation, status, body, call)
    local said = operation.responses[tostring(status)]
    assert.is_truthy(said, ("%s: %d is not in the document: %s"):format(call, status, body))
    local why = schema.complaint(document, said.content["application/json"].schema, cjson.decode(body))
    assert(why == nil, ("%s: %s: %s"):format(call, tostring(why), body))
  end

  local function query(operation, value)
    local parts = {}
    for _, one in ipairs(operation.parameters or {}) do
      if one.required then parts[#parts + 1] = one.name .. "=" .. tostring(value[one.name]) end
    end
    return #parts > 0 and "?" .. table.concat(parts, "&") or ""
  end

  local function headers_of(operation)
    return { ["content-type"] = "application/json", authorization = operation.security and "Bearer " .. token or nil }
  end

  it("answers valid requests as its schema says", function()
    for call, operation in pairs(answered()) do
      renew()
      local method, path = call:match "^(%u+) (.*)$"
      local one = body_schema(operation)
      local sent = one and schema.sample(document, one, values(operation))
      if sent then assert.is_nil(schema.complaint(document, one, sent)) end
      -- A fault or a rule is one of them at a time: all together no request would come through, or none be valid.
      if path == "/_sandbox/faults" and sent then sent = { endpoint = "grant", status = 503, delay = 0.5, cut = "before" } end
      if path == "/_sandbox/mqtt" and sent then sent = { delay_ms = 1 } end
      local status, body, got = request(method, path .. query(operation, values(operation)), headers_of(operation),
        sent and cjson.encode(sent) or nil)
      assert.equal(200, status, call .. body)
      assert.equal("1", got["x-fogcloud-sandbox"])
      check(operation, status, body, call)
    end
  end)

  it("answers broken ones as its schema says, and changes nothing", function()
    local tried = 0
    for call, operation in pairs(answered()) do
      local method, path = call:match "^(%u+) (.*)$"
      local one = body_schema(operation)
      local is_api = not path:find(CONTROL, 1, true)
      for _, broken in ipairs(one and schema.broken(document, one, values(operation)) or {}) do
        local lenient = is_api and broken[2] == "an unknown field" and next(one.properties or {}) == nil
        local before = sandbox:state()
        local status, body = request(method, path, headers_of(operation), cjson.encode(broken[1]))
        assert(lenient or status == 400, ("%s, %s: %d %s"):format(call, broken[2], status, body))
        check(operation, status, body, call)
        assert.same(before.devices, sandbox:state().devices)
        tried = tried + 1
      end
      for _, body in ipairs(one and { "{", "[]", "5", '"x"', "\255" } or {}) do
        local status, said = request(method, path, headers_of(operation), body)
        assert(status == 400, ("%s, %s: %d %s"):format(call, body, status, said))
        check(operation, status, said, call)
      end
      for _, name in ipairs(parameter_names(operation)) do
        local status, body = request(method, ("%s?no_such_field=1&%s="):format(path, name), headers_of(operation))
        assert.equal(400, status, call)
        check(operation, status, body, call)
      end
    end
    assert.is_true(tried > 150)
  end)

  it("is refused as its schema says: a token that is none, another Host, another origin, another content type", function()
    for call, operation in pairs(answered()) do
      local method, path = call:match "^(%u+) (.*)$"
      local function refused(status, headers)
        local got, body = request(method, path, headers, operation.requestBody and "{}" or nil)
        assert.equal(status, got, call)
        check(operation, got, body, call)
      end
      if operation.security then refused(401, { authorization = "Bearer x", ["content-type"] = "application/json" }) end
      refused(421, { host = "evil.example" })
      refused(403, { origin = "http://evil.example" })
      if path:find(CONTROL, 1, true) and method ~= "GET" then refused(415, { ["content-type"] = "text/plain" }) end
    end
  end)

  it("is in the document that a running sandbox serves", function()
    local status, body, got = request("GET", "/openapi.json", {})
    assert.same({ 200, "application/json" }, { status, got["content-type"] })
    local served = cjson.decode(body)
    assert.equal(sandbox.url, served.servers[1].url)
    served.servers = document.servers
    assert.same(document, served)
  end)
end)
