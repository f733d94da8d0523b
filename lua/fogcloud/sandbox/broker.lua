-- SPDX-License-Identifier: MIT

--- The mosquitto child: its certificates, its configuration, its life.
local child = require "fogcloud.sandbox.child"
local core = require "fogcloud.sandbox.core"

local Broker = {}
Broker.__index = Broker

local START_TRIES, START_WAIT, PORT_WAIT = 5, 5, 0.2

local CONFIG = [[
persistence %s
persistence_location %s/
user %s
allow_anonymous false
max_queued_messages 100000
max_inflight_messages 20
%s
log_dest stderr
plugin %s
plugin_opt_store %s
plugin_opt_tap %s/tap
listener %d %s
listener %d %s
cafile %s/ca.pem
certfile %s/server.pem
keyfile %s/server.key
require_certificate %s
]]

-- A new file, for one that is there would keep its mode.
local function write(path, text)
  os.remove(path)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path, "r")
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

local function program()
  local path = os.getenv("PATH") or ""
  for folder in (path .. ":/usr/sbin:/usr/local/sbin"):gmatch("[^:]+") do
    local file = io.open(folder .. "/mosquitto", "r")
    if file then
      file:close()
      return folder .. "/mosquitto"
    end
  end
  return nil
end

local function find_plugin()
  for template in package.cpath:gmatch("[^;]+") do
    local path = template:gsub("?", "fogcloud/sandbox/plugin")
    local file = io.open(path, "rb")
    if file then
      file:close()
      if path:sub(1, 1) ~= "/" then path = (os.getenv("PWD") or ".") .. "/" .. path end
      return path
    end
  end
  return nil
end

-- The authority of a folder that is kept stays the same, so that whoever trusts it still does after a restart.
local function make_certificates(o)
  local ca, ca_key
  if o.keep then ca, ca_key = read(o.folder .. "/ca.pem"), read(o.folder .. "/ca.key") end
  if ca_key == nil then ca = nil end
  local made = core.certs(o.cert_days or 3650, o.cert_host, o.cert_address, ca, ca_key)
  if made == nil then return nil, "no certificates can be made; are ca.pem and ca.key in " .. o.folder .. " whole?" end
  write(o.folder .. "/ca.pem", made.ca)
  if o.keep then write(o.folder .. "/ca.key", made.ca_key) end
  write(o.folder .. "/server.pem", made.cert)
  write(o.folder .. "/server.key", made.key)
  write(o.folder .. "/client.pem", made.client_cert)
  write(o.folder .. "/client.key", made.client_key)
  return made
end

--- For a folder that holds the store. Certificates are made at once.
---@param options table  folder, keep (it outlives us), store (path), address, log (a log_type), client_certificates,
--- persistence, mqtt_port, tls_port (0: free ones), cert_days, cert_host, cert_address
---@return table? broker
---@return string? why
function Broker.new(options)
  local made, why = make_certificates(options)
  if made == nil then return nil, why end
  return setmetatable({ options = options, ports = {}, ca = made.ca, cert = made.cert, key = made.key }, Broker)
end

local function write_config(self)
  local o = self.options
  local plugin = find_plugin()
  if plugin == nil then return nil, "the mosquitto plugin fogcloud/sandbox/plugin.so is not on package.cpath" end
  local user = core.is_root() and "root" or (os.getenv("USER") or "nobody")
  local log = "log_type " .. (o.log or "error\nlog_type warning\nlog_type notice")
  local text = CONFIG:format(tostring(o.persistence == true), o.folder, user, log, plugin, o.store, o.folder,
    self.ports.plain, o.address, self.ports.tls, o.address, o.folder, o.folder, o.folder,
    tostring(o.client_certificates == true))
  write(o.folder .. "/mosquitto.conf", text)
  return true
end

local function listens(self, port) return core.listens(port, self.options.address) end

--- Whether the child lives. One that has ended by itself is forgotten.
function Broker:running()
  if self.pid and core.wait(self.pid) ~= nil then self.pid = nil end
  return self.pid ~= nil
end

--- Whether it runs and listens. Nobody listened on its ports before it was started, and it ends where it cannot, so
--- who listens is it.
function Broker:serves() return self:running() and listens(self, self.ports.plain) and listens(self, self.ports.tls) end

local function wait_ready(self)
  local deadline = core.now() + START_WAIT
  while self:running() and core.now() < deadline do
    if self:serves() then return true end
    core.poll({}, 0.005)
  end
  return false
end

local function choose_port(self, wanted)
  if wanted ~= 0 then return wanted end
  local port, why = core.free_port(self.options.address)
  return port, why and self.options.address .. ": " .. why
end

-- The ports stay the same over restarts, so that clients find the broker again.
local function choose_ports(self)
  local plain, tls, why
  plain, why = choose_port(self, self.options.mqtt_port)
  if plain then tls, why = choose_port(self, self.options.tls_port) end
  if tls == nil then return nil, why end
  self.ports.plain, self.ports.tls = plain, tls
  return true
end

-- Why it cannot listen there, nil when it can: somebody does already.
local function taken(self)
  for _, port in pairs(self.ports) do
    if listens(self, port) then return ("somebody listens at %s:%d already"):format(self.options.address, port) end
  end
  return nil
end

local function spawn(self, mosquitto)
  local folder = self.options.folder
  local pid, to, from = core.spawn({ mosquitto, "-c", folder .. "/mosquitto.conf" }, folder .. "/mosquitto.log")
  if pid == nil then return nil, to end
  core.close_fd(to)
  core.close_fd(from)
  self.pid = pid
  if wait_ready(self) then return true end
  self:kill()
  return nil, "mosquitto does not start: " .. (read(folder .. "/mosquitto.log") or ""):sub(-500)
end

local function attempt(self, mosquitto, fixed)
  local ok, why = true, nil
  if not fixed then ok, why = choose_ports(self) end
  if ok then ok, why = write_config(self) end
  if not ok then return nil, why end
  why = taken(self)
  if why then
    core.poll({}, PORT_WAIT) -- a broker that has just been killed with its sandbox, perhaps
    return nil, why
  end
  return spawn(self, mosquitto)
end

--- Starts it and waits until it listens.
---@return boolean? ok
---@return string? why
function Broker:start()
  if self:running() then return true end
  local mosquitto = program()
  if mosquitto == nil then return nil, "mosquitto is not installed" end
  local fixed, failure = self.ports.plain ~= nil, nil
  for _ = 1, START_TRIES do -- somebody else may take a port in between
    local ok, why = attempt(self, mosquitto, fixed)
    if ok then return true end
    failure = why
  end
  return nil, failure
end

--- Ends it and waits for its end.
---@param signal integer?  SIGTERM
function Broker:stop(signal)
  if not self:running() then return end
  child.stop(self.pid, signal)
  self.pid = nil
end

--- Ends it without a goodbye to anybody.
function Broker:kill() self:stop(child.KILL) end

--- The same broker, anew: it has forgotten its clients, their sessions and what it retained.
---@return boolean? ok
---@return string? why
function Broker:restart()
  self:kill()
  os.remove(self.options.folder .. "/mosquitto.db")
  return self:start()
end

return Broker
