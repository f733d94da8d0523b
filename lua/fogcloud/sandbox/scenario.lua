-- SPDX-License-Identifier: MIT

--- A part of the timeline as steps that can be done again: who calls, connects, subscribes and publishes what, what is
--- done to the sandbox, and what everybody then has to have got. What the part takes for granted, because it was done
--- before, is done first: tokens, clients, permissions, connections. Pure.
---
--- A step is a table with `op`:
---   call       method, path, params, json, token (a name, "" for none that is valid), status, code, wire, endpoint,
---              saves_token, saves_client (names), hint
---   control    call ("POST clock"), params
---   connect    who (a name), device or client; refused: it must fail
---   subscribe  who, filter, qos
---   publish    who, topic, payload, qos, retain, refused
---   close      who
---   expect     who, messages: { topic, payload } of each
local hints = require "fogcloud.sandbox.hints"
local matches = require("fogcloud.sandbox.replay_match").matches

local Scenario = {}
Scenario.__index = Scenario

local function add(self, step) self.steps[#self.steps + 1] = step end

local function control(self, call, params) add(self, { op = "control", call = call, params = params }) end

-- Names of tokens and clients: token1, client1, ...
local function name_for(self, kind)
  self.counts[kind] = (self.counts[kind] or 0) + 1
  return kind .. self.counts[kind]
end

local function hex_decode(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function payload_of(entry) return entry.payload_hex and hex_decode(entry.payload_hex) or entry.payload or "" end

-- Whether a party may have a message, as the broker's plugin sees it.
local function may_have(self, party, topic)
  local direction, device = topic:match("^(%a2%a)/([^/]+)")
  if party.device then return direction == "c2d" and device == party.device end
  return direction == "d2c" and self.grants[party.client .. "\n" .. (device or "")] == true
end

local function gets(self, party, topic, payload)
  if not may_have(self, party, topic) then return end
  for filter in pairs(party.filters) do
    if matches(filter, topic) then
      table.insert(party.expected, { topic, payload })
      return
    end
  end
end

-- A message goes to whoever is connected, and stays if it is retained.
local function deliver(self, entry)
  local payload = payload_of(entry)
  for _, party in ipairs(self.order) do
    if party.on then gets(self, party, entry.topic, payload) end
  end
  if entry.retain then self.retained[entry.topic] = payload ~= "" and payload or nil end
end

local function expect(self, party)
  if not party.on then return end
  add(self, { op = "expect", who = party.who, messages = party.expected })
  party.expected = {}
end

-- The account that owns what a call needs; the first one where it cannot be known.
local function secret_of(self, client_id)
  for _, account in ipairs(self.seed.accounts) do
    if account.client_id == client_id then return account.client_secret end
  end
  return nil
end

local function first_account(self) return self.seed.accounts[1] end

-- A token's name; one that was issued before is issued first.
local function token_named(self, number)
  if number == nil then return nil end
  if self.tokens[number] == nil then
    if not self.issued[number] then return "" end
    local account = first_account(self)
    self.tokens[number] = name_for(self, "token")
    add(self, {
      op = "call", method = "POST", path = "/v3/open_api/token/", endpoint = "token", status = 200, code = 0,
      saves_token = self.tokens[number], params = {
        grant_type = "client_credentials", client_id = account.client_id, client_secret = account.client_secret,
      },
    })
  end
  return self.tokens[number]
end

-- A client's name; one that was made before is made first, with the permissions that it had.
local function client_named(self, clientid)
  local name = self.clients[clientid]
  if name or not self.made[clientid] then return name end
  self.given = self.given or self:token_given()
  name = name_for(self, "client")
  self.clients[clientid] = name
  add(self, {
    op = "call", method = "POST", path = "/v3/open_api/mqtt/client/", endpoint = "create_client", status = 200,
    code = 0, token = self.given, saves_client = name, params = { app_id = self.made[clientid] },
  })
  for pair in pairs(self.grants) do
    local client, device = pair:match("^(.*)\n(.*)$")
    if client == clientid then control(self, "POST grants", { client_id = "@" .. name, device_id = device }) end
  end
  return name
end

--- A token for what has to be there before.
function Scenario:token_given()
  self.issued[0] = true
  return token_named(self, 0)
end

local function is_device(self, login)
  for _, account in ipairs(self.seed.accounts) do
    for _, device in ipairs(account.devices or {}) do
      if device.id == login then return true end
    end
  end
  return false
end

-- Who speaks under a client id; nil for somebody whom nobody knows.
local function party_of(self, entry)
  local party = self.parties[entry.client]
  if party then return party end
  if self.made[entry.client] then
    party = { who = client_named(self, entry.client), client = entry.client }
  elseif is_device(self, entry.login) then
    party = { who = name_for(self, "device"), device = entry.login }
  else
    return nil
  end
  party.filters, party.expected = {}, {}
  self.parties[entry.client] = party
  self.order[#self.order + 1] = party
  return party
end

local function connect(self, party)
  if party.on then return end
  party.on = true
  add(self, { op = "connect", who = party.who, device = party.device, client = party.client and party.who })
end

local function subscribe(self, party, filter, qos)
  add(self, { op = "subscribe", who = party.who, filter = filter, qos = qos })
  party.filters[filter] = qos
  for topic, payload in pairs(self.retained) do
    if matches(filter, topic) then gets(self, party, topic, payload) end
  end
end

-- Whoever was connected before is connected first, with what it had subscribed to.
local function present(self, entry)
  local party = party_of(self, entry)
  if party == nil then return nil end
  if not party.on then
    connect(self, party)
    for filter, qos in pairs(self.before[entry.client] or {}) do subscribe(self, party, filter, qos) end
  end
  return party
end

local on = {}

function on.login(self, entry)
  local party = party_of(self, entry)
  if party then connect(self, party) end
end

function on.login_refused(self, entry)
  local device = is_device(self, entry.login or "")
  if not device then return end
  add(self, { op = "connect", who = name_for(self, "device"), device = entry.login, refused = true })
end

function on.bye(self, entry)
  local party = self.parties[entry.client]
  if party == nil or not party.on or self.kicked then
    self.kicked = nil
    return
  end
  expect(self, party)
  add(self, { op = "close", who = party.who })
  party.on, party.filters = false, {}
end

function on.subscribe(self, entry)
  local party = present(self, entry)
  if party and party.filters[entry.topic] == nil then subscribe(self, party, entry.topic, entry.qos or 1) end
end

function on.message(self, entry)
  if entry.cut then return end
  if entry.client == nil then
    control(self, "POST publish", {
      topic = entry.topic, payload = payload_of(entry), qos = entry.qos, retain = entry.retain,
    })
    return deliver(self, entry)
  end
  local party = present(self, entry)
  if party == nil then return end
  add(self, {
    op = "publish", who = party.who, topic = entry.topic, payload = payload_of(entry), qos = entry.qos,
    retain = entry.retain,
  })
  deliver(self, entry)
end

function on.message_refused(self, entry)
  local party = not entry.cut and present(self, entry)
  if not party then return end
  add(self, {
    op = "publish", who = party.who, topic = entry.topic, payload = payload_of(entry), qos = entry.qos,
    retain = false, refused = true,
  })
end

-- The parameters as they have to be sent: secrets back in their place, ids by name.
local function params_of(self, entry)
  local params = {}
  for name, value in pairs(entry.params or {}) do params[name] = value end
  if params.client_secret == "[redacted]" then
    local secret = secret_of(self, params.client_id)
    params.client_secret = (entry.message or ""):find("is wrong", 1, true) and "wrong" or secret or "wrong"
  end
  local client = entry.endpoint ~= "token" and client_named(self, params.client_id or "")
  if client then params.client_id = "@" .. client end
  return params
end

-- A fault that was armed before, or strikes by chance, is armed for this call alone.
local function arm(self, entry)
  local fault = entry.fault and self.faults[entry.fault]
  if fault == nil or fault.done then return end
  local params = {}
  for name, value in pairs(fault.params) do params[name] = value end
  params.probability, params.count, params.endpoint = nil, nil, entry.endpoint
  control(self, "POST faults", params)
end

-- A token that had expired, or was forgotten, before this part began.
local function age(self, entry, name)
  if name == nil or name == "" or not self.early[entry.token] then return end
  if entry.code == 10100 then
    control(self, "POST clock", { advance = self.life + 1 })
  elseif entry.code == 10101 then
    control(self, "POST tokens", { revoke = "@" .. name })
  end
  self.early[entry.token] = nil
end

function on.call(self, entry)
  local known = self.tokens[entry.token or 0]
  local token = token_named(self, entry.token)
  if not known then age(self, entry, token) end
  local params = params_of(self, entry)
  arm(self, entry)
  local step = {
    op = "call", method = entry.method, path = entry.path, endpoint = entry.endpoint, token = token, params = params,
    json = (entry.content_type or ""):find("json", 1, true) ~= nil, status = entry.status, code = entry.code,
    wire = entry.wire, hint = hints.of(entry, first_account(self)),
    broken = (entry.message or ""):find("not a JSON object") ~= nil,
  }
  local reply = entry.reply or {}
  if reply.token then
    step.saves_token = self.tokens[reply.token] or name_for(self, "token")
    self.tokens[reply.token] = step.saves_token
  end
  if reply.client then
    self.made[reply.client] = params.app_id
    step.saves_client = name_for(self, "client")
    self.clients[reply.client] = step.saves_client
  end
  add(self, step)
  self:permit(entry)
end

--- Permissions as calls and changes leave them.
function Scenario:permit(entry)
  local params = entry.params or {}
  local pair = (params.client_id or "") .. "\n" .. (params.device_id or "")
  local done = entry.kind == "control" or (entry.code == 0 and entry.wire ~= "cut before")
  local call = entry.endpoint or entry.call
  if done and (call == "grant" or call == "POST grants") then self.grants[pair] = true end
  if done and (call == "revoke" or call == "DELETE grants") then self.grants[pair] = nil end
end

local function start_anew(self)
  self.tokens, self.clients, self.made, self.grants, self.retained = {}, {}, {}, {}, {}
  self.parties, self.order, self.given = {}, {}, nil
end

function on.control(self, entry)
  local call, params = entry.call, {}
  for name, value in pairs(entry.params or {}) do params[name] = value end
  if call == "POST play" or (call == "DELETE faults" and params.id) then return end
  if call == "POST faults" then
    self.faults[entry.fault or 0] = { params = params, done = params.probability == nil }
    if params.probability then return end
  end
  if params.token then params.revoke, params.token = "@" .. (token_named(self, params.token) or ""), nil end
  local client = client_named(self, params.client_id or params.kick or "")
  if client and params.client_id then params.client_id = "@" .. client end
  if client and params.kick then params.kick = "@" .. client end
  self.kicked = params.kick ~= nil or nil
  if call == "POST reset" or (call == "POST broker" and params.action ~= "start") then
    for _, party in ipairs(self.order) do
      expect(self, party)
      if party.on then add(self, { op = "close", who = party.who }) end
      party.on, party.filters = false, {}
    end
  end
  control(self, call, params)
  if call == "POST reset" then start_anew(self) end
  self:permit(entry)
end

-- What was there before the part: only what it leaves behind.
local function remember(self, entry)
  local reply = entry.reply or {}
  if reply.token then self.issued[reply.token], self.early[reply.token] = true, true end
  if reply.client then self.made[reply.client] = entry.params and entry.params.app_id end
  if entry.call == "POST faults" then self.faults[entry.fault or 0] = { params = entry.params } end
  if entry.call == "POST reset" then
    start_anew(self)
    self.issued, self.before = {}, {}
  end
  if entry.kind == "subscribe" then
    self.before[entry.client] = self.before[entry.client] or {}
    self.before[entry.client][entry.topic] = entry.qos or 1
  elseif entry.kind == "bye" then
    self.before[entry.client] = nil
  elseif entry.kind == "message" and entry.retain and not entry.cut then
    self.retained[entry.topic] = nil -- nothing is retained in a sandbox of its own
  end
  self:permit(entry)
end

--- The steps of the entries from `after` + 1 to `upto`.
---@param entries table[]  of the timeline, from its beginning
---@param after integer
---@param upto integer
---@param seed table
---@param life number  seconds that tokens live
---@return table[] steps
function Scenario.steps(entries, after, upto, seed, life)
  local self = setmetatable({
    steps = {}, counts = {}, issued = {}, early = {}, faults = {}, before = {}, seed = seed, life = life,
  }, Scenario)
  start_anew(self)
  for _, entry in ipairs(entries) do
    if entry.id > upto then break end
    if entry.id <= after then
      remember(self, entry)
    elseif on[entry.kind] then
      on[entry.kind](self, entry)
    end
  end
  for _, party in ipairs(self.order) do
    expect(self, party)
    if party.on then add(self, { op = "close", who = party.who }) end
  end
  return self.steps
end

return Scenario
