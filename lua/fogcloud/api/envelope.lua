-- SPDX-License-Identifier: MIT

--- The API's envelope `{"meta":{"message","code"},"data"}` to data, or to an error in the words of the user's
--- problem. Pure.
--
-- `meta.code` decides whenever the body is an envelope, whatever the HTTP status; the status only where it is not.
-- A body that was cut off on the way may be asked for again (err.retryable); one that is not the API's must not.
-- No part of a body that may be data is ever quoted: it may hold a password or a token that nobody knows yet.
-- What the server chooses and is given back to the core later, in a header, a parameter or a session, is checked here:
-- it must not come out as wrong use at a caller who did nothing wrong.
local cjson = require "cjson"
local errors = require "fogcloud.errors"
local topic_rules = require "fogcloud.mqtt.topic"

local envelope = {}

-- A decoder of our own: what a program sets in its cjson must not change ours.
local decoder = cjson.new()
decoder.decode_max_depth(64)
decoder.decode_invalid_numbers(false)

local CODES = {
  [10000] = { "api", "a parameter is wrong: %s" },
  [10050] = { "api", "the cloud has an internal error; try again later: %s", retryable = true },
  [10100] = { "auth", "the cloud says that the access token has expired, though it was just renewed: %s" },
  [10101] = { "auth", "the cloud refuses the access token, though it was just renewed: is the access key still "
    .. "enabled? (%s)" },
}
local WRONG_KEY = "the access key id or secret is wrong: check client_id and client_secret (%s)"

local NO_SECRETS = errors.redactor()
local MAX_TOKEN = 8000 -- bytes: what fits into a header line (src/binding/api.c)
local MAX_TEXT = 65535 -- of MQTT

--- Whether a value can be sent as a token: printable ASCII (RFC 6749, A.12) that fits into a header.
---@param value any
---@return boolean
function envelope.is_token(value)
  return type(value) == "string" and #value <= MAX_TOKEN and value:find("^[ -~]+$") ~= nil
end

local function is_text(value)
  if type(value) ~= "string" or value == "" or #value > MAX_TEXT then return false end
  return not (value:find("%c") or value:find("%z")) and topic_rules.is_utf8(value)
end

local function is_port(value) return type(value) == "number" and value % 1 == 0 and value >= 1 and value <= 65535 end

-- What each call's data must have; the rest is handed on as it came.
local FIELDS = {
  token = { access_token = envelope.is_token },
  create_client = {
    clientid = is_text, loginname = is_text, password = is_text, mqtthost = is_text, mqttport = is_port,
    sslport = is_port,
  },
}

local function of_refusal(status, fields)
  if status == 429 then return errors.new("http", "too many requests: the server asks for a slower pace", fields) end
  if status >= 500 then
    return errors.new("http", "the server is in trouble; try again later", fields)
  end
  if status == 401 or status == 403 then
    return errors.new("auth", "the server refuses access, not in the API's words: check base_url and proxy", fields)
  end
  if status == 404 then
    return errors.new("http", "there is no FogCloud API at this address: check base_url", fields)
  end
  return errors.new("http", "the server refuses the request, not in the API's words: check base_url", fields)
end

-- The beginning of a body that is a page or a sentence, up to where data may begin; "" for any other.
local function quotable(body, redactor)
  if not body:find("^%s*[<%a]") then return "" end
  return (redactor:one_line(body, 60):match('^[^{%["=:]*'):gsub("%s+$", ""))
end

-- What a body that is no envelope means.
local function of_status(reply, decoded, redactor)
  local status, body = reply.status, reply.body
  local fields = { status = status, retryable = status == 429 or status >= 500 }
  if status >= 300 and status < 400 then
    return errors.new("http", "the server redirects, which is not followed: check base_url", fields)
  end
  if status >= 400 then return of_refusal(status, fields) end
  if body == "" then
    fields.retryable = true
    return errors.new("protocol", "the reply has an empty body", fields)
  end
  if not decoded and body:find("^%s*{") then
    fields.retryable = true
    return errors.new("protocol", "the reply is broken JSON: it was cut off on the way", fields)
  end
  if decoded then
    return errors.new("protocol", "the reply is JSON but no envelope of the API's: check base_url", fields)
  end
  local text, quote = "the reply is not the API's: check base_url", quotable(body, redactor)
  if quote ~= "" then text = text .. "; it begins: " .. quote end
  return errors.new("protocol", text, fields)
end

local function of_code(meta, reply, endpoint, redactor)
  local said = type(meta.message) == "string" and redactor:one_line(meta.message) or "no message"
  local known = CODES[meta.code] or { "api", "the cloud refuses the call: %s" }
  local kind, text = known[1], known[2]
  if endpoint == "token" and meta.code == 10000 then
    kind, text = "auth", WRONG_KEY
  end
  local fields = { code = meta.code, status = reply.status, retryable = known.retryable or false }
  return errors.new(kind, text:format(said), fields)
end

-- Whole numbers as integers where Lua has them: a port is to print as 1883, not as 1883.0.
local to_integer = math.tointeger

local function whole(value)
  for name, field in pairs(value) do
    local kind = type(field)
    if kind == "number" then
      value[name] = to_integer(field) or field
    elseif kind == "table" then
      whole(field)
    end
  end
  return value
end

if to_integer == nil then
  function whole(value) return value end
end

-- The name of a field that is missing or cannot be used, nil when all are there.
local function missing_field(fields, data)
  for name, is_usable in pairs(fields) do
    if not is_usable(data[name]) then return name end
  end
  return nil
end

--- The `data` of a reply.
---@param reply table       status, body
---@param endpoint string?  which of the five calls, for the fields it must have and for its own words
---@param redactor fogcloud.Redactor?  what must not be quoted of the server's words
---@return table? data      unknown fields are kept
---@return fogcloud.Error? err  kinds: api, auth, http, protocol
function envelope.open(reply, endpoint, redactor)
  redactor = redactor or NO_SECRETS
  local decoded, value = pcall(decoder.decode, reply.body)
  local meta = decoded and type(value) == "table" and value.meta or nil
  if type(meta) ~= "table" or type(meta.code) ~= "number" then return nil, of_status(reply, decoded, redactor) end
  if meta.code ~= 0 then return nil, of_code(meta, reply, endpoint, redactor) end
  local fields = FIELDS[endpoint]
  local wrong = type(value.data) ~= "table" and "data" or fields and missing_field(fields, value.data)
  if wrong then
    local text = ("the reply has no usable '%s'"):format(wrong)
    return nil, errors.new("protocol", text, { status = reply.status, code = 0, retryable = false })
  end
  return whole(value.data)
end

return envelope
