-- SPDX-License-Identifier: MIT

--- What `connect` takes, checked in one place, and how it becomes the core's options of one link. Pure.
local check = require "fogcloud.check"
local core = require "fogcloud.core"
local drivers = require "fogcloud.mqtt.drivers"
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
---@field session_expiry integer?  seconds the broker keeps it (MQTT 5), over lost links with clean = true, too; default
---                                with clean = false: for ever
---@field receive_maximum integer? QoS 1 and 2 messages the broker may have in flight to us (MQTT 5)
---@field properties fogcloud.Properties?  of CONNECT (MQTT 5): user_properties, maximum_packet_size,
---                                topic_alias_maximum (default 16), request_response_information,
---                                request_problem_information
---@field authentication fogcloud.Authentication?  MQTT 5: an exchange of AUTH packets (4.12)
---@field keepalive integer?       seconds, 0 (off) to 65535, default 60; a link on which nothing is answered any more
---                                is found dead within 1.5 of them
---@field acknowledge string?      "handled" (default with clean = false): QoS 1 and 2 are acknowledged once their
---                                handlers have returned, in the order of arrival; "received" (default with
---                                clean = true): once they were taken in
---@field hold boolean?            true: at the bound of the inbox QoS 0 waits at the broker, too, instead of being
---                                dropped
---@field retry boolean?           true: connect returns a session although the first attempt failed for a reason that
---                                may pass, and it goes on trying
---@field thread boolean?          default true; false: no thread, the link is served while the program waits or steps;
---                                the plain host only, see the guide for what it costs
---@field driver string?           "native" (default) or "paho"; FOGCLOUD_MQTT_DRIVER sets the default
---@field server_name string?      the name in the broker's certificate, where it is not mqtthost's
---@field alpn string?             TLS: protocol names to offer, with commas ("mqtt")
---@field path string?             of the WebSocket, default "/mqtt"
---@field headers table<string, string>?  more header fields of the WebSocket's request
---@field proxy string?            "http://[user:password@]host:port": the connection goes through it (CONNECT)
---@field connect_timeout number?  seconds for one attempt, default 30
---@field timeout number?          seconds for a call that waits for the broker, default 30
---@field max_attempts integer?    attempts in a row to reconnect, default without end
---@field backoff_base number?     seconds, default 1
---@field backoff_cap number?      seconds, default 60
---@field stable_after number?     seconds up before the backoff starts anew, default 10
---@field will fogcloud.Will?      what the broker sends when we are gone without a goodbye
---@field journal string?          file that keeps the session over the death of the process: what is queued and on its
---                                way with QoS 1 and 2, and which messages of QoS 2 were received
---@field journal_sync string?     "normal" (default): the journal survives the death of the process; "full": a power
---                                cut, too, at the price of a sync of the disk for each batch
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
---@field transport string?        "tcp" (default) or "websockets"
---@field topics fogcloud.Topics?  where devices talk

---@class (exact) fogcloud.Authentication
---@field method string           its name (MQTT 5, 3.1.2.11.9)
---@field data string?            what CONNECT carries
---@field respond fun(data: string?, code: integer): string?  the answer to the broker's AUTH; runs as a task

local SPEC = {
  tls = "boolean", ca_file = "string", ca_pem = "string", cert_file = "string", key_file = "string",
  key_password = "string", version = "string", clean = "boolean", session_expiry = { "whole", 0, 4294967295 },
  receive_maximum = { "whole", 1, 65535 }, paused = "boolean", acknowledge = "string", hold = "boolean",
  retry = "boolean", thread = "boolean", driver = "string", server_name = "string", alpn = "string", path = "string",
  headers = "table", proxy = "string", authentication = "table", keepalive = { "whole", 0, 65535 },
  connect_timeout = { "number", 0, 3600 }, timeout = { "number", 0, math.huge },
  max_attempts = { "number", 1, math.huge }, backoff_base = { "number", 0, math.huge },
  backoff_cap = { "number", 0, math.huge }, stable_after = { "number", 0, math.huge }, will = "table",
  credentials = "function", out_count = { "whole", 1, 1e9 }, out_bytes = { "whole", 1, 1e12 },
  in_count = { "whole", 1, 1e9 }, in_bytes = { "whole", 1, 1e12 }, max_handlers = { "whole", 1, 1e9 },
  transport = "string", topics = "table", window = { "whole", 1, 65535 }, journal = "string",
  journal_sync = "string", properties = "table",
}

