-- SPDX-License-Identifier: MIT

--- A broker that the person names, as mosquitto_pub and mosquitto_sub have it named: no account is needed for it.
local core = require "fogcloud.core"
local input = require "fogcloud.cli.input"
local number = require "fogcloud.cli.number"
local properties = require "fogcloud.cli.properties"

local broker = {}

local PLAIN_PORT, TLS_PORT = 1883, 8883

local function keyform(text)
  if text == "pem" then return text end
  return nil, ("--keyform: only pem is taken, got '%s': engines are not used"):format(text)
end

local function tls_version(text)
  if text == "tlsv1.2" then return text end
  return nil, ("--tls-version: only tlsv1.2 is taken, got '%s': for later versions alone, set MinProtocol in OpenSSL's "
    .. "configuration"):format(text)
end

local EXPIRY = number.count("--session-expiry", -1, 4294967295)

local function expiry(text) return EXPIRY(text == "∞" and "-1" or text) end

--- The options, in the group that the help shows.
function broker.options(parser)
  local options = {
    parser:option("-h --host", "the broker, default localhost"):argname("HOST"),
    parser:option("-p --port", "its port, default 1883, or 8883 with TLS"):argname("PORT")
      :convert(number.count("--port", 1, 65535)),
    parser:option("-L --url", "both, with user and topic: mqtt://USER@HOST:PORT/TOPIC, or mqtts://"):argname("URL"),
    parser:option("-u --username", "the user's name there"):argname("NAME"),
    parser:option("--password-file", "the password is this file's first line; or set FOGCLOUD_MQTT_PASSWORD")
      :argname("FILE"),
    parser:option("-i --id", "the client id, default one that nobody has"):argname("ID"),
    parser:option("-I --id-prefix", "the client id is this and the process's number"):argname("TEXT"),
    parser:option("--cert", "the client's certificate, PEM"):argname("FILE"),
    parser:option("--key", "its private key, PEM"):argname("FILE"),
    parser:option("--keyform", "pem: the key is a PEM file"):argname("FORM"):convert(keyform),
    parser:option("--server-name", "the name in the broker's certificate, where it is not HOST"):argname("NAME"),
    parser:option("--tls-alpn", "the protocol to ask for, where a port has several"):argname("NAME"),
    parser:flag("--tls-use-os-certs", "TLS, with the authorities of the system"),
    parser:option("--tls-version", "tlsv1.2: the newest version that both sides have, from 1.2 on"):argname("VERSION")
      :convert(tls_version),
    parser:option("--proxy", "an HTTP proxy to connect through: http://[USER@]HOST:PORT"):argname("URL"),
  }
  parser:group("Options for a broker that you name, as mosquitto_pub and mosquitto_sub have them",
    (table.unpack or unpack)(options))
end

--- What shapes a session with any broker.
function broker.session_options(parser)
  local options = {
    parser:option("-k --keepalive", "seconds between signs of life, default 60"):argname("SECONDS")
      :convert(number.count("--keepalive", 0, 65535)),
    parser:flag("-c --disable-clean-session", "the broker keeps the session; needs --id"),
    parser:option("-x --session-expiry", "for so many seconds, -1 for ever (MQTT 5)"):argname("SECONDS")
      :convert(expiry),
    parser:option("-M --max-inflight", "messages in flight at most"):argname("N")
      :convert(number.count("--max-inflight", 1, 65535)),
    parser:option("-D --property", "a property of MQTT 5: PACKET NAME VALUE"):argname("PROPERTY"):count("*")
      :args(1),
    parser:option("--will-topic", "the broker publishes a message here when the link is lost"):argname("TOPIC"),
    parser:option("--will-payload", "its payload"):argname("TEXT"),
    parser:option("--will-qos", "its QoS"):argname("QOS"):convert(number.count("--will-qos", 0, 2)),
    parser:flag("--will-retain", "the broker keeps it"),
    parser:flag("-d --debug", "tell on standard error what goes on"),
    parser:flag("--nodelay", "taken for mosquitto's sake: nothing is ever delayed"),
  }
  parser:group("Options of the session", (table.unpack or unpack)(options))
end

--- Whether the arguments name a broker.
function broker.named(args)
  return (args.host or args.port or args.url or args.username or args.id or args.id_prefix or args.cert
    or args.tls_use_os_certs or args.server_name or args.tls_version or args.proxy) ~= nil
end

local function decoded(s) return (s:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)) end

