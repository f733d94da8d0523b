-- SPDX-License-Identifier: MIT

--- What a broker's refusal or a lost link most probably means, in the words of the user's problem. Pure.
local errors = require "fogcloud.errors"

local diagnosis = {}

local CREDENTIALS = "the broker refused the login name, the password or the client id: get new ones with create_client"

-- CONNACK return codes: MQTT 3.1.1, table 3.1, and MQTT 5.0, 3.2.2.2.
local REFUSALS = {
  [1] = { "mqtt", "the broker does not speak this version of MQTT" },
  [2] = { "mqtt", "the broker does not accept this client id" },
  [3] = { "mqtt", "the broker is not available at the moment", retryable = true },
  [4] = { "auth", CREDENTIALS },
  [5] = { "auth", CREDENTIALS }, -- what mosquitto answers to all three
  [0x84] = { "mqtt", "the broker does not speak this version of MQTT" },
  [0x85] = { "mqtt", "the broker does not accept this client id" },
  [0x86] = { "auth", CREDENTIALS },
  [0x87] = { "auth", CREDENTIALS },
  [0x88] = { "mqtt", "the broker is not available at the moment", retryable = true },
  [0x89] = { "mqtt", "the broker is busy", retryable = true },
  [0x8A] = { "auth", "the broker has banned this client" },
}

-- What OpenSSL says, or our own code of an option of TLS, and what it comes from.
local TLS_TEXTS = {
  { "wrong version number", "the port does not speak TLS: use sslport, or tls = false for the plain port" },
  { "certificate has expired", "the broker's certificate has expired, or this machine's clock is wrong" },
  { "not yet valid", "the broker's certificate is not valid yet, or this machine's clock is wrong" },
  { "[Hh]ostname mismatch", "the certificate is for another host name than mqtthost" },
  { "IP address mismatch", "the certificate is for another host name than mqtthost" },
  { "issuer certificate", "the broker's certificate is not signed by a trusted authority: check ca_file" },
  { "self.signed", "the broker's certificate is not signed by a trusted authority: check ca_file" },
  { "certificate required", "the broker wants a certificate of the client: cert_file and key_file" },
  { "^ca_file", "the authorities cannot be used: ca_file must hold certificates as PEM" },
  { "^ca_pem", "the authorities cannot be used: ca_pem must hold certificates as PEM" },
  { "^key_password", "the private key cannot be opened: key_password must be its pass phrase" },
  { "^key_file", "the private key cannot be used: key_file must hold the key of cert_file as PEM, and key_password "
    .. "its pass phrase" },
  { "^cert_file", "cert_file cannot be used: it must hold a certificate as PEM" },
}

-- A server that went away during the handshake, as on a restart: nothing that lasts.
local CUT_SHORT = { "unexpected eof", "[Cc]onnection reset", "[Bb]roken pipe", "closed during the TLS handshake" }

local function was_cut_short(text)
  for _, pattern in ipairs(CUT_SHORT) do
    if text:find(pattern) then return true end
  end
  return false
end

-- What an MQTT 5 broker adds in its own words.
local function own_words(properties)
  local said = properties and properties.reason_string
  return said and (" (the broker says: %s)"):format(errors.one_line(said)) or ""
end

local function tls_error(text, fields)
  for _, entry in ipairs(TLS_TEXTS) do
    if text:find(entry[1]) then return errors.new("tls", ("%s (%s)"):format(entry[2], text), fields) end
  end
  return errors.new("tls", "no secure connection to the broker: " .. text, fields)
end

-- What a stream may mean that was cut before CONNACK: somebody was there, and did not answer.
local function no_answer(text, opts)
  local said = ("the broker hung up instead of answering (%s)"):format(text)
  local port = opts and opts.tls == false and "plain port (mqttport)" or "TLS port (sslport)"
  if opts and opts.version == "5.0" then
    return ("%s: does it speak MQTT 5 (else version = \"3.1.1\"), and is this its %s?"):format(said, port)
  end
  return ("%s: is this its %s?"):format(said, port)
end

local function no_connection(text, opts)
  if was_cut_short(text) then return no_answer(text, opts) end
  local hint = text:find("refused", 1, true) and ": is it running?" or ""
  return ("no connection to the broker: %s%s"):format(text, hint)
end

-- By the kind of what happened on the way to the broker: the kind of our error, and its words.
local WAYS = {
  network = function(...) return "network", no_connection(...) end,
  tls = function(...) return "network", no_answer(...) end, -- cut short; the rest is told by tls_error
  closed = function(...) return "network", no_answer(...) end,
  proxy = function(text) return "network", "no way through the proxy: " .. text end,
  websocket = function(text) return "network", "no WebSocket to the broker: " .. text end,
  timeout = function(text) return "timeout", "no answer from the broker: " .. text end,
  protocol = function(text) return "mqtt", text end,
}

--- The error of a connection attempt that failed.
---@param event table    the core's: code (CONNACK's, or 0), kind, text, properties
---@param where string   the broker's address, which the error begins with
---@param opts table?    the session's: tls, version
---@return fogcloud.Error
function diagnosis.refused(event, where, opts)
  local code, text, kind = event.code, event.text or "", event.kind
  local fields = { code = code ~= 0 and code or nil, endpoint = where, retryable = true, properties = event.properties }
  if kind == "local" or (kind == "tls" and not was_cut_short(text)) then
    fields.retryable = false
    return tls_error(text, fields)
  end
  if kind ~= nil then
    local way = WAYS[kind] or WAYS.network
    local name, words = way(text, opts)
    return errors.new(name, words, fields)
  end
  local refusal = REFUSALS[code]
  if refusal then
    fields.retryable = refusal.retryable or false
    return errors.new(refusal[1], refusal[2] .. own_words(event.properties), fields)
  end
  return errors.new("mqtt", ("the broker refused the connection with code %d"):format(code)
    .. own_words(event.properties), fields)
