-- SPDX-License-Identifier: MIT

--- The API's envelope `{"meta":{"message","code"},"data"}` to data, or to an error in the words of the user's
--- problem. Pure.
--
-- `meta.code` decides whenever the body is an envelope, whatever the HTTP status; the status only where it is not.
local cjson = require "cjson"
local errors = require "fogcloud.errors"

local envelope = {}

local CODES = {
  [10000] = { "api", "bad parameter: %s" },
  [10050] = { "api", "the cloud had an internal error: %s", retryable = true },
  [10100] = { "auth", "the access token has expired: %s" },
  [10101] = { "auth", "the access token is not valid: %s" },
}

local function excerpt(text)
  local short = text:sub(1, 80):gsub("[%c\127-\255]+", " ")
  return short .. (#text > 80 and " ..." or "")
end

local function from_status(reply)
  local status = reply.status
  local fields = { status = status, retryable = status == 429 or status >= 500 }
  if status >= 300 and status < 400 then
    local text = "the server answered with a redirect, which is not followed: check base_url"
    return errors.new("http", text, fields)
  end
  if status >= 400 then
    return errors.new("http", ("the server answered with HTTP status %d"):format(status), fields)
  end
  fields.retryable = true
  if reply.body == "" then return errors.new("protocol", "the server answered with an empty body", fields) end
  local text = "the answer is not the API's: check base_url; it begins: " .. excerpt(reply.body)
  if reply.body:find("^%s*[{%[]") then text = "the answer is broken JSON or no envelope: " .. excerpt(reply.body) end
  fields.retryable = reply.body:find("^%s*{") ~= nil -- cut off on the way; HTML or a foreign API stays what it is
  return errors.new("protocol", text, fields)
end

local function is_envelope(value)
  return type(value) == "table" and type(value.meta) == "table" and type(value.meta.code) == "number"
    and type(value.data) == "table"
end

local function from_code(meta, reply, endpoint)
  local text = type(meta.message) == "string" and meta.message or "no message"
  local known = CODES[meta.code] or { "api", "the cloud refused the call: %s" }
  local kind, message = known[1], known[2]:format(text)
  if endpoint == "token" and meta.code == 10000 then
    kind = "auth"
    message = ("the access key id or secret is wrong: check client_id and client_secret (%s)"):format(text)
  end
  return errors.new(kind, message, { code = meta.code, status = reply.status, retryable = known.retryable or false })
end

--- The `data` of a reply.
---@param reply table       status, body
---@param endpoint string?  "token" for its own words
---@return table? data      unknown fields are kept
---@return fogcloud.Error? err  kinds: api, auth, http, protocol
function envelope.open(reply, endpoint)
  local ok, value = pcall(cjson.decode, reply.body)
  if not ok or not is_envelope(value) then return nil, from_status(reply) end
  if value.meta.code ~= 0 then return nil, from_code(value.meta, reply, endpoint) end
  return value.data
end

return envelope
