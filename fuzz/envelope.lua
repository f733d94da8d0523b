-- SPDX-License-Identifier: MIT

--- Replies: any body with any status gives data or an error of a known kind whose text is one line and quotes no JSON,
--- in a time that is bounded. Input: a line "endpoint status", then the body.
local cjson = require "cjson"
local envelope = require "fogcloud.api.envelope"
local errors = require "fogcloud.errors"

local KINDS = { api = true, auth = true, http = true, protocol = true }
local ENDPOINTS = { token = true, create_client = true, grant = true, revoke = true, products = true }

-- What the API says by itself, if the body is an envelope.
local function message_of(body)
  local ok, reply = pcall(cjson.decode, body)
  local meta = ok and type(reply) == "table" and reply.meta
  return type(meta) == "table" and type(meta.message) == "string" and meta.message or ""
end

local function check_error(err, body)
  assert(KINDS[err.kind], "an error of kind " .. tostring(err.kind))
  local text = tostring(err)
  assert(not text:find("[%c]"), "a control character in: " .. text)
  assert(#text < 1000, "a long text")
  assert(type(err.retryable) == "boolean" or err.retryable == nil)
  -- A secret that stands behind anything of JSON's, however broken, is not in the error; a message may quote it.
  -- Of a created client it may, all but the password.
  if err.data then return end
  local at = body:find("s3cr3t", 1, true)
  if at and body:sub(1, at):find('[{%["]') and not message_of(body):find("s3cr3t", 1, true) then
    assert(not text:find("s3cr3t", 1, true), "the error quotes the body: " .. text)
  end
end

return function(input)
  local endpoint, status, body = input:match("^(%l[%l_]*) (%d%d%d)\n(.*)$")
  if not ENDPOINTS[endpoint] then endpoint, status, body = "token", "200", input end
  local data, err = envelope.open({ status = tonumber(status), body = body, headers = {} }, endpoint)
  if data == nil then
    assert(errors.is(err))
    check_error(err, body)
  else
    assert(type(data) == "table" and err == nil)
    if endpoint == "token" then assert(type(data.access_token) == "string" and data.access_token ~= "") end
    if endpoint == "create_client" then assert(type(data.password) == "string" and data.clientid) end
  end
end