local DEFAULTS = {
  tls = true, version = "3.1.1", clean = true, keepalive = 60, connect_timeout = 30, timeout = 30,
  max_attempts = math.huge, backoff_base = 1, backoff_cap = 60, stable_after = 10, max_handlers = 100,
  transport = "tcp", thread = true, in_count = 10000, in_bytes = 16 * 1024 * 1024,
}

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

local MOST_TEXT = 65535 -- bytes that the length of a field can say (1.5.4, 1.5.6)

local WILL = { topic = "string", payload = "string", qos = "number", retained = "boolean", properties = "table" }

local function wrong_will(will)
  local unknown = "session option 'will': unknown or wrong field '%s'"
  local wrong = check.fields(WILL, will, unknown, unknown)
  if wrong then return wrong end
  local ok, why = topic_rules.valid_topic(will.topic)
  if not ok then return "session option 'will': topic: " .. why end
  local qos = will.qos or 0
  if qos ~= 0 and qos ~= 1 and qos ~= 2 then return "session option 'will': qos: 0, 1 or 2 expected" end
  if #(will.payload or "") > MOST_TEXT then -- 3.1.3.3: its length has two bytes
    return ("session option 'will': payload: at most %d bytes expected"):format(MOST_TEXT)
  end
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
  for _, name in ipairs { "properties", "session_expiry", "receive_maximum", "authentication" } do
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
    local path, readable, why = opts[name], true, nil
    if path then readable, why = core.file.readable(path) end
    if not readable then
      return nil, errors.new("tls", ("a certificate file cannot be read: check %s (%s: %s)"):format(name, path, why))
    end
  end
  return true
end

local SYNC = { normal = true, full = true }
local ACKNOWLEDGE = { handled = true, received = true }
local AUTHENTICATION = { method = "string", data = "string", respond = "function" }

local function check_authentication(how, level)
  options.check_all(AUTHENTICATION, how, "authentication", level + 1)
  if how.method == nil or how.respond == nil then
    error("session option 'authentication': 'method' and 'respond' are required", level)
  end
end

-- "http://user:password@host:port" in its parts.
local function proxy_parts(text, level)
  local rest = text:match("^http://([^/]+)/?$")
  local login, address = (rest or ""):match("^(.*)@([^@]*)$")
  local host, port = (address or rest or ""):match("^(.*):(%d+)$")
  port = tonumber(port)
  if not host or host == "" or port < 1 or port > 65535 then
    error("session option 'proxy': http://[user:password@]host:port expected", level)
  end
  local user, password = (login or ""):match("^([^:]*):?(.*)$")
  return { host = host:match("^%[(.*)%]$") or host, port = port, user = login and user, password = login and password }
end

