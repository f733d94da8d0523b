-- SPDX-License-Identifier: MIT

--- How the options of a session become those of one link, and of the core's half. Pure.
local core = require "fogcloud.core"
local drivers = require "fogcloud.mqtt.drivers"

local link_options = {}

local VERSIONS = { ["3.1.1"] = 4, ["5.0"] = 5 }

local function host_and_port(credentials, opts)
  local host = credentials.mqtthost:match("^%[(.*)%]$") or credentials.mqtthost
  return host, opts.tls and credentials.sslport or credentials.mqttport
end

--- The broker's address as errors name it.
function link_options.address(credentials, opts)
  local host, port = host_and_port(credentials, opts)
  local websocket = opts.transport == "websockets"
  local scheme = websocket and (opts.tls and "wss" or "ws") or (opts.tls and "mqtts" or "mqtt")
  if host:find(":", 1, true) then host = "[" .. host .. "]" end
  return ("%s://%s:%d"):format(scheme, host, port)
end

local DEFAULT_ALIASES = 16

-- The properties of CONNECT: those that have an option of their own, and the program's.
local function connect_properties(opts)
  if opts.version ~= "5.0" then return nil, 0 end
  local given = opts.connect_properties or {}
  local authentication = opts.authentication or {}
  local aliases = given.topic_alias_maximum
  local own = core.properties({
    session_expiry_interval = opts.session_expiry or (not opts.clean and drivers.for_ever(opts) or nil),
    receive_maximum = opts.receive_maximum,
    topic_alias_maximum = aliases == nil and DEFAULT_ALIASES or nil,
    authentication_method = authentication.method,
    authentication_data = authentication.data,
  }, "link")
  return own .. (opts.properties or ""), aliases or DEFAULT_ALIASES, given.maximum_packet_size
end

-- A session that the broker keeps over lost links is begun anew with the first one only.
local function starts_clean(opts, state)
  if not opts.clean then return false end
  return opts.version ~= "5.0" or (opts.session_expiry or 0) == 0 or state.connects == 0
end

--- The core's options of the next link.
---@param state fogcloud.SessionState
function link_options.link(credentials, opts, state)
  local will, proxy = opts.will or {}, opts.proxy_parts or {}
  local host, port = host_and_port(credentials, opts)
  local properties, aliases, packet_size = connect_properties(opts)
  return {
    link = state.link,
    host = host, port = port, tls = opts.tls, server_name = opts.server_name, alpn = opts.alpn,
    ca_file = opts.ca_file, ca_pem = opts.ca_pem, cert_file = opts.cert_file, key_file = opts.key_file,
    key_password = opts.key_password,
    websocket = opts.transport == "websockets", path = opts.path, headers = opts.header_lines,
    proxy_host = proxy.host, proxy_port = proxy.port, proxy_user = proxy.user, proxy_password = proxy.password,
    client_id = credentials.clientid, username = credentials.loginname, password = credentials.password,
    version = VERSIONS[opts.version],
    clean = starts_clean(opts, state),
    properties = properties,
    topic_alias_maximum = aliases,
    receive_maximum = opts.receive_maximum,
    maximum_packet_size = packet_size,
    keepalive = opts.keepalive,
    connect_timeout = math.max(0.001, opts.connect_timeout),
    will_topic = will.topic, will_payload = will.payload, will_qos = will.qos, will_retained = will.retained,
    will_properties = opts.will_properties,
  }
end

--- The core's bounds of a session.
function link_options.limits(opts)
  return {
    in_count = opts.in_count, in_bytes = opts.in_bytes, out_count = opts.out_count, out_bytes = opts.out_bytes,
    window = opts.window, hold = opts.hold, handled = opts.acknowledge == "handled", driver = opts.driver_module,
    thread = opts.thread,
  }
end

return link_options