end

-- MQTT 5.0, 3.14.2.1.
local LOSSES = {
  [0x81] = "the broker could not read what was sent",
  [0x82] = "the broker says that the protocol was violated",
  [0x87] = "the broker no longer allows this client",
  [0x89] = "the broker is busy",
  [0x8B] = "the broker is shutting down",
  [0x8D] = "the broker heard nothing for one and a half keepalives",
  [0x8E] = "another client connected with the same client id",
  [0x93] = "more messages were in flight than the broker takes",
  [0x95] = "a message was larger than the broker takes (maximum_packet_size in on(\"connect\"))",
  [0x96] = "messages came faster than the broker takes",
  [0x97] = "the broker's quota for this client is used up",
  [0x98] = "the broker's administrator ended the connection",
  [0x9A] = "the broker keeps no retained messages",
  [0x9B] = "the broker does not take this QoS",
  [0x9C] = "the broker wants another server used (server_reference)",
  [0x9D] = "the broker's server has moved (server_reference)",
}

local SILENT = "the connection to the broker was lost"

--- The error of a link that was up and is gone.
---@param event table            the core's: code (DISCONNECT's, or 0), kind, text, properties
---@param short_lives integer?   how often in a row the link died soon after it came up
---@return fogcloud.Error
function diagnosis.lost(event, short_lives)
  local reason = LOSSES[event.code] or (event.text and SILENT .. ": " .. event.text) or SILENT
  if event.kind == "protocol" then reason = event.text end
  reason = reason .. own_words(event.properties)
  if (short_lives or 0) >= 3 then
    reason = reason .. " again right after connecting: is another client using the same client id?"
  end
  return errors.new("mqtt", reason,
    { code = event.code ~= 0 and event.code or nil, retryable = true, properties = event.properties })
end

-- Reasons of a DISCONNECT that speak of what the broker was sent: of one packet, or perhaps of one.
local OF_A_PACKET = {
  [0x8F] = true, [0x90] = true, [0x94] = true, [0x95] = true, [0x99] = true, [0x9A] = true, [0x9B] = true,
  [0x9E] = true, [0xA1] = true, [0xA2] = true,
}
local PERHAPS = { [0] = true, [0x80] = true, [0x81] = true, [0x82] = true, [0x83] = true, [0x87] = true }

-- A link that ended in silence, or by our own doing, was not hung up.
local NOT_HUNG_UP = { timeout = true, ["local"] = true, left = true }

--- Whether the broker has said that something it was sent is the reason for a lost link. With a kind the code is ours,
--- for what the broker sent.
function diagnosis.names_a_packet(event) return event.kind == nil and OF_A_PACKET[event.code] == true end

--- Whether what was sent last may be the reason.
function diagnosis.may_blame_packet(event)
  return not NOT_HUNG_UP[event.kind] and (PERHAPS[event.code] or OF_A_PACKET[event.code]) == true
end

--- The error of a subscription on which the broker hangs up, whenever it is asked.
function diagnosis.blamed_filter(filter)
  local text = "the broker hangs up on the subscription to '%s': it does not allow it"
  return errors.new("mqtt", text:format(filter), { retryable = false })
end

local DOING = { subscribe = "subscribing to", unsubscribe = "unsubscribing from" }

--- The error of a SUBSCRIBE or UNSUBSCRIBE that the broker refused (MQTT 3.1.1, 3.9.3; MQTT 5.0, 3.9.3, 3.11.3).
---@param question table  method, filter, code, properties
function diagnosis.refused_filter(question)
  local code, said = question.code, own_words(question.properties)
  local fields = { code = code, properties = question.properties }
  if question.method == "subscribe" and (code == 0x80 or code == 0x87) then
    local refusal = ("the broker refused the subscription to '%s': the client has no permission for it (grant)")
      :format(question.filter)
    return errors.new("mqtt", refusal .. said, fields)
  end
  local text = ("%s '%s' failed: code %.0f"):format(DOING[question.method], question.filter, code)
  return errors.new("mqtt", text .. said, fields)
end

--- The error of one that had no answer within its time.
---@param asked boolean  it went out, at least once
function diagnosis.unanswered(method, filter, asked)
  local text = asked and "the broker did not acknowledge '%s' in time"
    or "there was no link to the broker in the time for " .. DOING[method] .. " '%s'"
  return errors.new("timeout", text:format(filter), { retryable = true })
end

-- Ends of our own: src/mqtt/outgoing.h.
local ENDS = {
  [-10] = "was not sent in its time (message_expiry_interval)",
  [-11] = "is larger than MQTT can carry",
  [-13] = "was on its way when the link was lost",
  [-14] = "was given up: the broker hangs up on it, whenever it is sent alone",
  [0x87] = "was refused: the client has no permission for this topic (grant)",
  [0x95] = "is larger than the broker takes (maximum_packet_size)",
  [0x9A] = "was to be retained, and the broker keeps no retained messages (retain_available)",
  [0x9B] = "has a QoS that the broker does not take (maximum_qos)",
}

--- The error of a message that was accepted and not delivered.
---@param event table  the core's: code, topic, dropped, properties
function diagnosis.unpublished(event)
  local what = ENDS[event.code] or ("was refused with code %d"):format(event.code)
  if event.dropped then what = "was dropped when the session closed" end
  local text = ("the message to '%s' %s"):format(event.topic, what) .. own_words(event.properties)
  local kind = event.dropped and "closed" or event.code == -10 and "timeout" or "mqtt"
  return errors.new(kind, text, { code = event.code, properties = event.properties })
end

return diagnosis
