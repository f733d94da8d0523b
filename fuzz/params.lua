-- SPDX-License-Identifier: MIT

--- The HTTP side of the sandbox: any path, headers, query and body are answered, by one of the five calls, the control
--- API or a refusal, and the answer can be encoded. Input: lines "METHOD path?query", headers, an empty one, the body.
local cjson = require "cjson"
local Faults = require "fogcloud.sandbox.faults"
local params = require "fogcloud.sandbox.params"
local routes = require "fogcloud.sandbox.routes"

-- A store in tables, with what one account owns.
local state = {}
local OWNED = { apps = "app", clients = "c1", devices = "dev1" }
local function text(value) assert(type(value) == "string", "the store gets a " .. type(value)) return value end
function state:check_account(id, secret) return text(id) == "key" and text(secret) == "secret" and self ~= nil end
function state:issue_token() return self and "token" end
function state:token(token) return self and token == "token" and { account = "key", expires = 10 } or nil end
function state:owns(what, _, id) return self and OWNED[what] == text(id) end
function state:create_client(id) return self and { clientid = text(id), loginname = "l", password = "p" } end
function state:grant(client, device) assert(self and client == "c1" and device == "dev1") end
state.revoke = state.grant
function state:products() return self and {} end

local clock = { now = function() return 1 end }
local cloud = { state = state, clock = clock, token_life = 5, ports = { plain = 1, tls = 2 } }

local function request_of(input)
  local line, rest = input:match("^([^\n]*)\n?(.*)$")
  local request = { headers = {}, query = {}, body = "" }
  request.method = line:match("^(%u+) ") or "POST"
  request.path = line:match(" ([^?]*)") or "/v3/open_api/token/"
  for name, value in (line:match("%?(.*)$") or ""):gmatch("([^&=]+)=([^&]*)") do request.query[name] = value end
  while rest ~= "" do
    local header, after = rest:match("^([^\n]*)\n?(.*)$")
    rest = after
    if header == "" then break end
    local name, value = header:match("^([^:]+): ?(.*)$")
    if name then request.headers[name:lower()] = value end
  end
  request.body = rest
  return request
end

local function check_reply(status, body)
  assert(status == 200 or status == 400 or status == 401 or status == 500)
  local reply = cjson.decode(body)
  assert(type(reply.meta.code) == "number" and type(reply.meta.message) == "string" and type(reply.data) == "table")
end

return function(input)
  local request = request_of(input)
  local found, why = params.of(request)
  assert(type(found) == "table" or found == nil and type(why) == "string")
  if found == nil then return end
  local name, fn = routes.find(request.method, request.path)
  if name ~= nil then return check_reply(routes.render(routes.answer(cloud, name, fn, request, found), false)) end
  local ok, refusal = Faults.check(found)
  assert(ok == true or type(refusal) == "string")
  if not ok then return end
  local faults = Faults.new(function() return 0.5 end)
  faults:add(found)
  local fault = faults:take(found.endpoint or "token")
  if fault == nil or (fault.size or 0) > 1e6 then return end
  local outcome = Faults.outcome(fault, function() return { code = 0 } end)
  local status, headers, body, wire = faults:bend(fault, outcome and 200, outcome and "{}")
  assert(type(status) == "number" and type(body) == "string" and #headers >= 1)
  assert(wire.delay >= 0 and (wire.cut_after or 0) <= #body)
end
