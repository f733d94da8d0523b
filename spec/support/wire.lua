-- SPDX-License-Identifier: MIT

--- A broker that the spec plays itself, packet by packet, in its own process: what goes over the wire, and in what
--- order. Whoever waits here lets fogcloud work meanwhile.
local core = require "fogcloud.core"
local busted = require "busted"
local fogcloud = require "fogcloud"
local socket = require "socket"

local wire = {}
local Broker, Link = {}, {}
Broker.__index, Link.__index = Broker, Link

local NAMES = {
  "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE",
  "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}
local PATIENCE = 20 -- seconds, for anything

local function wait(what, done)
  local deadline = core.now() + PATIENCE
  while true do
    local value = done()
    if value then return value end
    assert(core.now() < deadline, "it did not come in time: " .. what)
    fogcloud.step(0.005)
  end
end

wire.wait = wait

-- Bytes --------------------------------------------------------------------------------------------------------------

--- "10 0002'ab'": hexadecimal digits, and characters between apostrophes.
function wire.bytes(text)
  text = text:gsub("'([^']*)'", function(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end)
  return (text:gsub("%s", ""):gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

local function number(bytes, at) return bytes:byte(at) * 256 + bytes:byte(at + 1) end
function wire.two(n) return string.char(math.floor(n / 256), n % 256) end
function wire.text(s) return wire.two(#s) .. s end

local function varint(bytes, at)
  local n, factor = 0, 1
  for i = at, at + 3 do
    local byte = bytes:byte(i)
    if byte == nil then return nil end
    n, factor = n + byte % 128 * factor, factor * 128
    if byte < 128 then return n, i + 1 end
  end
end

-- A block of properties: what is behind its length, and where the rest begins.
local function block(version, body, at)
  if version ~= 5 then return "", at end
  local len, from = varint(body, at)
  return body:sub(from, from + len - 1), from + len
end

local READ = {}

function READ.CONNECT(p)
  local body = p.body
  p.version, p.clean, p.keepalive = body:byte(7), math.floor(body:byte(8) / 2) % 2 == 1, number(body, 9)
  local at
  p.properties, at = block(p.version, body, 11)
  p.client_id = body:sub(at + 2, at + 1 + number(body, at))
end

function READ.PUBLISH(p, version)
  local len = number(p.body, 1)
  p.topic = p.body:sub(3, len + 2)
  p.qos, p.dup, p.retained = math.floor(p.flags / 2) % 4, p.flags >= 8, p.flags % 2 == 1
  local at = len + 3
  if p.qos > 0 then p.id, at = number(p.body, at), at + 2 end
  p.properties, at = block(version, p.body, at)
  p.payload = p.body:sub(at)
end

local function read_id(p)
  p.id, p.reason = number(p.body, 1), p.body:byte(3) or 0
end

for _, name in ipairs { "PUBACK", "PUBREC", "PUBREL", "PUBCOMP" } do READ[name] = read_id end

function READ.SUBSCRIBE(p, version)
  local at
  p.id, p.filters = number(p.body, 1), {}
  p.properties, at = block(version, p.body, 3)
  while at <= #p.body do
    local len = number(p.body, at)
    p.filters[#p.filters + 1] = p.body:sub(at + 2, at + 1 + len)
    at = at + 2 + len + (p.name == "SUBSCRIBE" and 1 or 0)
  end
end

READ.UNSUBSCRIBE = READ.SUBSCRIBE

local function read_reason(p, version)
  p.reason = p.body:byte(1) or 0
  p.properties = #p.body > 1 and block(version, p.body, 2) or ""
end

READ.DISCONNECT, READ.AUTH = read_reason, read_reason

-- A link ------------------------------------------------------------------------------------------------------------

local function receive(self)
  local bytes, why, part = self.socket:receive(65536)
  self.got = self.got .. (bytes or part or "")
  local len, from = varint(self.got, 2)
  local whole = len ~= nil and #self.got >= from - 1 + len
  if why == "closed" and not whole then self.closed = true end
  return self.closed or whole
end

--- Whether a packet, or the end, is there already.
function Link:ready() return receive(self) end

--- The next packet, with what its type has: id, topic, payload, qos, dup, retained, reason, properties (a string), …
--- nil: the other side has closed.
function Link:read()
  wait("a packet", function() return receive(self) end)
  if self.closed then return nil end
  local len, from = varint(self.got, 2)
  local first = self.got:byte(1)
  local p = { name = NAMES[math.floor(first / 16)], flags = first % 16, body = self.got:sub(from, from - 1 + len) }
  self.got = self.got:sub(from + len)
  if READ[p.name] then READ[p.name](p, self.version) end
  if p.name == "CONNECT" then self.version = p.version end
  return p
end

--- The next packet but PINGREQ, which is answered; it must be of this name.
function Link:expect(name)
  local p = self:read()
  while p and p.name == "PINGREQ" and name ~= "PINGREQ" do
    self:send "d0 00"
    p = self:read()
  end
  assert(p and p.name == name, ("%s expected, got %s"):format(name, p and p.name or "the end"))
  return p
end

--- Nothing but the end comes.
function Link:expect_end()
  local p = self:read()
  assert(p == nil, ("the end expected, got %s"):format(p and tostring(p.name) or ""))
end

--- Sends bytes, as wire.bytes reads them.
function Link:send(text) assert(self.socket:send(wire.bytes(text))) end

--- Sends a packet: its first byte, and its body as it is.
function Link:packet(first, body)
  assert(#body < 128)
  assert(self.socket:send(string.char(first, #body) .. body))
end

local FIRST = { PUBACK = 0x40, PUBREC = 0x50, PUBREL = 0x62, PUBCOMP = 0x70, SUBACK = 0x90, UNSUBACK = 0xB0 }

--- An answer to the packet of this id, with the reason codes that are given.
function Link:answer(name, id, ...)
  local tail = string.char(...)
  if (name == "SUBACK" or name == "UNSUBACK") and self.version == 5 then tail = "\0" .. tail end
  self:packet(FIRST[name], wire.two(id) .. tail)
end

--- A PUBLISH to the client.
function Link:publish(topic, payload, qos, id, flags, properties)
  local head = wire.text(topic) .. (qos > 0 and wire.two(id) or "")
  if self.version == 5 then head = head .. string.char(#(properties or "")) .. (properties or "") end
  self:packet(0x30 + qos * 2 + (flags or 0), head .. payload)
end

function Link:close() self.socket:close() end

-- The broker --------------------------------------------------------------------------------------------------------

function wire.broker()
  local server = assert(socket.bind("127.0.0.1", 0))
  server:settimeout(0)
  return setmetatable({ server = server, port = tonumber((select(2, server:getsockname()))), links = {} }, Broker)
end

--- The next connection: its CONNECT is read already and lies in link.connect, unless `raw`.
function Broker:accept(raw)
  local accepted = wait("a connection", function() return (self.server:accept()) end)
  accepted:settimeout(0)
  accepted:setoption("tcp-nodelay", true)
  local link = setmetatable({ socket = accepted, got = "" }, Link)
  self.links[#self.links + 1] = link
  if not raw then link.connect = link:expect "CONNECT" end
  return link
end

--- Takes the connection in: session present or not, in MQTT 5 with properties (a string of bytes).
function Broker:greet(present, properties)
  local link = self:accept()
  local tail = ""
  if link.version == 5 then tail = string.char(#(properties or "")) .. (properties or "") end
  link:packet(0x20, string.char(present and 1 or 0, 0) .. tail)
  return link
end

function Broker:credentials(client_id)
  return {
    clientid = client_id or "c", loginname = "l", password = "p", mqtthost = "127.0.0.1", mqttport = self.port,
  }
end

--- A session whose connect runs meanwhile; opened.session is there once it has been taken in, opened.err when not.
function Broker:connect(opts)
  local opened, credentials = {}, self:credentials(opts.client_id)
  opts.tls, opts.backoff_base, opts.backoff_cap, opts.client_id = false, 0.01, 0.05, nil
  fogcloud.spawn(function() opened.session, opened.err = fogcloud.connect(credentials, opts) end)
  return opened
end

--- A session with its first link.
function Broker:open(opts, properties)
  local opened = self:connect(opts)
  local link = self:greet(false, properties)
  wait("the session", function() return opened.session or opened.err end)
  return assert(opened.session, opened.err), link
end

function Broker:stop()
  for _, link in ipairs(self.links) do link:close() end
  self.server:close()
end

--- To be called in a `describe`: a broker for each of its specs, handed to `made`, and a function that opens a session of
--- this version which the broker keeps. It gives the session's first link and the session. At the end of a spec the
--- broker is closed, and the session that `current` gives then.
function wire.each(version, made, current)
  local broker
  busted.before_each(function()
    broker = wire.broker()
    made(broker)
  end)
  busted.after_each(function()
    if current() then current():close() end
    broker:stop()
    fogcloud.run()
  end)
  return function(opts, properties)
    opts = opts or {}
    opts.version = version
    if opts.clean == nil then opts.clean = false end
    local session, link = broker:open(opts, properties)
    return link, session
  end
end

return wire
