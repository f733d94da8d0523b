-- SPDX-License-Identifier: MIT

--- What the sandbox answers over HTTP: the five calls, the control API, the console's pages, the OpenAPI document.
local errors = require "fogcloud.errors"
local Faults = require "fogcloud.sandbox.faults"
local control = require "fogcloud.sandbox.control"
local core = require "fogcloud.sandbox.core"
local guard = require "fogcloud.sandbox.guard"
local json = require "fogcloud.sandbox.json"
local openapi = require "fogcloud.sandbox.openapi"
local pages = require "fogcloud.sandbox.pages"
local params_of = require("fogcloud.sandbox.params").of
local routes = require "fogcloud.sandbox.routes"

local front = {}

-- A test looks for it before it does anything that a real cloud would regret.
local MARKER = "X-Fogcloud-Sandbox: 1"
local JSON = "Content-Type: application/json"
local BEARERS = 10000 -- whose numbers are known
local QUIET = { GET = true, HEAD = true }

local function send(self, id, status, headers, body, wire)
  headers[#headers + 1] = MARKER
  self.server:reply(id, status, headers, body, wire)
end

local function answer_document(self, request)
  send(self, request.id, 200, { JSON }, json.pretty(openapi.document(self.url)))
end

local function answer_page(self, request, page)
  local headers = {}
  for i, line in ipairs(pages.HEADERS) do headers[i] = line end
  headers[#headers + 1] = "Content-Type: " .. page.media
  send(self, request.id, 200, headers, page.text)
end

-- The same token has the same number wherever it stands on the timeline, which does not have it.
local function number_of(self, bearer)
  if bearer == nil then return nil end
  local digest, bearers = core.digest(bearer), self.bearers
  if bearers[digest] == nil and bearers.count < BEARERS then
    bearers.count = bearers.count + 1
    bearers[digest] = bearers.count
  end
  return bearers[digest]
end

-- What the broker sees anyway.
local SEEN = { ["/_sandbox/report"] = true, ["/_sandbox/publish"] = true }
local LARGEST_SEED = 65536

-- What the timeline tells of something that was done to the sandbox itself.
local function note_control(self, request, params, reply)
  if SEEN[request.path] then return end
  local copy = {}
  for name, value in pairs(params) do copy[name] = value end
  if request.path:find("/tokens", 1, true) and copy.revoke and copy.revoke ~= "*" then
    copy.revoke, copy.token = nil, number_of(self, copy.revoke)
  end
  if request.path:find("/seed", 1, true) and #request.body > LARGEST_SEED then copy = {} end
  self:note {
    kind = "control", call = request.method .. " " .. request.path:match("^/_sandbox/([%w_]+)"), params = copy,
    fault = request.path:find("/faults", 1, true) and reply.id or nil,
  }
end

local function answer_control(self, request)
  local params, why = params_of(request, true)
  local status, reply
  if params == nil then
    status, reply = 400, { error = why }
  else
    if not QUIET[request.method] then self.watch:turn() end
    status, reply = control.answer(self, request, params)
    if status == 200 and not QUIET[request.method] then note_control(self, request, params, reply) end
  end
  send(self, request.id, status, { JSON }, json.encode(reply))
end

local function answer_events(self, request)
  local last = request.headers["last-event-id"] or request.query.last
  if self.events:open(request, last, { MARKER }) then return end
  send(self, request.id, 503, { JSON }, json.encode { error = "too many watch already" })
end

-- What the timeline tells of a reply besides its code: what the next calls refer to, never a secret.
local function told(self, outcome)
  local data = outcome and outcome.code == 0 and outcome.data or {}
  return {
    token = number_of(self, data.access_token), client = data.clientid, login = data.loginname,
    count = #data > 0 and #data or nil,
  }
end

-- A call that was answered, in the journal and on the timeline.
local function note(self, request, call)
  request.noted = true
  local headers, outcome = request.headers, call.outcome or {}
  local entry = {
    time = self.clock:now(), endpoint = call.name, method = request.method, path = request.path, params = call.params,
    code = outcome.code, status = call.status, request_id = headers["x-request-id"],
    content_type = headers["content-type"], connection = request.connection,
  }
  self.journal:note(entry)
  self:note {
    kind = "call", endpoint = call.name, method = entry.method, path = entry.path, params = entry.params,
    code = outcome.code, message = outcome.message, status = call.status, request_id = entry.request_id,
    content_type = entry.content_type, token = number_of(self, routes.bearer(request)), fault = call.fault,
    wire = call.wire, reply = told(self, outcome), ms = request.began and (core.now() - request.began) * 1e3,
  }
end

-- What of a fault happens on the wire, for the timeline.
local function wire_of(fault)
  if fault.lost then return "lost" end
  return fault.cut and "cut " .. fault.cut or nil
end

local function answer_api(self, request)
  local name, fn = routes.find(request.method, request.path)
  if name == nil then
    local status = self.always_200 and 200 or fn
    note(self, request, { params = {}, status = status })
    return send(self, request.id, status, { "Content-Type: text/plain" }, "not an API call\n")
  end
  self.watch:turn() -- what the broker saw comes before what this call changes
  local params, why = params_of(request)
  local function carry_out()
    if params == nil then return { code = 10000, message = why } end
    return routes.answer(self, name, fn, request, params)
  end
  local fault = self.faults:take(name) or {}
  local outcome = Faults.outcome(fault, carry_out)
  local status, body, headers, wire
  if outcome then status, body = routes.render(outcome, self.always_200) end
  status, headers, body, wire = self.faults:bend(fault, status, body)
  note(self, request, {
    name = name, params = params, outcome = outcome, status = status, fault = fault.id, wire = wire_of(fault),
  })
  send(self, request.id, status, headers, body, wire)
end

-- The reply says why: whoever uses a sandbox in a test has no other place to look at.
local function fail(self, request, is_api, err)
  err = "internal error: " .. errors.text(err)
  io.stderr:write("sandbox: ", err, "\n")
  local status, body = 500, json.encode { error = err }
  if is_api then
    local outcome = { code = 10050, message = err }
    status, body = routes.render(outcome, self.always_200)
    local name = routes.find(request.method, request.path)
    if not request.noted then note(self, request, { name = name, params = {}, outcome = outcome, status = status }) end
  end
  send(self, request.id, status, { JSON }, body)
end

-- Who answers a request.
local function find(request)
  if request.method == "GET" then
    if request.path == "/openapi.json" then return answer_document end
    if request.path == "/_sandbox/events" then return answer_events end
    local page = pages.find(request.path)
    if page then return answer_page, page end
  end
  return request.path:find("^/_sandbox/") and answer_control or answer_api
end

--- Answers a request, now or by a stream.
function front.answer(self, request)
  request.began = core.now()
  local status, why = guard.refusal(self.own, request)
  if status then return send(self, request.id, status, { JSON }, json.encode { error = why }) end
  local answer_it, more = find(request)
  local ok, err = pcall(answer_it, self, request, more)
  if not ok then fail(self, request, answer_it == answer_api, err) end
end

return front
