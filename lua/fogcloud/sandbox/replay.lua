-- SPDX-License-Identifier: MIT

--- Does the steps of scenario.lua again, against a sandbox of its own, and raises where something else happens. Test
--- files that the console writes are made of its methods; `fogcloud sandbox replay` runs a list of them.
local Sandbox = require "fogcloud.sandbox"
local cjson = require "cjson"
local core = require "fogcloud.sandbox.core"
local fogcloud = require "fogcloud"
local http = require "fogcloud.sandbox.http"
local ltn12 = require "ltn12"
local matches = require("fogcloud.sandbox.replay_match").matches
local runtime = require "fogcloud.runtime"

local Replay = {}
Replay.__index = Replay

local WAIT = 10 -- seconds for what has to come
local FAILS = { lost = true, ["cut before"] = true, ["cut during"] = true }

--- Starts a sandbox for the steps that follow.
---@param options table  as of fogcloud.sandbox.start
function Replay.start(options)
  return setmetatable({ sandbox = Sandbox.start(options), tokens = {}, clients = {}, parties = {} }, Replay)
end

--- Ends everything.
function Replay:stop()
  for who in pairs(self.parties) do self:close { who = who } end
  self.sandbox:stop()
end

-- "@name" stands for the clientid of a client, or for a token, that an earlier step has saved.
local function resolve(self, value)
  local name = type(value) == "string" and value:match("^@(.+)$")
  if not name then return value end
  return self.tokens[name] or (self.clients[name] or {}).clientid or value
end

local function resolved(self, params)
  local copy = {}
  for name, value in pairs(params or {}) do copy[name] = resolve(self, value) end
  return copy
end

