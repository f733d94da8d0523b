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

-- What OpenSSL says, and what it comes from.
local TLS_TEXTS = {
  { "wrong version number", "the port does not speak TLS: use sslport, or tls = false for the plain port" },
  { "certificate has expired", "the broker's certificate has expired, or this machine's clock is wrong" },
  { "not yet valid", "the broker's certificate is not valid yet, or this machine's clock is wrong" },
  { "[Hh]ostname mismatch", "the certificate is for another host name than mqtthost" },
  { "IP address mismatch", "the certificate is for another host name than mqtthost" },
  { "issuer certificate", "the broker's certificate is not signed by a trusted authority: check ca_file" },
  { "self.signed", "the broker's certificate is not signed by a trusted authority: check ca_file" },
  { "certificate verify failed", "the broker's certificate is not accepted: it is not signed by a trusted authority "
    .. "(check ca_file), or out of date (check the clock)" }, -- where Paho runs as packaged, which knows no more
  { "[Nn]o such file", "a certificate file cannot be read: check ca_file" },
  { "PrivateKey", "the private key cannot be used: key_file must hold the key of cert_file as PEM, and key_password "
    .. "its pass phrase" },
  { "use_certificate", "cert_file cannot be used: it must hold a certificate as PEM" },
}

-- OpenSSL's line without its numbers and the places in its source: what failed, and why where it says so.
local function essence(text)
  local reason, rest = text:match("error:%x+:[^:]*:[^:]*:([^:]*):?(.*)")
  if reason == nil then return text end
  local why = rest:match("^[^:]*:%d+:(.+)$")
  return why and reason .. ": " .. why or reason
end

-- A server that went away during the handshake, as on a restart: nothing that lasts.
local CUT_SHORT = { "unexpected eof", "[Cc]onnection reset", "[Bb]roken pipe" }

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
    if text:find(entry[1]) then return errors.new("tls", ("%s (%s)"):format(entry[2], essence(text)), fields) end
  end
  return errors.new("tls", "no secure connection to the broker: " .. essence(text), fields)
end

--- The error of a connection attempt that failed.
---@param code integer  the CONNACK code, or Paho's own (negative)
---@param text string?
---@param kind string?  "tls" when the TLS library gave the text
---@param uri string    the broker's address, for the message
---@return fogcloud.Error
function diagnosis.refused(code, text, kind, uri)
  local fields = { code = code, endpoint = uri, retryable = true }
  if kind == "tls" and not was_cut_short(text) then
    fields.retryable = false
    return tls_error(text, fields)
  end
  local refusal = code > 0 and REFUSALS[code]
  if refusal then
    fields.retryable = refusal.retryable or false
    return errors.new(refusal[1], refusal[2], fields)
  end
  if code > 0 then
    return errors.new("mqtt", ("the broker refused the connection with code %d"):format(code), fields)
  end
  if text and text:find("timeout") then
    return errors.new("timeout", ("no answer from the broker at %s"):format(uri), fields)
  end
  -- Paho says no more of a port that hangs up than of a closed port.
  local hint = "is it running, and is this its plain port (mqttport)?"
  if uri:find("^ssl") or uri:find("^wss") then
    hint = "is it running, and is this its TLS port (sslport)?"
  end
  return errors.new("network", ("no connection to the broker at %s: %s"):format(uri, hint), fields)
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

--- The error of a link that was up and is gone.
---@param hints table?  short_lives: how often in a row the link died soon after it came up
---@return fogcloud.Error
function diagnosis.lost(code, text, hints, properties)
  local reason = (LOSSES[code] or text or "the connection to the broker was lost") .. own_words(properties)
  if hints and hints.short_lives >= 3 then
    reason = reason .. " again right after connecting: is another client using the same client id?"
  end
  return errors.new("mqtt", reason, { code = code ~= 0 and code or nil, retryable = true, properties = properties })
end

-- Where a broker gives a reason at all, those that speak of what it was sent.
local ABOUT_A_PACKET = {
  [0] = true, [0x80] = true, [0x81] = true, [0x82] = true, [0x83] = true, [0x90] = true, [0x94] = true, [0x95] = true,
  [0x99] = true, [0x9A] = true, [0x9B] = true,
}

--- Whether what was sent last may be the reason for a lost link.
function diagnosis.may_blame_packet(code) return ABOUT_A_PACKET[code] or code < 0 end

--- The error of a link that was lost again and again with the same thing on its way, which ends the session.
---@param times integer
---@param filter string?  of the SUBSCRIBE, or
---@param id number?      of the message
function diagnosis.poison(times, filter, id, topic, size)
  local what = filter and ("the subscription to '%s'"):format(filter)
    or ("message %.0f to '%s' (%.0f bytes)"):format(id, topic, size)
  local text = ("the link was lost %d times in a row right after %s was sent: the broker does not take it")
  return errors.new("mqtt", text:format(times, what), { retryable = false })
end

local DOING = { subscribe = "subscribing to", unsubscribe = "unsubscribing from" }

--- The error of a SUBSCRIBE or UNSUBSCRIBE that the broker refused (MQTT 3.1.1, 3.9.3; MQTT 5.0, 3.9.3, 3.11.3).
---@param method "subscribe"|"unsubscribe"
function diagnosis.refused_filter(method, filter, code, text, properties)
  local fields = { code = code, properties = properties }
  if method == "subscribe" and (code == 0x80 or code == 0x87) then
    local refusal = ("the broker refused the subscription to '%s': the client has no permission for it (grant)")
      :format(filter)
    return errors.new("mqtt", refusal .. own_words(properties), fields)
  end
  text = (text or ("code %.0f"):format(code)) .. own_words(properties)
  return errors.new("mqtt", ("%s '%s' failed: %s"):format(DOING[method], filter, text), fields)
end

--- The error of one that had no answer within its time.
---@param asked boolean  it went out, at least once
function diagnosis.unanswered(method, filter, asked)
  local text = asked and "the broker did not acknowledge '%s' in time"
    or "there was no link to the broker in the time for " .. DOING[method] .. " '%s'"
  return errors.new("timeout", text:format(filter), { retryable = true })
end

--- The error of a message that was accepted and not delivered.
function diagnosis.unpublished(code, topic, dropped, properties)
  local what = dropped and "was dropped when the session closed" or "was not delivered"
  if code == 0x87 then
    what = "was refused: the client has no permission for this topic (grant)"
  elseif code > 0 then
    what = ("was refused with code %d"):format(code)
  end
  local text = ("the message to '%s' %s"):format(topic, what) .. own_words(properties)
  return errors.new(dropped and "closed" or "mqtt", text, { code = code, properties = properties })
end

return diagnosis
