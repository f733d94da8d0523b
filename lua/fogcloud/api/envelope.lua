-- SPDX-License-Identifier: MIT

--- The API's envelope `{"meta":{"message","code"},"data"}` to data, or to an error in the words of the user's
--- problem. Pure.
--
-- `meta.code` decides whenever the body is an envelope, whatever the HTTP status; the status only where it is not.
-- A body that may have been cut off on the way may be asked for again (err.retryable); one that came whole, or is not
-- the API's, must not.
-- No part of a body that may be data is ever quoted: it may hold a password or a token that nobody knows yet.
local core = require "fogcloud.core"
local data = require "fogcloud.api.data"
local errors = require "fogcloud.errors"

local envelope = {}

local CODES = {
  [10000] = { "api", "a parameter is wrong: %s" },
  [10050] = { "api", "the cloud has an internal error; try again later: %s", retryable = true },
  [10100] = { "auth", "the cloud says that the access token has expired, though it was just renewed: %s" },
  [10101] = { "auth", "the cloud refuses the access token, though it was just renewed: is the access key still "
    .. "enabled? (%s)" },
}
local WRONG_KEY = "the access key id or secret is wrong: check client_id and client_secret (%s)"

local NO_SECRETS = errors.redactor()

local TROUBLE = "the server is in trouble; try again later"

-- What an HTTP status says to whoever did not hear the API's own words.
local STATUS = {
  [304] = { "http", "the server says that nothing has changed, which was not asked: a cache?" },
  [401] = { "auth", "the server refuses access, not in the API's words: check base_url and proxy" },
  [403] = { "auth", "the server refuses access, not in the API's words: check base_url and proxy" },
  [404] = { "http", "there is no FogCloud API at this address: check base_url" },
  [407] = { "http", "the proxy wants to know who asks: give user name and password in the option proxy" },
  [408] = { "http", "the server gave up waiting for the request", retryable = true },
  [421] = {
    "http", "the connection leads to a server that is not in charge of the host in base_url", retryable = true,
  },
  [425] = { "http", "the server does not want to take the request so early", retryable = true },
  [429] = { "http", "too many requests: the server asks for a slower pace", retryable = true },
}
for _, status in ipairs { 300, 301, 302, 303, 305, 307, 308 } do
  STATUS[status] = { "http", "the server redirects, which is not followed: check base_url" }
end
local OTHER = { "http", "the server refuses the request, not in the API's words: check base_url" }

-- Whether a 401 is about our token (RFC 6750, 3): it may say nothing of what it wants instead.
local function is_of_token(reply, endpoint)
  if reply.status ~= 401 or endpoint == nil or endpoint == "token" then return false end
  local challenge = reply.headers and reply.headers["www-authenticate"]
  if challenge == nil then return true end
  local schemes = ", " .. challenge:lower():gsub('"[^"]*"', "")
  return schemes:find(",%s*bearer%f[%W]") ~= nil
end

local function of_refusal(reply, endpoint)
  local status = reply.status
  local known = STATUS[status] or (status >= 500 and { "http", TROUBLE, retryable = true }) or OTHER
  local fields = { status = status, retryable = known.retryable or false }
  if not is_of_token(reply, endpoint) then return errors.new(known[1], known[2], fields) end
  fields.token_refused = true
  return errors.new("auth", "the server refuses the access token, though it was just renewed: check base_url, and "
    .. "whether the access key is still enabled", fields)
end

--- What it means that a proxy did not connect us.
---@param status integer  of its reply to CONNECT
---@return fogcloud.Error
function envelope.of_tunnel(status)
  local passing = status >= 500 or status == 408 or status == 429
  local text = ("the proxy refuses to connect to the host in base_url (HTTP %d)"):format(status)
  if status == 407 then text = STATUS[407][2] end
  return errors.new("http", text, { status = status, sent = false, retryable = passing })
end

-- The beginning of a body that is a page or a sentence, up to where data may begin; "" for any other.
local function quotable(body, redactor)
  if not body:find("^%s*[<%a]") then return "" end
  return (redactor:one_line(body, 60):match('^[^{%["=:]*'):gsub("%s+$", ""))
end

-- Whether the end of a body was the end of the connection: then it may have been cut off. A length that was not met is
-- a failure of the transfer's.
local function may_be_cut(reply)
  local headers = reply.headers
  if headers == nil then return true end
  if reply.head and reply.head:find("^HTTP/[23]") then return false end
  return headers["content-length"] == nil and headers["transfer-encoding"] == nil
end

local function of_broken(reply, why, endpoint, redactor)
  local fields = { status = reply.status, retryable = may_be_cut(reply) }
  local text = "the reply is broken JSON: it was cut off on the way"
  if not fields.retryable then text = "the reply is no valid JSON: " .. redactor:one_line(why) end
  local client = endpoint == "create_client" and data.salvage(reply.body)
  if client then
    redactor:hide(client.password, "password")
    text, fields.data = text .. data.shown(client, redactor), client
  end
  return errors.new("protocol", text, fields)
end

-- What a body that is no envelope means.
local function of_other(reply, decoded, value, endpoint, redactor)
  local status, body = reply.status, reply.body
  if status >= 300 then return of_refusal(reply, endpoint) end
  local fields = { status = status, retryable = body == "" }
  if body == "" then return errors.new("protocol", "the reply has an empty body", fields) end
  if decoded then
    return errors.new("protocol", "the reply is JSON but no envelope of the API's: check base_url", fields)
  end
  if body:find("^[\239\187\191%s]*{") then return of_broken(reply, value, endpoint, redactor) end
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

--- The `data` of a reply.
---@param reply table       status, body; headers and head where they are known
---@param endpoint string?  which of the five calls, for the fields it must have and for its own words
---@param redactor fogcloud.Redactor?  what must not be quoted of the server's words
---@return table? data      unknown fields are kept
---@return fogcloud.Error? err  kinds: api, auth, http, protocol; err.data is what could be read of a created client
function envelope.open(reply, endpoint, redactor)
  redactor = redactor or NO_SECRETS
  local plain = core.plain_data(reply.body) -- as nearly always: what would come of the rest, too
  if plain ~= nil then return data.accept(plain, endpoint, reply, redactor) end
  local decoded, value = data.read(reply.body, endpoint)
  local meta = decoded and type(value) == "table" and value.meta or nil
  if type(meta) ~= "table" or type(meta.code) ~= "number" then
    return nil, of_other(reply, decoded, value, endpoint, redactor)
  end
  if meta.code ~= 0 then return nil, of_code(meta, reply, endpoint, redactor) end
  return data.accept(value.data, endpoint, reply, redactor)
end

return envelope