-- The parts of mqtt(s)://USER@HOST:PORT/TOPIC.
local function parse_url(url, context)
  local scheme, rest = url:match("^(mqtts?)://(.*)$")
  local authority, topic = (rest or ""):match("^([^/]*)/?(.*)$")
  local user, address = (authority or ""):match("^(.*)@(.*)$")
  address = address or authority
  local host, port = (address or ""):match("^(.-):(%d+)$")
  host = (host or address or ""):gsub("^%[(.*)%]$", "%1")
  if scheme == nil or host == "" then context:usage("--url: mqtt://USER@HOST:PORT/TOPIC or mqtts:// expected") end
  if user and user:find(":", 1, true) then
    context:usage("--url: a password among the arguments can be read by everybody on this machine: set "
      .. "FOGCLOUD_MQTT_PASSWORD, or use --password-file")
  end
  return { tls = scheme == "mqtts", host = host, port = tonumber(port), user = user and decoded(user),
    topic = topic ~= "" and decoded(topic) or nil }
end

-- The password, nil for none: never an argument.
local function password(args, context)
  local given = os.getenv("FOGCLOUD_MQTT_PASSWORD")
  if args.password_file == nil then return given ~= "" and given or nil end
  local lines, why = input.lines_of_file(args.password_file)
  if lines == nil then context:usage("--password-file: " .. why) end
  return (lines[1]:gsub("\r$", ""))
end

-- The proxy as the library takes it, nil for none. Its password is no argument either.
local function proxy(args, context)
  if args.proxy == nil then return nil end
  local scheme, login, address = args.proxy:match("^(%w+)://(.-)@?([^@]+)$")
  if scheme and scheme:find("^socks") then
    context:usage("--proxy: SOCKS is not spoken: name an HTTP proxy, or put a tunnel before the broker, as in "
      .. "ssh -L 1883:BROKER:1883 HOST")
  end
  if scheme ~= "http" then context:usage("--proxy: http://[USER@]HOST:PORT expected") end
  if login:find(":", 1, true) then
    context:usage("--proxy: a password among the arguments can be read by everybody on this machine: set "
      .. "FOGCLOUD_PROXY_PASSWORD")
  end
  if login == "" then return "http://" .. address end
  return ("http://%s:%s@%s"):format(login, os.getenv("FOGCLOUD_PROXY_PASSWORD") or "", address)
end

local function random_id()
  local bytes = {}
  local file = io.open("/dev/urandom", "rb")
  local random = file and file:read(6) or tostring(core.wall())
  if file then file:close() end
  for i = 1, #random do bytes[i] = ("%02x"):format(random:byte(i)) end
  return ("fogcloud-%d-%s"):format(core.pid(), table.concat(bytes))
end

local function client_id(args)
  return args.id or args.id_prefix and ("%s%d"):format(args.id_prefix, core.pid()) or random_id()
end

--- The credentials for the broker that is meant, what is special about its session, and the topic that a URL names.
---@return table credentials
---@return table options   tls, ca_file, cert_file, key_file, server_name, alpn, proxy
---@return string? topic
function broker.target(args, context)
  if args.id and args.id_prefix then context:usage("--id and --id-prefix are one or the other") end
  local url = args.url and parse_url(args.url, context) or {}
  local port = args.port or url.port
  local tls = url.tls or port == TLS_PORT
    or (args.ca_file or args.cert or args.tls_use_os_certs or args.server_name or args.tls_version) ~= nil
  port = port or tls and TLS_PORT or PLAIN_PORT
  local user = args.username or url.user
  local credentials = {
    clientid = client_id(args), loginname = user, password = user and password(args, context),
    mqtthost = args.host or url.host or "localhost", mqttport = port, sslport = port,
  }
  return credentials, { tls = tls, ca_file = args.ca_file, cert_file = args.cert, key_file = args.key,
    server_name = args.server_name, alpn = args.tls_alpn, proxy = proxy(args, context) }, url.topic
end

-- The will that is asked for, nil for none.
local function will(args, own_properties, context)
  if args.will_topic == nil then
    if args.will_payload or args.will_qos or args.will_retain then context:usage("--will-topic is missing") end
    return nil
  end
  return {
    topic = args.will_topic, payload = args.will_payload or "", qos = args.will_qos, retained = args.will_retain,
    properties = own_properties,
  }
end

--- Adds to the options of a session what the person said of it.
function broker.shape(args, options, context)
  if args.disable_clean_session and broker.named(args) and not args.id then
    context:usage("--disable-clean-session needs --id: the broker knows the session by it")
  end
  local said = properties.parse(args.property or {}, context)
  options.keepalive, options.window = args.keepalive, args.max_inflight
  if args.disable_clean_session then options.clean = false end
  options.paused = options.clean == false and args.command == "sub" or nil -- what was kept waits for its handlers
  if args.session_expiry then
    options.session_expiry = args.session_expiry < 0 and 4294967295 or args.session_expiry
  end
  options.properties = said.connect
  options.receive_maximum = said.receive_maximum
  options.session_expiry = options.session_expiry or said.session_expiry
  options.will = will(args, said.will, context)
  local needs_5 = args.session_expiry or #(args.property or {}) > 0
  if needs_5 then options.version = "5.0" end
  return said
end

return broker