local function escaped(text)
  return (tostring(text):gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function form(params)
  local parts = {}
  for name, value in pairs(params) do parts[#parts + 1] = escaped(name) .. "=" .. escaped(value) end
  return table.concat(parts, "&")
end

local function request(self, method, path, headers, body)
  local out = {}
  headers["content-length"] = #body
  local ok, status = http({
    url = self.sandbox.url .. path, method = method, headers = headers, source = ltn12.source.string(body),
    sink = ltn12.sink.table(out),
  }, self.sandbox.ca_file)
  return ok and status, table.concat(out)
end

local function say(step) return ("%s %s"):format(step.method or "", step.path or step.call or "") end

local function check(step, what, expected, got)
  if expected == got then return end
  error(("%s: %s %s expected, got %s"):format(say(step), what, tostring(expected), tostring(got)), 3)
end

--- A call of the API: method, path, params, json, token, and what it has to be answered with: status, code, wire.
function Replay:call(step)
  local headers = { ["content-type"] = step.json and "application/json" or "application/x-www-form-urlencoded" }
  local params = resolved(self, step.params)
  local body = step.broken and "{" or step.json and cjson.encode(params) or form(params)
  if step.json and next(params) == nil and not step.broken then body = "{}" end
  if step.method == "GET" and not step.broken then body = "" end
  if step.token then headers.authorization = "Bearer " .. (self.tokens[step.token] or "none") end
  local status, said = request(self, step.method, step.path, headers, body)
  if FAILS[step.wire] then return check(step, "answered", false, status and true or false) end
  check(step, "status", step.status, status)
  local ok, reply = pcall(cjson.decode, said)
  local meta = ok and type(reply) == "table" and reply.meta or {}
  check(step, "code", step.code, meta.code)
  if step.saves_token then self.tokens[step.saves_token] = reply.data.access_token end
  if step.saves_client then self.clients[step.saves_client] = reply.data end
end

-- Lets handlers run: in a test file nobody else does, in a task of `fogcloud sandbox replay` somebody does already.
local function turn(seconds)
  if runtime.host().in_task() then return fogcloud.sleep(seconds) end
  return fogcloud.step(seconds)
end

local function until_true(done)
  local deadline = core.now() + WAIT
  while not done() and core.now() < deadline do turn(0.01) end
  return done()
end

-- Everything that the broker had for a session when this began has come.
local function settle(party)
  party.session:unsubscribe("c2d/settled/nothing")
  turn(0)
end

-- A client that is thrown out comes back by itself; what comes next is for one that is there.
local function kick(self, client)
  local function byes()
    local n = 0
    for _, entry in ipairs(self.sandbox:timeline()) do
      if entry.kind == "bye" and (client == "*" or entry.client == client) then n = n + 1 end
    end
    return n
  end
  local before = byes()
  if self.sandbox:kick(client) > 0 then until_true(function() return byes() > before end) end
  for _, party in pairs(self.parties) do settle(party) end
end

--- A change by the control API: "POST clock", { advance = 5 }.
function Replay:control(call, params)
  params = resolved(self, params)
  if params.kick then return kick(self, params.kick) end
  local method, path = call:match("^(%u+) (.*)$")
  path = "/_sandbox/" .. path
  if method == "DELETE" and next(params) then path = path .. "?" .. form(params) end
  local body = method == "DELETE" and "" or next(params) and cjson.encode(params) or "{}"
  local status, said = request(self, method, path, { ["content-type"] = "application/json" }, body)
  if status ~= 200 then error(("%s: %s"):format(call, said), 2) end
  if call == "POST publish" then
    local last = self.sandbox:timeline()
    local id = #last > 0 and last[#last].id or 0
    until_true(function()
      for _, entry in ipairs(self.sandbox:timeline(id - 1)) do
        if entry.kind == "message" and entry.topic == params.topic and entry.client == nil then return true end
      end
      return false
    end)
  end
end

local function credentials_of(self, step)
  local sandbox = self.sandbox
  if step.client then
    local client = self.clients[step.client]
    return { clientid = client.clientid, loginname = client.loginname, password = client.password }
  end
  for _, device in ipairs(sandbox:info().devices) do
    if device.id == step.device then
      return { clientid = ("replay-%s-%s"):format(step.who, device.id), loginname = device.id,
        password = step.refused and device.password .. "?" or device.password }
    end
  end
  error(("there is no device '%s'"):format(tostring(step.device)), 3)
end

--- Somebody connects to the broker: who, and device (an id) or client (a name); refused: the broker must not let it in.
function Replay:connect(step)
  local credentials = credentials_of(self, step)
  credentials.mqtthost, credentials.mqttport = self.sandbox.mqtt_host, self.sandbox.mqtt_port
  local session, err = fogcloud.connect(credentials, { tls = false })
  if step.refused then
    if session == nil then return end
    session:close()
    error(step.who .. ": the broker let it in", 2)
  end
  if session == nil then error(("%s: %s"):format(step.who, tostring(err)), 2) end
  self.parties[step.who] = { session = session, filters = {}, got = {} }
end

--- Subscribes, whether the broker grants it or not.
function Replay:subscribe(step)
  local party = assert(self.parties[step.who], step.who)
  table.insert(party.filters, step.filter)
  local mine = #party.filters
  party.session:subscribe(step.filter, step.qos, function(topic, payload)
    for i, filter in ipairs(party.filters) do -- the first filter that matches has it, for it came once
      if matches(filter, topic) then
        if i == mine then table.insert(party.got, topic .. "\n" .. payload) end
        return
      end
    end
  end)
end

--- Publishes, and waits until the broker has taken it, or dropped it, where there is no permission.
function Replay:publish(step)
  local party = assert(self.parties[step.who], step.who)
  local id, err = party.session:publish(step.topic, step.payload, { qos = step.qos, retained = step.retain })
  if id == nil then error(("%s: %s"):format(step.topic, tostring(err)), 2) end
  party.session:flush()
  settle(party)
end

--- What somebody has to have got since the last time, in any order, and no more.
function Replay:expect(step)
  local party = assert(self.parties[step.who], step.who)
  local wanted = {}
  for i, message in ipairs(step.messages) do wanted[i] = message[1] .. "\n" .. message[2] end
  until_true(function() return #party.got >= #wanted end)
  settle(party)
  local got = party.got
  party.got = {}
  table.sort(wanted)
  table.sort(got)
  if table.concat(wanted, "\n") == table.concat(got, "\n") then return end
  error(("%s: expected\n%s\ngot\n%s"):format(step.who, table.concat(wanted, "\n"), table.concat(got, "\n")), 2)
end

function Replay:close(step)
  local party = self.parties[step.who]
  self.parties[step.who] = nil
  if party == nil then return end
  party.session:close()
  turn(0)
end

--- Does one step of a list.
function Replay:run(step)
  if step.op == "control" then return self:control(step.call, step.params) end
  return self[step.op](self, step)
end

return Replay
