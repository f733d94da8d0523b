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
  { "certificate verify failed", "the broker's certificate is not accepted: it is not signed by a trusted authority "
    .. "(check ca_file), or out of date (check the clock)" },
  { "[Nn]o such file", "a certificate file cannot be read: check ca_file" },
}

local function tls_error(text, fields)
  for _, entry in ipairs(TLS_TEXTS) do
    if text:find(entry[1]) then return errors.new("tls", entry[2] .. " (" .. text .. ")", fields) end
  end
  return errors.new("tls", "no secure connection to the broker: " .. text, fields)
end

--- The error of a connection attempt that failed.
---@param code integer  the CONNACK code, or Paho's own (negative)
---@param text string?
---@param kind string?  "tls" when the TLS library gave the text
---@param uri string    the broker's address, for the message
---@return fogcloud.Error
function diagnosis.refused(code, text, kind, uri)
  local fields = { code = code, endpoint = uri, retryable = true }
  if kind == "tls" then
    fields.retryable = false
    return tls_error(text or "", fields)
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
  -- Paho says no more of a certificate for another host, or of a port that hangs up, than of a closed port.
  local hint = "is it running?"
  if uri:find("^ssl") or uri:find("^wss") then
    hint = "is it running, is this its TLS port (sslport), and is its certificate for this host name?"
  end
  return errors.new("network", ("no connection to the broker at %s: %s"):format(uri, hint), fields)
end

-- MQTT 5.0, 3.14.2.1.
local LOSSES = {
  [0x87] = "the broker no longer allows this client",
  [0x8B] = "the broker is shutting down",
  [0x8D] = "the broker heard nothing for one and a half keepalives",
  [0x8E] = "another client connected with the same client id",
  [0x98] = "the broker's administrator ended the connection",
}

--- The error of a link that was up and is gone.
---@param hints table?  short_lives: how often in a row the link died soon after it came up
---@return fogcloud.Error
function diagnosis.lost(code, text, hints)
  local reason = LOSSES[code] or text or "the connection to the broker was lost"
  if hints and hints.short_lives >= 3 then
    reason = reason .. " again right after connecting: is another client using the same client id?"
  end
  return errors.new("mqtt", reason, { code = code ~= 0 and code or nil, retryable = true })
end

--- The error of a SUBSCRIBE that the broker refused (MQTT 3.1.1, 3.9.3; MQTT 5.0, 3.9.3).
function diagnosis.subscription(filter, code, text)
  if code == 0x80 or code == 0x87 then
    local text_of_refusal = "the broker refused the subscription to '%s': the client has no permission for it (grant)"
    return errors.new("mqtt", text_of_refusal:format(filter), { code = code })
  end
  if code < 0 then
    local fields = { code = code, retryable = true }
    return errors.new("network", ("the link was lost while subscribing to '%s'"):format(filter), fields)
  end
  text = text or ("code " .. code)
  return errors.new("mqtt", ("the subscription to '%s' failed: %s"):format(filter, text), { code = code })
end

--- The error of a message that was accepted and not delivered.
function diagnosis.unpublished(code, topic, dropped)
  local what = dropped and "was dropped when the session closed" or "was not delivered"
  if code == 0x87 then what = "was refused: the client has no permission for this topic (grant)" end
  return errors.new(dropped and "closed" or "mqtt", ("the message to '%s' %s"):format(topic, what), { code = code })
end

return diagnosis
