-- SPDX-License-Identifier: MIT

--- What `connect` takes, checked in one place, and how it becomes the core's options of one link. Pure.
local check = require "fogcloud.check"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local topic_rules = require "fogcloud.mqtt.topic"

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
---@field session_expiry integer?  seconds the broker keeps it (MQTT 5); default with clean = false: for ever
---@field receive_maximum integer? QoS 1 and 2 messages the broker may have in flight to us (MQTT 5)
---@field properties fogcloud.Properties?  of CONNECT (MQTT 5): user_properties, maximum_packet_size,
---                                request_response_information, request_problem_information
---@field keepalive integer?       seconds, 0 (off) to 65535, default 60; from 2 on a link on which nothing is
---                                answered any more is found dead within 1.5 of them
---@field connect_timeout number?  seconds for one attempt, default 30
---@field timeout number?          seconds for a call that waits for the broker, default 30
---@field max_attempts integer?    attempts in a row to reconnect, default without end
---@field backoff_base number?     seconds, default 1
---@field backoff_cap number?      seconds, default 60
---@field stable_after number?     seconds up before the backoff starts anew, default 10
---@field will fogcloud.Will?      what the broker sends when we are gone without a goodbye
---@field journal string?          file that keeps what is queued with QoS 1 and 2 over the death of the process
---@field credentials function?    gives fresh credentials after a refusal: a table like the first, or nil, err; asked
---                                once until a link was stable, and again where err.retryable is true
---@field out_count integer?       messages queued for sending at most, default 10000
---@field out_bytes integer?       bytes queued for sending at most, default 16 MiB
---@field in_count integer?        messages received and not handled yet at most, default 10000
---@field in_bytes integer?        bytes of them at most, default 16 MiB
---@field window integer?          messages sent and not acknowledged at most, default 128
---@field paused boolean?          no message is handled before session:resume(): for clean = false, where what the
---                              broker has kept comes before any handler can be subscribed
---@field max_handlers integer?    handlers that may be waiting in a yield at once, default 100
---@field transport string?        "tcp" (default) or "websockets", of which a process may have one session at a time:
---                                Paho 1.3.12 keeps the frame that it reads in one place for all
---@field topics fogcloud.Topics?  where devices talk

local SPEC = {
  tls = "boolean", ca_file = "string", ca_pem = "string", cert_file = "string", key_file = "string",
  key_password = "string", version = "string", clean = "boolean", session_expiry = { "whole", 0, 4294967295 },
  receive_maximum = { "whole", 1, 65535 }, paused = "boolean", keepalive = { "whole", 0, 65535 },
  connect_timeout = { "number", 0, 3600 }, timeout = { "number", 0, math.huge },
  max_attempts = { "number", 1, math.huge }, backoff_base = { "number", 0, math.huge },
  backoff_cap = { "number", 0, math.huge }, stable_after = { "number", 0, math.huge }, will = "table",
  credentials = "function", out_count = { "whole", 1, 1e9 }, out_bytes = { "whole", 1, 1e12 },
  in_count = { "whole", 1, 1e9 }, in_bytes = { "whole", 1, 1e12 }, max_handlers = { "whole", 1, 1e9 },
  transport = "string", topics = "table", window = { "whole", 1, 65535 }, journal = "string", properties = "table",
}

local DEFAULTS = {
  tls = true, version = "3.1.1", clean = true, keepalive = 60, connect_timeout = 30, timeout = 30,
  max_attempts = math.huge, backoff_base = 1, backoff_cap = 60, stable_after = 10, max_handlers = 100,
  transport = "tcp", in_count = 10000, in_bytes = 16 * 1024 * 1024,
}
local FOR_EVER = 4294967295 -- MQTT 5, 3.1.2.11.2

local VERSIONS = { ["3.1.1"] = 4, ["5.0"] = 5 }
local TRANSPORTS = { tcp = true, websockets = true }

--- Raises at `level` unless the option is known and of the type that it has in `spec`.
---@param what string  whose option, for the text: "session", "publish", …
function options.check_type(spec, name, value, what, level)
  options.check_all(spec, { [name] = value }, what, level)
end

--- The same of a call's whole table of options, which may be missing.
function options.check_all(spec, opts, what, level)
  local wrong = opts ~= nil and check.options(spec, opts, what)
  if wrong then error(wrong, level) end
end

local CALL = { timeout = "number" }

--- Those of a call that takes nothing but a time-out.
function options.check_call(opts, what, level) options.check_all(CALL, opts, what, level + 1) end

local WILL = { topic = "string", payload = "string", qos = "number", retained = "boolean", properties = "table" }

local function wrong_will(will)
  local unknown = "session option 'will': unknown or wrong field '%s'"
  local wrong = check.fields(WILL, will, unknown, unknown)
  if wrong then return wrong end
  local ok, why = topic_rules.valid_topic(will.topic)
  if not ok then return "session option 'will': topic: " .. why end
  local qos = will.qos or 0
  if qos ~= 0 and qos ~= 1 and qos ~= 2 then return "session option 'will': qos: 0, 1 or 2 expected" end
  return nil