local function header_lines(headers, level)
  local lines = {}
  for name, value in pairs(headers) do
    if type(name) ~= "string" or name:find("[^%w!#$%%&'*+%-.^_`|~]") or name == "" or type(value) ~= "string"
      or value:find("[%c]") then
      error("session option 'headers': names and values of header fields expected", level)
    end
    lines[#lines + 1] = ("%s: %s\r\n"):format(name, value)
  end
  table.sort(lines)
  return table.concat(lines)
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
  result.driver_module = drivers.find(result, level + 1)
  if result.acknowledge == nil then
    local holds = result.capabilities == nil or result.capabilities.hold
    result.acknowledge = (result.clean or not holds) and "received" or "handled"
  end
  if not ACKNOWLEDGE[result.acknowledge] then
    error("session option 'acknowledge': 'handled' or 'received' expected", level)
  end
  if result.journal_sync and not SYNC[result.journal_sync] then
    error("session option 'journal_sync': 'normal' or 'full' expected", level)
  end
  if result.authentication then check_authentication(result.authentication, level + 1) end
  if result.ca_file and result.ca_pem then
    error("session options 'ca_file' and 'ca_pem': give one of them", level)
  end
  result.proxy_parts = result.proxy and proxy_parts(result.proxy, level + 1)
  result.header_lines = result.headers and header_lines(result.headers, level + 1)
  result.connect_properties = result.properties
  result.properties = options.properties(result.properties, "connect", level)
  result.will_properties = options.properties(result.will and result.will.properties, "will", level)
  return result
end

local CREDENTIALS = { "clientid", "loginname", "password", "mqtthost" }
local MAY_BE_EMPTY = { clientid = true, loginname = true, password = true } -- no id of ours, no login

-- What makes a text of the credentials unusable; nil when nothing does.
local function wrong_text(name, value)
  if value == nil and MAY_BE_EMPTY[name] then return nil end
  if type(value) ~= "string" or (value == "" and not MAY_BE_EMPTY[name]) then return "must be a non-empty string" end
  if #value > MOST_TEXT then return ("has more than %d bytes"):format(MOST_TEXT) end
  if name == "password" then return nil end -- any bytes (3.1.3.5)
  if value:find("%z") then return "holds a NUL byte" end
  if not topic_rules.is_utf8(value) then return "must be UTF-8" end
  return nil
end

--- Raises unless the table is what create_client returns; id, login and password may be missing, and so may the port
--- that is not used.
function options.check_credentials(credentials, opts, level)
  level = (level or 1) + 1
  if type(credentials) ~= "table" then
    error(("credentials: table expected, got %s"):format(type(credentials)), level)
  end
  for _, name in ipairs(CREDENTIALS) do
    local why = wrong_text(name, credentials[name])
    if why then error(("credentials: field '%s' %s"):format(name, why), level) end
  end
  if opts.version ~= "5.0" and not opts.clean and (credentials.clientid or "") == "" then -- MQTT-3.1.3-8 (3.1.1)
    error("credentials: field 'clientid' must not be empty with clean = false", level)
  end
  if opts.version ~= "5.0" and credentials.password and credentials.loginname == nil then
    error("credentials: field 'password' needs 'loginname' (MQTT 3.1.1, 3.1.2.9)", level)
  end
  local port = opts.tls and "sslport" or "mqttport"
  if check.value({ "whole", 1, 65535 }, credentials[port]) then
    error(("credentials: field '%s' must be a port number"):format(port), level)
  end
end

---@class (exact) fogcloud.Goodbye
---@field reason integer?          MQTT 5: the reason code of DISCONNECT (3.14.2.1); 4: with the will
---@field session_expiry integer?  MQTT 5: seconds from now that the broker keeps the session (3.14.2.2.2)
---@field properties fogcloud.Properties?  MQTT 5: reason_string, user_properties

-- What a client may give (MQTT 5, table 3-13).
local REASONS = {
  [0x00] = true, [0x04] = true, [0x80] = true, [0x81] = true, [0x82] = true, [0x83] = true, [0x90] = true,
  [0x93] = true, [0x94] = true, [0x95] = true, [0x96] = true, [0x97] = true, [0x98] = true, [0x99] = true,
}
local GOODBYE = { reason = "number", session_expiry = "number", properties = "table" }

--- The goodbye as the core takes it; nil stays nil, wrong ones raise.
---@param given fogcloud.Goodbye?
---@return table?  reason, properties
function options.goodbye(given, version, level)
  if given == nil then return nil end
  level = level + 1
  options.check_all(GOODBYE, given, "close", level)
  if version ~= "5.0" and next(given) ~= nil then error("close: options need version = '5.0'", level) end
  local reason = given.reason or 0
  if not REASONS[reason] then
    error("close option 'reason': a code that a client's DISCONNECT may have expected (MQTT 5, 3.14.2.1)", level)
  end
  local properties = {}
  for name, value in pairs(given.properties or {}) do properties[name] = value end
  properties.session_expiry_interval = given.session_expiry
  return { reason = reason, properties = options.properties(properties, "disconnect", level) }
end

return options
