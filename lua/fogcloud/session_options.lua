-- SPDX-License-Identifier: MIT

--- What `connect` takes, checked in one place, and how it becomes the core's options of one link. Pure.
local options = {}

---@class (exact) fogcloud.SessionOptions
---@field tls boolean?             default true: TLS on `sslport`, certificate and host name checked
---@field ca_file string?          PEM file of the authorities to trust instead of the system's
---@field ca_pem string?           the same as text
---@field cert_file string?        client certificate (PEM)
---@field key_file string?         its private key (PEM)
---@field key_password string?     its pass phrase
---@field version string?          "3.1.1" (default) or "5.0"
---@field clean boolean?           default true; false keeps the session at the broker over disconnections
---@field session_expiry number?   seconds the broker keeps it (MQTT 5)
---@field receive_maximum integer? QoS 1 and 2 messages the broker may have in flight to us (MQTT 5)
---@field keepalive number?        seconds, 0 to 65535, default 60
---@field connect_timeout number?  seconds for one attempt, default 30
---@field timeout number?          seconds for a call that waits for the broker, default 30
---@field max_attempts integer?    attempts in a row to reconnect, default without end
---@field backoff_base number?     seconds, default 1
---@field backoff_cap number?      seconds, default 60
---@field stable_after number?     seconds up before the backoff starts anew, default 10
---@field will table?              { topic=, payload=, qos=, retained= }
---@field credentials function?    gives fresh credentials after a refusal: a table like the first, or nil, err
---@field out_count integer?       messages queued for sending at most, default 10000
---@field out_bytes integer?       bytes queued for sending at most, default 16 MiB
---@field in_count integer?        messages received and not handled yet at most, default 10000
---@field in_bytes integer?        bytes of them at most, default 16 MiB
---@field max_handlers integer?    handlers that may be waiting in a yield at once, default 100
---@field transport string?        "tcp" (default) or "websockets"
---@field topics table?            templates of device.lua

local SPEC = {
  tls = "boolean", ca_file = "string", ca_pem = "string", cert_file = "string", key_file = "string",
  key_password = "string", version = "string", clean = "boolean", session_expiry = "number", receive_maximum = "number",
  keepalive = "number", connect_timeout = "number", timeout = "number", max_attempts = "number",
  backoff_base = "number", backoff_cap = "number", stable_after = "number", will = "table", credentials = "function",
  out_count = "number", out_bytes = "number", in_count = "number", in_bytes = "number", max_handlers = "number",
  transport = "string", topics = "table", window = "number",
}

local DEFAULTS = {
  tls = true, version = "3.1.1", clean = true, keepalive = 60, connect_timeout = 30, timeout = 30,
  max_attempts = math.huge, backoff_base = 1, backoff_cap = 60, stable_after = 10, max_handlers = 100,
  transport = "tcp",
}

local VERSIONS = { ["3.1.1"] = 4, ["5.0"] = 5 }
local TRANSPORTS = { tcp = true, websockets = true }

local function check_types(given, level)
  for name, value in pairs(given) do
    local expected = SPEC[name]
    if expected == nil then error(("unknown session option '%s'"):format(tostring(name)), level) end
    if type(value) ~= expected then
      error(("session option '%s': %s expected, got %s"):format(name, expected, type(value)), level)
    end
  end
end

local function check_will(will, level)
  if type(will.topic) ~= "string" or will.topic == "" then
    error("session option 'will': 'topic' must be a non-empty string", level)
  end
end

--- The options with their defaults; wrong ones raise at the caller of the caller.
---@param given fogcloud.SessionOptions?
---@return table
function options.check(given, level)
  level = (level or 1) + 1
  given = given or {}
  check_types(given, level + 1)
  local result = {}
  for name, value in pairs(DEFAULTS) do result[name] = value end
  for name, value in pairs(given) do result[name] = value end
  if not VERSIONS[result.version] then error("session option 'version': '3.1.1' or '5.0' expected", level) end
  if not TRANSPORTS[result.transport] then
    error("session option 'transport': 'tcp' or 'websockets' expected", level)
  end
  if result.will then check_will(result.will, level) end
  return result
end

local CREDENTIALS = { "clientid", "loginname", "password", "mqtthost" }

--- Raises unless the table is what create_client returns; the port that is not used may be missing.
function options.check_credentials(credentials, opts, level)
  level = (level or 1) + 1
  if type(credentials) ~= "table" then
    error(("credentials: table expected, got %s"):format(type(credentials)), level)
  end
  for _, name in ipairs(CREDENTIALS) do
    if type(credentials[name]) ~= "string" or credentials[name] == "" then
      error(("credentials: field '%s' must be a non-empty string"):format(name), level)
    end
    if credentials[name]:find("%z") then error(("credentials: field '%s' holds a NUL byte"):format(name), level) end
  end
  local port = opts.tls and "sslport" or "mqttport"
  local value = credentials[port]
  if type(value) ~= "number" or value % 1 ~= 0 or value < 1 or value > 65535 then
    error(("credentials: field '%s' must be a port number"):format(port), level)
  end
end

local function uri(credentials, opts)
  local scheme
  if opts.transport == "websockets" then
    scheme = opts.tls and "wss" or "ws"
  else
    scheme = opts.tls and "ssl" or "tcp"
  end
  local host = credentials.mqtthost
  if host:find(":", 1, true) and host:sub(1, 1) ~= "[" then host = "[" .. host .. "]" end
  return ("%s://%s:%d"):format(scheme, host, opts.tls and credentials.sslport or credentials.mqttport)
end

--- The core's options for link number `link`.
function options.link(credentials, opts, link)
  local will = opts.will or {}
  return {
    link = link,
    uri = uri(credentials, opts),
    client_id = credentials.clientid,
    username = credentials.loginname,
    password = credentials.password,
    tls = opts.tls,
    ca_file = opts.ca_file,
    ca_pem = opts.ca_pem,
    cert_file = opts.cert_file,
    key_file = opts.key_file,
    key_password = opts.key_password,
    version = VERSIONS[opts.version],
    clean = opts.clean,
    session_expiry = opts.session_expiry,
    receive_maximum = opts.receive_maximum,
    keepalive = opts.keepalive,
    connect_timeout = math.max(1, math.ceil(opts.connect_timeout)),
    will_topic = will.topic,
    will_payload = will.payload,
    will_qos = will.qos,
    will_retained = will.retained,
  }
end

--- The core's bounds of a session.
function options.limits(opts)
  return {
    in_count = opts.in_count, in_bytes = opts.in_bytes, out_count = opts.out_count, out_bytes = opts.out_bytes,
    window = opts.window,
  }
end

return options
