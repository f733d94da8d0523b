-- SPDX-License-Identifier: MIT

--- A FogCloud of your own: starts one as a child of this process, or attaches to one that runs.
local cjson = require("cjson").new() -- what a program sets in its own changes nothing here
local errors = require "fogcloud.errors"
local child = require "fogcloud.sandbox.child"
local core = require "fogcloud.sandbox.core"
local http = require "fogcloud.sandbox.http"
local interpreter = require "fogcloud.sandbox.interpreter"
local ltn12 = require "ltn12"
local options_of = require "fogcloud.sandbox.options"

---@class fogcloud.Sandbox
local Sandbox = {}
Sandbox.__index = Sandbox
Sandbox.__name = "fogcloud.Sandbox"
Sandbox.__tostring = function(self) return ("fogcloud.Sandbox (%s)"):format(self.url) end

local START_WAIT = 20

-- What its process has written to its standard error since.
local function complaint(self)
  local text = self.log and self.log:read("*a") or ""
  return text ~= "" and "\n" .. text or ""
end

-- One control call; raises, for a sandbox that does not answer is the end of the test that uses it.
local function call(self, method, path, body)
  local text, out = body and cjson.encode(body) or "", {}
  local request = {
    url = self.control_url .. "/_sandbox/" .. path, method = method, sink = ltn12.sink.table(out),
    source = ltn12.source.string(text),
    headers = { ["content-type"] = "application/json", ["content-length"] = #text },
  }
  local ok, status, headers = http(request, self.ca_file)
  if not ok then error("sandbox: " .. errors.text(status) .. complaint(self), 3) end
  if headers == nil or headers["x-fogcloud-sandbox"] == nil then error(self.url .. " is not a sandbox", 3) end
  local said = table.concat(out)
  local reply = cjson.decode(said)
  if status ~= 200 and path ~= "health" then error("sandbox: " .. (reply.error or said), 3) end
  return reply, status
end

local function fill(self)
  local info = call(self, "GET", "info")
  for name, value in pairs(info) do
    -- What the caller of attach said is better known to reach it.
    if name ~= "client_id" and name ~= "client_secret" and name ~= "pid" and self[name] == nil then
      self[name] = value
    end
  end
  -- JSON has no integers of its own; without this Lua 5.3 and 5.4 would print "1883.0".
  self.mqtt_port, self.tls_port = math.floor(info.mqtt_port), math.floor(info.tls_port)
  self.account = { client_id = info.client_id, client_secret = info.client_secret }
  return self
end

--- The handle of a running sandbox. Raises when there is none at the URL.
---@param url string?      default FOGCLOUD_BASE_URL
---@param ca_file string?  default FOGCLOUD_CA_FILE; for one that serves its API over TLS
---@return fogcloud.Sandbox
function Sandbox.attach(url, ca_file)
  url = url or os.getenv("FOGCLOUD_BASE_URL")
  if type(url) ~= "string" then error("url: string expected; start a sandbox and export what it prints", 2) end
  local control_url = url:gsub("/+$", "")
  ca_file = ca_file or os.getenv("FOGCLOUD_CA_FILE")
  return fill(setmetatable({ url = url, control_url = control_url, ca_file = ca_file }, Sandbox))
end

-- Where bin/fogcloud's work is done, for a Lua that knows the same modules as this one.
local LAUNCH = [[package.path, package.cpath = %q, %q
os.exit(require("fogcloud.cli").run(%s), true)]]

---@class (exact) fogcloud.SandboxOptions
---@field seed table?                   accounts, apps, products and devices, instead of the default's
---@field devices integer?              so many more: device1, device2, ..., with the passwords device1-secret, ...
---@field faults table[]?               as of `fail`
---@field data string?                  folder that keeps the state; without it everything is gone at the end
---@field address string?               IPv4 address to listen at, default 127.0.0.1
---@field token_life integer?           seconds, default 604800
---@field rng_seed integer?             makes ids and secrets repeatable
---@field tls boolean?                  the API over TLS too
---@field port integer?                 fixed, as mqtt_port and tls_port; default free ones
---@field mqtt_port integer?
---@field tls_port integer?
---@field cert_days integer?            life of the certificate; negative: it expired so long ago
---@field cert_host string?             host name that it is made for, default localhost
---@field persistence boolean?          the broker keeps sessions and messages while stopped, not when killed
---@field client_certificates boolean?  the TLS port demands one: client_cert_file, client_key_file are there
---@field mqtt_faults boolean?          a relay in front of the broker, for fail_mqtt and kick
---@field broker_log string?            what mosquitto logs, to mosquitto.log beside ca_file: "all"
---@field lua string?                   the interpreter, default this one

local function quoted_list(args)
  local out = { '"sandbox"' }
  for _, text in ipairs(args) do out[#out + 1] = ("%q"):format(text) end
  return "{" .. table.concat(out, ",") .. "}"
end

-- The seed goes through a file: a large one is too long for a command line.
local function write_seed(seed)
  if seed == nil then return nil end
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(cjson.encode(seed))
  file:close()
  return path
end

-- The first line of what the child prints.
local function read_line(fd)
  local text, deadline = "", core.now() + START_WAIT
  while not text:find("\n") do
    local ready = core.poll({ fd }, math.max(0, deadline - core.now()))
    local more = ready[fd] and core.read(fd)
    if not more or more == "" then break end
    text = text .. more
  end
  return text:match("^(.-)\n")
end

-- The child process. What it writes to its standard error is read from a file that has no name any more.
local function launch(options)
  local log, seed_file = os.tmpname(), write_seed(options.seed)
  local args = options_of.arguments(options)
  for _, text in ipairs { "--until-eof", "--json", seed_file and "--seed=" .. seed_file } do args[#args + 1] = text end
  local code = LAUNCH:format(package.path, package.cpath, quoted_list(args))
  local pid, to, from = core.spawn({ options.lua or interpreter.find(), "-e", code }, log)
  local file = io.open(log, "r")
  os.remove(log)
  if pid == nil then
    if seed_file then os.remove(seed_file) end
    error("the sandbox does not start: " .. to, 3)
  end
  return setmetatable({ pid = pid, fds = { to, from }, log = file, seed_file = seed_file }, Sandbox)
end

--- Starts a sandbox as a child of this process, on free ports; it ends with this process at the latest. Blocks until
--- it is ready (well under a second). Raises when it cannot start.
---@param options fogcloud.SandboxOptions?
---@return fogcloud.Sandbox
function Sandbox.start(options)
  options = options or {}
  local fine, wrong = options_of.check(options)
  if not fine then error(wrong, 2) end
  local self = launch(options)
  local ok, why = pcall(function()
    local line = read_line(self.fds[2])
    if line == nil then error("the sandbox does not start" .. complaint(self), 0) end
    local info = cjson.decode(line)
    self.url, self.control_url, self.ca_file, self.console = info.url, info.url, info.ca_file, info.console
    fill(self)
    for _, fault in ipairs(options.faults or {}) do self:fail(fault) end
  end)
  if self.seed_file then os.remove(self.seed_file) end
  if ok then return self end
  self:stop()
  error((why:gsub("^%S-:%d+: ", "")), 2)
end

--- Ends a sandbox that `start` made, and waits until nothing of it is left. Harmless twice.
function Sandbox:stop()
  if self.pid == nil then return end
  child.stop(self.pid)
  for _, fd in ipairs(self.fds) do core.close_fd(fd) end
  if self.log then self.log:close() end
  self.pid, self.log = nil, nil
end

--- What fogcloud.new wants.
function Sandbox:options()
  return {
    base_url = self.url, ca_pem = self.ca,
    client_id = self.account.client_id, client_secret = self.account.client_secret,
  }
end

--- Makes requests fail: { endpoint =, count =, probability =, code | status | delay | cut | lost | … }; see
--- docs/sandbox.md.
function Sandbox:fail(fault) call(self, "POST", "faults", fault) end

--- Those that are armed and those that are used up: their fields, id, how often they struck, what is left to them.
function Sandbox:faults() return call(self, "GET", "faults").faults end

--- No fault is left.
function Sandbox:heal() call(self, "DELETE", "faults") end

--- Makes MQTT fail, for a sandbox started with `mqtt_faults`: { refuse | half_open | connack | cut_after, mid_packet |
--- delay_ms | rate | puback }; replaces what was said before. See docs/sandbox.md.
function Sandbox:fail_mqtt(rules) call(self, "POST", "mqtt", rules) end

--- MQTT works again.
function Sandbox:heal_mqtt() call(self, "DELETE", "mqtt") end

--- Closes the connections of a client id, or all; how many.
function Sandbox:kick(clientid) return call(self, "POST", "mqtt", { kick = clientid or "*" }).kicked end

--- Moves the sandbox's time by so many seconds.
function Sandbox:advance(seconds) call(self, "POST", "clock", { advance = seconds }) end

--- Its time: { now = seconds since the epoch, frozen = boolean, life = seconds of tokens issued from now on }.
function Sandbox:clock() return (call(self, "GET", "clock")) end

--- Stops its time; `false` lets it go on.
function Sandbox:freeze(on) call(self, "POST", "clock", { freeze = on ~= false }) end

--- Back to the seed: state, clock, faults, journal; the broker is another one, so open sessions end, and nothing is
--- retained.
function Sandbox:reset() call(self, "POST", "reset") end

--- More of everything: a table like the seed.
function Sandbox:add(seed) call(self, "POST", "seed", seed) end

local function escaped(value)
  return (tostring(value):gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function query(filter)
  local parts = {}
  for name, value in pairs(filter or {}) do parts[#parts + 1] = escaped(name) .. "=" .. escaped(value) end
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

--- The requests that came, oldest first: time, endpoint, method, path, params, code, status, request_id.
---@param filter table?  fields that must be equal, { endpoint = "token" }: all but params; raises for others
function Sandbox:journal(filter) return call(self, "GET", "journal" .. query(filter)).entries end

--- Forgets them.
function Sandbox:clear_journal() call(self, "DELETE", "journal") end

--- How many of them came.
function Sandbox:count(filter) return call(self, "GET", "count" .. query(filter)).count end

--- Tokens issued from now on live so many seconds.
function Sandbox:token_life(seconds) call(self, "POST", "tokens", { life = seconds }) end

--- Forgets a token, or all of them: the API then answers 10101.
function Sandbox:revoke_token(token) call(self, "POST", "tokens", { revoke = token or "*" }) end

--- Answers HTTP 200 to everything, as some clouds do.
function Sandbox:always_200(on) call(self, "POST", "switches", { always_200 = on ~= false }) end

--- Ends ("stop"), kills ("kill") or starts ("start") the broker; it keeps its ports.
function Sandbox:broker(action) call(self, "POST", "broker", { action = action }) end

--- What happened, oldest first, after the entry of this number; see docs/sandbox.md.
---@param after integer?
function Sandbox:timeline(after)
  return call(self, "GET", ("timeline?after=%d"):format(after or 0)).entries
end

--- A test file of what happened between two numbers of the timeline.
---@param after integer  the number before the first
---@param upto integer?  the last
---@param as string?     "busted", "pytest", or "json", the steps of `fogcloud sandbox replay`
---@return string
function Sandbox:spec(after, upto, as)
  local path = ("spec?after=%d&as=%s"):format(after, as or "busted")
  return call(self, "GET", path .. (upto and ("&upto=%d"):format(upto) or "")).text
end

--- All that a program needs to use it, as `GET info` has it.
function Sandbox:info() return (call(self, "GET", "info")) end

--- All tables of the store, secrets as hashes.
function Sandbox:state() return (call(self, "GET", "state")) end

--- { http =, store =, broker = }, and whether all serve.
function Sandbox:health()
  local reply, status = call(self, "GET", "health")
  return reply, status == 200
end

local function find_device(self, id)
  for _, device in ipairs(self.devices) do
    if device.id == id then return device end
  end
  return nil
end

--- A simulated device, connected: on_command(fn), report(channel, value), close(), and its clientid.
---@param id string  one of the seed's, or of those added since the sandbox was started
function Sandbox:device(id)
  local device = find_device(self, id)
  if device == nil then -- added meanwhile, perhaps
    self.devices = call(self, "GET", "info").devices
    device = find_device(self, id)
  end
  if device then return require("fogcloud.sandbox.device").connect(self, id, device.password) end
  error(("device '%s' is neither in the seed nor was it added"):format(errors.text(id)), 2)
end

return Sandbox
