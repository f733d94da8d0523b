-- SPDX-License-Identifier: MIT

--- A host whose clocks stand still until somebody waits, and a server in Lua behind it: hours pass in no time, and
--- every run is like the other. The scheduler is the plain host's own.
local Scheduler = require "fogcloud.task.scheduler"
local errors = require "fogcloud.errors"
local retry = require "fogcloud.api.retry"

local virtual = {}

-- The monotonic and the wall clock; `wall_offset` is what a spec changes to make the wall clock jump.
local Clock = {}
Clock.__index = Clock

--- A host as in host/init.lua, with `host.clock.wall_offset`, `host.advance(seconds)`, `host.run()`.
function virtual.host()
  local clock = setmetatable({ mono = 1000, wall_offset = 1600000000 }, Clock)
  local host = { name = "virtual", clock = clock }
  function host.now() return clock.mono end
  function host.wall() return clock.mono + clock.wall_offset end
  local function poll(timeout)
    assert(timeout, "everybody waits for ever")
    clock.mono = clock.mono + timeout
  end
  local scheduler = Scheduler.new(host.now, poll)
  scheduler.report = function(message) error(message, 0) end
  host.scheduler = scheduler
  function host.waiter() return scheduler:waiter() end
  function host.spawn(fn, ...) return scheduler:spawn(fn, true, false, ...) end
  function host.spawn_user(fn, ...) return scheduler:spawn(fn, false, true, ...) end
  function host.spawn_task(fn, ...) return scheduler:spawn(fn, false, false, ...) end
  function host.sleep(seconds) return scheduler:sleep(seconds) end
  --- Lets time pass outside of any task; the library's own work goes on meanwhile.
  function host.advance(seconds) assert(host.sleep(seconds)) end
  --- Runs the tasks until none is left.
  function host.run()
    while scheduler:busy() do scheduler:turn(nil, true) end
  end
  return host
end

--- A reply as the pump gives it.
function virtual.reply(status, body, headers) return { status = status, body = body, headers = headers or {} } end

--- The same with an envelope around `data`, which is JSON text.
function virtual.envelope(code, message, data, status, headers)
  local body = ('{"meta":{"message":"%s","code":%d},"data":%s}'):format(message, code, data or "{}")
  return virtual.reply(status or (code == 0 and 200 or 400), body, headers)
end

-- The server's side of the five calls: tokens with a life on its own clock, and permissions for anybody.
local Server = {}
Server.__index = Server

--- A server. `server.life` is what new tokens live, `server.say_life` what it states instead; `server.faults[name]` is
--- a list of functions or replies that answer the next calls; `server.down[name] = true` refuses connections;
--- `server.log` has every request: { name, at, token, timeout }.
function virtual.server(host)
  return setmetatable({
    host = host, life = 604800, latency = 0.05, faults = {}, down = {}, log = {}, valid = {}, issued = 0, clients = 0,
  }, Server)
end

function Server:count(name)
  local n = 0
  for _, entry in ipairs(self.log) do
    if entry.name == name then n = n + 1 end
  end
  return n
end

--- Forgets every token that was issued.
function Server:revoke() self.valid = {} end

local ANSWERS = {
  token = function(self)
    self.issued = self.issued + 1
    local value = "token-" .. self.issued
    self.valid[value] = self.host.now() + self.life
    local stated = self.say_life or ("%d"):format(self.life)
    return virtual.envelope(0, "token info", ('{"access_token":"%s","expires_in":%s}'):format(value, stated))
  end,
  create_client = function(self)
    self.clients = self.clients + 1
    return virtual.envelope(0, "mqtt info", ('{"clientid":"c%d","loginname":"l","password":"pass%d/+","mqtthost":"h",'
      .. '"mqttport":1883,"sslport":1884,"endpoint":"e"}'):format(self.clients, self.clients))
  end,
  grant = function(_, params)
    return virtual.envelope(0, "create permission ok", ('{"client_id":"%s","device_id":"%s"}'):format(params.client_id,
      params.device_id))
  end,
  products = function() return virtual.envelope(0, "product id list", "[]") end,
}
ANSWERS.revoke = ANSWERS.grant

local function answer(self, name, opts, params)
  if name ~= "token" then
    local expires = self.valid[opts.token]
    if expires == nil then return virtual.envelope(10101, "token is error", nil, 401) end
    if self.host.now() >= expires then return virtual.envelope(10100, "token is expired", nil, 401) end
  end
  return ANSWERS[name](self, params)
end

--- A failure below HTTP, for `faults`. `sent`: whether the request may have arrived.
function virtual.failure(kind, message, sent)
  return function() return nil, errors.new(kind, message, { sent = sent }) end
end

--- The request arrives and is carried out; its reply is lost.
function virtual.lost(server, name, opts, params)
  answer(server, name, opts, params)
  return nil, errors.new("network", "Empty reply from server", { sent = true })
end

--- The pump in front of the server.
function Server:pump()
  local pump = {}
  function pump.request(_, name, opts, params, deadline)
    local host = self.host
    self.log[#self.log + 1] = { name = name, at = host.now(), token = opts.token, timeout = opts.timeout, opts = opts }
    local fault = table.remove(self.faults[name] or {}, 1)
    local latency = fault == "hang" and math.huge or self.latency
    local late = host.now() + latency > deadline
    local slept = host.sleep(late and deadline - host.now() or latency)
    if not slept then return nil, errors.new("cancelled", "the task was cancelled", { sent = true }) end
    if late then return nil, errors.new("timeout", "Operation timed out", { sent = true }) end
    if fault ~= nil then
      if type(fault) == "function" then return fault(self, name, opts, params) end
      return fault
    end
    if self.down[name] then return nil, errors.new("network", "Connection refused", { sent = false }) end
    return answer(self, name, opts, params)
  end
  return pump
end

--- A cloud of this server; `more` has options.
function virtual.cloud(server, more)
  local options = {
    base_url = "https://api.example.com", client_id = "key-id", client_secret = "key-secret", random = retry.random(7),
  }
  for name, value in pairs(more or {}) do options[name] = value end
  return require("fogcloud.api.cloud").new(options, server.host, server:pump())
end

return virtual
