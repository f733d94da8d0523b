-- SPDX-License-Identifier: MIT

--- The sandbox's process: one loop over the HTTP server, signals, and the parent's death.
local Broker = require "fogcloud.sandbox.broker"
local Clock = require "fogcloud.sandbox.clock"
local Faults = require "fogcloud.sandbox.faults"
local Journal = require "fogcloud.sandbox.journal"
local Relay = require "fogcloud.sandbox.relay"
local State = require "fogcloud.sandbox.state"
local control = require "fogcloud.sandbox.control"
local core = require "fogcloud.sandbox.core"
local guard = require "fogcloud.sandbox.guard"
local json = require "fogcloud.sandbox.json"
local openapi = require "fogcloud.sandbox.openapi"
local params_of = require("fogcloud.sandbox.params").of
local random = require "fogcloud.sandbox.random"
local routes = require "fogcloud.sandbox.routes"
local seeds = require "fogcloud.sandbox.seed"

local Daemon = {}
Daemon.__index = Daemon

-- A test looks for it before it does anything that a real cloud would regret.
local MARKER = "X-Fogcloud-Sandbox: 1"
local JSON = "Content-Type: application/json"
local TOKEN_LIFE = 604800
local LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
local PARTS = 2 ^ 24
local OURS_ALONE = 63 -- 077

-- Numbers in [0, 1) for the faults.
local function chance(rng_seed)
  local below = random.source(rng_seed)
  return function() return below(PARTS) / PARTS end
end

-- The folder of everything: the user's for --data, else one that goes with us.
local function choose_folder(options)
  if options.data == nil then return core.make_folder() end
  local ok, why = core.take_folder(options.data)
  if not ok then return nil, options.data .. ": " .. why end
  return options.data
end

local function open_state(self, options)
  local path = self.folder .. "/store.db"
  for _, ending in ipairs { "", "-wal", "-shm" } do core.private(path .. ending) end
  local state, why = State.open(path, options.rng_seed)
  if state == nil then return nil, path .. ": " .. why end
  local fresh, ok = state:is_empty(), true
  self.seed = options.seed or seeds.default()
  -- A folder that is kept has its seed in a file, for the store has hashes only.
  if not self.temporary then self.seed, why = seeds.keep(self.folder .. "/seed.json", options.seed, fresh) end
  if self.seed and fresh then ok, why = state:apply(self.seed) end
  if self.seed and ok then return state end
  state:close()
  return nil, why
end

local function start_broker(self, options)
  local why, ok
  self.broker, why = Broker.new {
    folder = self.folder, keep = not self.temporary, store = self.folder .. "/store.db",
    address = options.mqtt_faults and LOOPBACK or self.address, cert_address = self.address,
    mqtt_port = not options.mqtt_faults and options.mqtt_port or 0,
    tls_port = not options.mqtt_faults and options.tls_port or 0,
    cert_days = options.cert_days, cert_host = options.cert_host, log = options.broker_log,
    client_certificates = options.client_certificates,
  }
  if self.broker == nil then return nil, why end
  ok, why = self.broker:start()
  self.ports = self.broker.ports
  if not ok or not options.mqtt_faults then return ok, why end
  self.relay, why = Relay.open(self.address, self.broker, options)
  if self.relay == nil then return nil, why end
  self.ports = self.relay.ports
  return true
end