end

local TOPICS = {
  from_device = function(template) return select(2, topic_rules.valid_filter(template)) end,
  to_device = function(template) return select(2, topic_rules.valid_topic(template)) end,
}

local function wrong_topics(topics)
  return check.fields(TOPICS, topics, "session option 'topics': unknown field '%s'", "session option 'topics': %s: %s")
end

-- What only MQTT 5 has.
local function wrong_version(result)
  if result.version == "5.0" then return nil end
  for _, name in ipairs { "properties", "session_expiry", "receive_maximum" } do
    if result[name] ~= nil then return ("session option '%s' needs version = '5.0'"):format(name) end
  end
  if result.will and result.will.properties then return "session option 'will': properties need version = '5.0'" end
  return nil
end

-- What is wrong with options that have their defaults; nil when nothing is.
local function wrong_together(result)
  if not VERSIONS[result.version] then return "session option 'version': '3.1.1' or '5.0' expected" end
  if not TRANSPORTS[result.transport] then return "session option 'transport': 'tcp' or 'websockets' expected" end
  if result.ca_pem and not result.ca_pem:find("-----BEGIN [%u ]*CERTIFICATE-----") then
    return "session option 'ca_pem': certificates as PEM expected"
  end
  return (result.will and wrong_will(result.will)) or (result.topics and wrong_topics(result.topics))
    or wrong_version(result)
end

--- MQTT 5 properties as the core takes them; wrong ones raise at `level`, nil stays nil.
---@param properties table?
---@param packet string  "connect", "will", "publish" or "subscribe"
---@return string?
function options.properties(properties, packet, level)
  if properties == nil then return nil end
  local ok, bytes = pcall(core.properties, properties, packet)
  if not ok then error(bytes, level + 1) end
  return bytes
end

--- Whether the files of certificates can be read: the TLS library would only say that something failed.
---@return boolean? ok
---@return fogcloud.Error? err
function options.check_files(opts)
  if not opts.tls then return true end
  for _, name in ipairs { "ca_file", "cert_file", "key_file" } do
    local file, why = true, nil
    if opts[name] then file, why = io.open(opts[name], "rb") end
    if not file then
      return nil, errors.new("tls", ("a certificate file cannot be read: check %s (%s)"):format(name, why))
    end
    if file ~= true then file:close() end
  end
  return true
end

--- The options with their defaults; wrong ones raise at the caller of the caller.
---@param given fogcloud.SessionOptions?
---@return table
function options.check(given, level)
  level = (level or 1) + 1
  given = given or {}
  local wrong = check.options(SPEC, given, "session")
  if wrong then error(wrong, level) end
  local result = {}
  for name, value in pairs(DEFAULTS) do result[name] = value end
  for name, value in pairs(given) do result[name] = value end
  wrong = wrong_together(result)
  if wrong then error(wrong, level) end
  result.properties = options.properties(result.properties, "connect", level)
  result.will_properties = options.properties(result.will and result.will.properties, "will", level)
  return result
end

-- What makes a text of the credentials unusable; nil when nothing does.
local function wrong_text(name, value)
  if type(value) ~= "string" or value == "" then return "must be a non-empty string" end
  if value:find("%z") then return "holds a NUL byte" end
  if name ~= "password" and not topic_rules.is_utf8(value) then return "must be UTF-8" end
  return nil
end

local CREDENTIALS = { "clientid", "loginname", "password", "mqtthost" }
local OPTIONAL = { loginname = true, password = true } -- where a broker knows no users

--- Raises unless the table is what create_client returns; the port that is not used may be missing, and the login.
function options.check_credentials(credentials, opts, level)
  level = (level or 1) + 1
  if type(credentials) ~= "table" then
    error(("credentials: table expected, got %s"):format(type(credentials)), level)
  end
  for _, name in ipairs(CREDENTIALS) do
    local value = credentials[name]
    local why = (value ~= nil or not OPTIONAL[name]) and wrong_text(name, value)
    if why then error(("credentials: field '%s' %s"):format(name, why), level) end
  end
  if credentials.password and not credentials.loginname then
    error("credentials: field 'password' needs 'loginname' (MQTT 3.1.1, 3.1.2.9)", level)
  end
  local port = opts.tls and "sslport" or "mqttport"
  if check.value({ "whole", 1, 65535 }, credentials[port]) then
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
    session_expiry = opts.session_expiry or (opts.version == "5.0" and not opts.clean and FOR_EVER or nil),
    properties = opts.properties,
    receive_maximum = opts.receive_maximum,
    keepalive = opts.keepalive,
    connect_timeout = math.max(1, math.ceil(opts.connect_timeout)),
    will_topic = will.topic,
    will_payload = will.payload,
    will_qos = will.qos,
    will_retained = will.retained,
    will_properties = opts.will_properties,
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
