-- SPDX-License-Identifier: MIT

--- The sandbox's process: one loop over the HTTP server, signals, and the parent's death.
local Broker = require "fogcloud.sandbox.broker"
local Clock = require "fogcloud.sandbox.clock"
local Events = require "fogcloud.sandbox.events"
local Faults = require "fogcloud.sandbox.faults"
local Journal = require "fogcloud.sandbox.journal"
local Relay = require "fogcloud.sandbox.relay"
local State = require "fogcloud.sandbox.state"
local Timeline = require "fogcloud.sandbox.timeline"
local Watch = require "fogcloud.sandbox.watch"
local core = require "fogcloud.sandbox.core"
local front = require "fogcloud.sandbox.front"
local random = require "fogcloud.sandbox.random"
local seeds = require "fogcloud.sandbox.seed"

local Daemon = {}
Daemon.__index = Daemon

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
  self.watch, why = Watch.new(self.folder .. "/tap", self.timeline)
  if self.watch == nil then return nil, why end
  self.broker, why = Broker.new {
    folder = self.folder, keep = not self.temporary, store = self.folder .. "/store.db",
    address = options.mqtt_faults and LOOPBACK or self.address, cert_address = self.address,
    mqtt_port = not options.mqtt_faults and options.mqtt_port or 0,
    tls_port = not options.mqtt_faults and options.tls_port or 0,
    cert_days = options.cert_days, cert_host = options.cert_host, log = options.broker_log,
    client_certificates = options.client_certificates, persistence = options.persistence,
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
    timeline = Timeline.new(), players = {}, bearers = { count = 0 }, began = core.wall(),
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
  if self.server then
    self.events = Events.new(self.server, self.timeline, function() return self:pulse() end)
    return self
  end
  self:stop()
  return nil, why
end

local function serve_requests(self)
  self.server:run()
  local request = self.server:next()
  while request do
    front.answer(self, request)
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

local function earlier(a, b) return a and math.min(a, b) or b end

-- Seconds until there may be something to do without anybody asking.
local function patience(self)
  local seconds = self.server:timeout()
  if self.events:watched() then return earlier(seconds, Watch.LIVE) end
  return earlier(seconds, Watch.IDLE)
end

-- What is done between requests, each at its own pace: the broker's news, those who watch, and devices that are played.
local function take_turns(self)
  for id, player in pairs(self.players) do
    if not player:turn() then
      player:close()
      self.players[id] = nil
      self:note { kind = "control", call = "POST play", params = { device = id, on = false }, why = player.why }
    end
  end
  if core.now() - self.watch.at < (self.events:watched() and Watch.LIVE or Watch.IDLE) then return end
  self.watch:turn()
  self.events:turn()
end

local function descriptors(self, until_eof)
  local fds = { self.server:fd(), self.signals }
  if until_eof then fds[#fds + 1] = 0 end
  for _, player in pairs(self.players) do fds[#fds + 1] = player:fd() end
  return fds
end

--- Serves until a signal comes, or the end of standard input with `until_eof`; with a child, until that ends.
---@param until_eof boolean?
---@param child integer?  a process of `core.run`, which signals are passed on to
---@return integer? code   of the child: 128 and the number when a signal ended it
function Daemon:run(until_eof, child)
  if until_eof then core.die_with_parent() end
  while true do
    serve_requests(self)
    take_turns(self)
    self.server:run()
    local ready = core.poll(descriptors(self, until_eof), patience(self))
    local ended = ready[self.signals] and take_signals(self, child)
    if ended then return child and ended end
    if until_eof and ready[0] and core.read(0) == "" then return nil end
  end
end

--- Puts something on the timeline, after what the broker saw before it.
function Daemon:note(entry)
  self.watch:turn()
  entry.time = entry.time or core.wall()
  return self.timeline:add(entry)
end

--- How it is, for those who watch.
function Daemon:pulse()
  local counts = self.watch:counts()
  return {
    time = core.wall(), began = self.began, now = self.clock:now(), frozen = self.clock.frozen ~= nil,
    life = self.token_life, messages = counts.messages, bytes = counts.bytes, dropped = counts.dropped,
    connected = #self.watch:connected(), calls = self.journal:total(), broker = self.broker:running(),
    always_200 = self.always_200, relay = self.relay ~= nil, struck = self.relay and self.relay:struck(),
  }
end

local function note_devices(by_id, seed)
  for _, account in ipairs(seed.accounts) do
    for _, device in ipairs(account.devices or {}) do by_id[device.id] = device end
  end
end

--- All devices with their passwords, which the store does not know: of the seed, and of what was added to it since.
function Daemon:devices()
  local by_id, list = {}, {}
  note_devices(by_id, self.seed)
  for id, device in pairs(self.added) do by_id[id] = device end
  for _, device in pairs(by_id) do list[#list + 1] = device end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

--- More devices are there: those of this seed.
function Daemon:note_added(seed) note_devices(self.added, seed) end

--- Devices that are played leave.
function Daemon:stop_players()
  for _, player in pairs(self.players) do player:close() end
  self.players = {}
end

--- Ends everything and leaves nothing behind but what --data keeps.
function Daemon:stop()
  self:stop_players()
  if self.server then self.server:close() end
  if self.relay then self.relay:close() end
  if self.broker then self.broker:stop() end
  if self.state then self.state:close() end
  if self.watch then self.watch:close() end
  if self.folder then os.remove(self.folder .. "/tap") end
  if self.temporary and self.folder then core.remove_folder(self.folder) end
end

return Daemon
