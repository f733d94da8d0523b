-- SPDX-License-Identifier: MIT

--- Brokers of others for a spec: mosquitto, RabbitMQ, aedes. Each on free ports of 127.0.0.1, over TCP and over
--- WebSockets, in a folder of its own, with the login "user" and "secret", and with topics below "forbidden/" that this
--- login neither writes nor reads. All that one starts is gone with the spec (pen.py).
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local process = require "fogcloud.sandbox.core"

local Broker = {}
Broker.__index = Broker

local TERM = 15
local START_S = 60 -- an Erlang on a machine that is busy

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local KINDS = {}

KINDS.mosquitto = {
  command = function(self)
    local path = self.folder .. "/mosquitto"
    write(path .. ".acl", "user user\ntopic readwrite #\ntopic deny forbidden/#\n")
    run(("mosquitto_passwd -b -c %s.users user secret 2>&1"):format(path))
    write(path .. ".conf", ([[
user %s
allow_anonymous false
password_file %s.users
acl_file %s.acl
persistence true
persistence_location %s/
listener %d 127.0.0.1
listener %d 127.0.0.1
protocol websockets
]]):format(process.is_root() and "root" or "nobody", path, path, self.folder, self.port, self.web_port))
    return { "/usr/sbin/mosquitto", "-c", path .. ".conf" }
  end,
}

KINDS.aedes = {
  command = function(self)
    return { "env", "NODE_PATH=build/npm/node_modules", "node", "spec/support/aedes.cjs", self.port, self.web_port }
  end,
}

-- The user, and what it may do with topics; its password is hashed with a salt of four zeros.
local DEFINITIONS = [[{
  "users": [{ "name": "user", "password_hash": "%s", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "" }],
  "vhosts": [{ "name": "/" }],
  "permissions": [{ "user": "user", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" }],
  "topic_permissions": [{
    "user": "user", "vhost": "/", "exchange": "amq.topic", "write": "^(?!forbidden)", "read": "^(?!forbidden)"
  }]
}]]
local PASSWORD = "printf '\\0\\0\\0\\0secret' | openssl dgst -sha256 -binary | (printf '\\0\\0\\0\\0'; cat) | base64"

KINDS.rabbitmq = {
  path = "/ws",
  dies = true, -- what it has acknowledged is on the disk
  command = function(self)
    local folder = self.folder
    self.epmd_port = self.epmd_port or process.free_port()
    self.node_port = self.node_port or process.free_port()
    write(folder .. "/definitions.json", DEFINITIONS:format(run(PASSWORD)))
    write(folder .. "/plugins", "[rabbitmq_mqtt,rabbitmq_web_mqtt].\n")
    write(folder .. "/rabbitmq.conf", ([[
listeners.tcp = none
load_definitions = %s/definitions.json
mqtt.allow_anonymous = false
mqtt.listeners.tcp.1 = 127.0.0.1:%d
web_mqtt.tcp.ip = 127.0.0.1
web_mqtt.tcp.port = %d
]]):format(folder, self.port, self.web_port))
    -- RABBITMQ_ALLOW_INPUT: no shell stays between us and it. Its epmd would be found at this port, and is started there.
    return {
      "env", "HOME=" .. folder, "RABBITMQ_HOME=" .. folder, "RABBITMQ_CONF_ENV_FILE=/dev/null",
      "RABBITMQ_NODENAME=fog@localhost", "RABBITMQ_MNESIA_BASE=" .. folder, "RABBITMQ_LOG_BASE=" .. folder,
      "RABBITMQ_CONFIG_FILE=" .. folder .. "/rabbitmq.conf", "RABBITMQ_ENABLED_PLUGINS_FILE=" .. folder .. "/plugins",
      "RABBITMQ_ALLOW_INPUT=1", "RABBITMQ_DIST_PORT=" .. self.node_port, "ERL_EPMD_PORT=" .. self.epmd_port,
      "ERL_EPMD_ADDRESS=127.0.0.1",
      "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput -kernel inet_dist_use_interface {127,0,0,1}",
      "/usr/lib/rabbitmq/bin/rabbitmq-server",
    }
  end,
}

local function spawn(self)
  local command = { "python3", "spec/support/pen.py" }
  for _, word in ipairs(self.kind.command(self)) do command[#command + 1] = tostring(word) end
  self.pid, self.input, self.output = assert(process.spawn(command, self.folder .. "/said"))
end

--- Begins to start one: "mosquitto", "rabbitmq" or "aedes". It is not there before `ready`.
function Broker.begin(name)
  local self = setmetatable({ kind = KINDS[name] }, Broker)
  self.folder = run "mktemp -d /tmp/fogcloud-broker.XXXXXX"
  self.port, self.web_port = process.free_port(), process.free_port()
  spawn(self)
  return self
end

--- What to log in with over TCP or WebSockets, and the options that go with it, to which those of `more` are added.
function Broker:login(client_id, transport, more)
  local web = transport == "websockets"
  local opts = { tls = false, transport = transport, path = web and self.kind.path or nil }
  for name, value in pairs(more or {}) do opts[name] = value end
  return {
    clientid = client_id, loginname = "user", password = "secret", mqtthost = "127.0.0.1",
    mqttport = web and self.web_port or self.port,
  }, opts
end

local function answers(self, transport)
  local session = fogcloud.connect(self:login("ready", transport))
  if session then session:close() end
  return session
end

--- Waits until it takes clients in, over both of its ports: RabbitMQ listens before it does.
function Broker:ready()
  local deadline = core.now() + START_S
  while not (answers(self, "tcp") and answers(self, "websockets")) do
    if process.wait(self.pid) or core.now() > deadline then
      local said = run(("tail -n 20 %s/said"):format(self.folder))
      self:stop()
      error("it does not start: " .. said)
    end
    fogcloud.step(0.05) -- sessions go on trying meanwhile
  end
  return self
end

-- Kills it, or asks it to end.
local function reap(self, gently)
  if not self.pid then return end
  if gently then
    process.kill(self.pid, TERM)
  else
    process.close_fd(self.input)
  end
  process.wait(self.pid, true)
  if gently then process.close_fd(self.input) end
  process.close_fd(self.output)
  self.pid = nil
end

--- Ends it in the middle of whatever it does, as kill -9 where it claims to survive that, and starts it again after
--- `meanwhile`.
function Broker:restart(meanwhile)
  reap(self, not self.kind.dies)
  meanwhile()
  spawn(self)
  return self:ready()
end

--- Whether this RabbitMQ is of that major version or a later one.
function Broker.rabbitmq_since(major)
  return tonumber(run("ls /usr/lib/rabbitmq/lib"):match("rabbitmq_server%-(%d+)")) >= major
end

--- Ends it and removes its folder. Harmless twice.
function Broker:stop()
  reap(self)
  if self.folder then run("rm -rf " .. self.folder) end
  self.folder = nil
end

return Broker