-- Nobody guesses it, and another start has another one.
local function new_key()
  return (core.random(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function start_server(self, options)
  local cert, key = nil, nil
  if options.tls then cert, key = self.broker.cert, self.broker.key end
  local port = options.port or 0
  local server = core.server { address = self.address, port = port, tls_cert = cert, tls_key = key }
  if server == nil then return nil, ("the server cannot listen at %s:%d"):format(self.address, port) end
  local scheme, host = "http", self.address == EVERYWHERE and LOOPBACK or self.address
  if options.tls then scheme, host = "https", self.host end
  self.url = ("%s://%s:%d"):format(scheme, host, server:port())
  self.own = { scheme = scheme, address = self.address, cert_host = options.cert_host, key = new_key() }
  return server
end

--- Starts a sandbox in this process.
---@param options table  those of options.lua, checked
---@return table? daemon
---@return string? why
function Daemon.start(options)
  local self = setmetatable({
    clock = Clock.new(), journal = Journal.new(), faults = Faults.new(chance(options.rng_seed)),
    temporary = options.data == nil, always_200 = false, added = {}, address = options.address or LOOPBACK,
    default_token_life = options.token_life or TOKEN_LIFE, token_life = options.token_life or TOKEN_LIFE,
  }, Daemon)
  -- The name by which clients reach it, which the certificate is for, too.
  local is_local = self.address == LOOPBACK or self.address == EVERYWHERE
  self.host = is_local and "localhost" or self.address
  self.signals, self.pid, self.umask = core.signals(), core.pid(), core.umask(OURS_ALONE)
  core.many_files()
  local why, ok
  self.folder, why = choose_folder(options)
  if self.folder == nil then return nil, why end
  self.state, why = open_state(self, options)
  if self.state then ok, why = start_broker(self, options) end
  if ok then self.server, why = start_server(self, options) end
  if self.server then return self end
  self:stop()
  return nil, why
end

local function send(self, id, status, headers, body, wire)
  headers[#headers + 1] = MARKER
  self.server:reply(id, status, headers, body, wire)
end

local function answer_document(self, request)
  send(self, request.id, 200, { JSON }, json.pretty(openapi.document(self.url)))
end

local function answer_control(self, request)
  local params, why = params_of(request, true)
  local status, reply
  if params == nil then
    status, reply = 400, { error = why }
  else
    status, reply = control.answer(self, request, params)
  end
  send(self, request.id, status, { JSON }, json.encode(reply))
end

local function note(self, request, name, params, code, status)
  request.noted = true
  self.journal:note {
    time = self.clock:now(), endpoint = name, method = request.method, path = request.path, params = params,
    code = code, status = status, request_id = request.headers["x-request-id"],
    content_type = request.headers["content-type"], connection = request.connection,
  }
end

local function answer_api(self, request)
  local name, fn = routes.find(request.method, request.path)
  if name == nil then
    local status = self.always_200 and 200 or fn
    note(self, request, nil, {}, nil, status)
    return send(self, request.id, status, { "Content-Type: text/plain" }, "not an API call\n")
  end
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
  note(self, request, name, params, outcome and outcome.code, status)
  send(self, request.id, status, headers, body, wire)
end

-- The reply says why: whoever uses a sandbox in a test has no other place to look at.
local function fail(self, request, is_control, err)
  err = "internal error: " .. tostring(err)
  io.stderr:write("sandbox: ", err, "\n")
  local status, body = 500, json.encode { error = err }
  if not is_control then
    status, body = routes.render({ code = 10050, message = err }, self.always_200)
    if not request.noted then note(self, request, (routes.find(request.method, request.path)), {}, 10050, status) end
  end
  send(self, request.id, status, { JSON }, body)
end

local function answer(self, request)
  local is_control = request.path:find("^/_sandbox/") ~= nil
  local status, why = guard.refusal(self.own, request)
  if status then return send(self, request.id, status, { JSON }, json.encode { error = why }) end
  local is_document = request.method == "GET" and request.path == "/openapi.json"
  local answer_it = is_document and answer_document or is_control and answer_control or answer_api
  local ok, err = pcall(answer_it, self, request)
  if not ok then fail(self, request, is_control, err) end
end

local function serve_requests(self)
  self.server:run()
  local request = self.server:next()
  while request do
    answer(self, request)
    request = self.server:next()
  end
  self.server:run()
end

-- What ends the sandbox, of the signals that came: the number, or the child's exit code. Others are passed on to the
-- child, but for the terminal's own, which it sends to all in its foreground.
local function take_signals(self, child)
  while true do
    local number, by_terminal, is_child = core.read_signal(self.signals)
    if number == nil then return nil end
    if is_child then
      local code = child and core.wait(child)
      if code then return code end
    elseif child == nil then
      return number
    elseif not by_terminal then
      core.kill(child, number)
    end
  end
end

--- Serves until a signal comes, or the end of standard input with `until_eof`; with a child, until that ends.
---@param until_eof boolean?
---@param child integer?  a process of `core.run`, which signals are passed on to
---@return integer? code   of the child: 128 and the number when a signal ended it
function Daemon:run(until_eof, child)
  if until_eof then core.die_with_parent() end
  local fds = { self.server:fd(), self.signals, until_eof and 0 or nil }
  while true do
    serve_requests(self)
    local ready = core.poll(fds, self.server:timeout())
    local ended = ready[self.signals] and take_signals(self, child)
    if ended then return child and ended end
    if until_eof and ready[0] and core.read(0) == "" then return nil end
  end
end

--- Ends everything and leaves nothing behind but what --data keeps.
function Daemon:stop()
  if self.server then self.server:close() end
  if self.relay then self.relay:close() end
  if self.broker then self.broker:stop() end
  if self.state then self.state:close() end
  if self.temporary and self.folder then core.remove_folder(self.folder) end
end

return Daemon
