-- SPDX-License-Identifier: MIT

--- The mosquitto child: its certificates, its configuration, its life.
local child = require "fogcloud.sandbox.child"
local core = require "fogcloud.sandbox.core"

local Broker = {}
Broker.__index = Broker

local START_TRIES, START_WAIT = 5, 5

local CONFIG = [[
persistence false
user %s
allow_anonymous false
max_queued_messages 100000
max_inflight_messages 20
%s
log_dest stderr
plugin %s
plugin_opt_store %s
listener %d %s
listener %d %s
cafile %s/ca.pem
certfile %s/server.pem
keyfile %s/server.key
require_certificate %s
]]

local function write(path, text)
  local file = assert(io.open(path, "w"))
  core.private(path)
  file:write(text)
  file:close()
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

--- For a folder that holds the store. Certificates are made at once.
---@param options table  folder, store (path), address, log (a log_type), client_certificates, mqtt_port, tls_port
--- (0: free ones), cert_days
function Broker.new(options)
  local self = setmetatable({ options = options, ports = {} }, Broker)
  local ca, cert, key, client_cert, client_key = core.certs(options.cert_days or 3650, options.cert_host)
  self.ca, self.cert, self.key = ca, cert, key
  write(options.folder .. "/ca.pem", ca)
  write(options.folder .. "/server.pem", cert)
  write(options.folder .. "/server.key", key)
  write(options.folder .. "/client.pem", client_cert)
  write(options.folder .. "/client.key", client_key)
  return self
end

local function write_config(self)
  local o = self.options
  local plugin = find_plugin()
  if plugin == nil then return nil, "the mosquitto plugin fogcloud/sandbox/plugin.so is not on package.cpath" end
  local user = core.is_root() and "root" or (os.getenv("USER") or "nobody")
  local log = "log_type " .. (o.log or "error\nlog_type warning\nlog_type notice")
  write(o.folder .. "/mosquitto.conf", CONFIG:format(user, log, plugin, o.store, self.ports.plain, o.address,
    self.ports.tls, o.address, o.folder, o.folder, o.folder, tostring(o.client_certificates == true)))
  return true
end

local function wait_ready(self)
  local deadline = core.now() + START_WAIT
  while core.now() < deadline do
    if core.listens(self.ports.plain) and core.listens(self.ports.tls) then return true end
    if core.wait(self.pid) ~= nil then return false end
    core.poll({}, 0.005)
  end
  return false
end

local function log_tail(self)
  local file = io.open(self.options.folder .. "/mosquitto.log", "r")
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text:sub(-500)
end

-- The ports stay the same over restarts, so that clients find the broker again.
local function choose_ports(self)
  local o = self.options
  self.ports.plain = o.mqtt_port ~= 0 and o.mqtt_port or core.free_port()
  self.ports.tls = o.tls_port ~= 0 and o.tls_port or core.free_port()
end

--- Starts it and waits until it listens.
---@return boolean? ok
---@return string? why
function Broker:start()
  if self.pid then return true end
  local mosquitto = program()
  if mosquitto == nil then return nil, "mosquitto is not installed" end
  local fixed = self.ports.plain ~= nil
  for _ = 1, START_TRIES do
    if not fixed then choose_ports(self) end
    local ok, why = write_config(self)
    if not ok then return nil, why end
    local folder = self.options.folder
    local pid, to, from = core.spawn({ mosquitto, "-c", folder .. "/mosquitto.conf" }, folder .. "/mosquitto.log")
    if pid == nil then return nil, to end
    core.close_fd(to)
    core.close_fd(from)
    self.pid = pid
    if wait_ready(self) then return true end
    self:kill() -- somebody else took a port, or it cannot start at all: the log says so
  end
  return nil, "mosquitto does not start: " .. log_tail(self)
end

--- Ends it and waits for its end.
---@param signal integer?  SIGTERM
function Broker:stop(signal)
  if self.pid == nil then return end
  child.stop(self.pid, signal)
  self.pid = nil
end

--- Ends it without a goodbye to anybody.
function Broker:kill() self:stop(child.KILL) end

--- Whether it runs and listens.
function Broker:serves() return self.pid ~= nil and core.listens(self.ports.plain) end

return Broker
