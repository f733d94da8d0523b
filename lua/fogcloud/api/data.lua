-- SPDX-License-Identifier: MIT

--- What a call's reply must hold, and what is made of what servers send instead: nothing is thrown away over something
--- harmless, and nothing is taken for what it is not. Pure.
--
-- What the server chooses and is given back to the core later, in a header, a parameter or a session, is checked here:
-- it must not come out as wrong use at a caller who did nothing wrong.
local errors = require "fogcloud.errors"
local json = require "fogcloud.json"
local topic_rules = require "fogcloud.mqtt.topic"

local data = {}

local MAX_TOKEN = 8000 -- bytes: what fits into a header line (src/binding/api.c)
local MAX_TEXT = 65535 -- of MQTT

-- Fields --------------------------------------------------------------------------------------------------------------

--- Whether a value can be sent as a token: printable ASCII (RFC 6749, A.12) that fits into a header.
---@param value any
---@return boolean
function data.is_token(value)
  return type(value) == "string" and #value <= MAX_TOKEN and value:find("^[ -~]+$") ~= nil
end

local function is_bytes(value)
  return type(value) == "string" and value ~= "" and #value <= MAX_TEXT and not value:find("%z")
end

local function is_text(value) return is_bytes(value) and not value:find("%c") and topic_rules.is_utf8(value) end

-- What each call's data must have; the rest is handed on as it came.
local REQUIRED = {
  token = { access_token = data.is_token },
  create_client = { clientid = is_text, loginname = is_text, password = is_bytes, mqtthost = is_text },
}

-- Fields that are texts: a number is the text that was sent, digits and all.
local TEXTS = {
  token = { "access_token" }, create_client = { "clientid", "loginname", "password", "mqtthost" },
  products = { "productid", "pname" }, grant = { "client_id", "device_id" },
}
TEXTS.revoke = TEXTS.grant
for _, names in pairs { TEXTS.token, TEXTS.create_client, TEXTS.products, TEXTS.grant } do
  for i, name in ipairs(names) do names[i] = '"' .. name .. '"' end -- as keys in a body
end
local NONE = {} -- of a call that has no such fields

-- Reading -------------------------------------------------------------------------------------------------------------

-- Halves of surrogate pairs, which no UTF-8 can express, as the character that stands for what cannot be read.
local function without_lone_surrogates(body)
  local parts, from, at = {}, 1, body:find("\\", 1, true)
  while at do
    local high = body:match("^\\u([dD][89abAB]%x%x)", at)
    local paired = high and body:find("^\\u[dD][c-fC-F]%x%x", at + 6)
    if paired then
      at = at + 10
    elseif body:find("^\\u[dD][89a-fA-F]%x%x", at) then
      parts[#parts + 1] = body:sub(from, at - 1) .. "\\ufffd"
      at = at + 4
      from = at + 2
    end
    at = body:find("\\", at + 2, true)
  end
  return table.concat(parts) .. body:sub(from)
end

local BOM = "\239\187\191"

-- Whether a number stands at one of these keys. All replies are looked at, so the key is found first, as it is: a
-- pattern would be tried at every byte.
local function is_number_at(text, key)
  local _, last = text:find(key, 1, true)
  while last do
    if text:find("^%s*:%s*[-%d]", last + 1) then return true end
    _, last = text:find(key, last, true) -- its last quote may begin another
  end
  return false
end

-- null is nothing in an object.
local function without_null(value)
  for name, field in pairs(value) do
    if field == json.null and type(name) == "string" then
      value[name] = nil
    elseif type(field) == "table" then
      without_null(field)
    end
  end
end

--- Reads a body, without what is null in its objects.
---@param body string
---@param endpoint string?
---@return boolean ok
---@return any value  or what is wrong with it, with the place
function data.read(body, endpoint)
  local text = body
  if body:byte() == 0xEF and body:sub(1, #BOM) == BOM then text = body:sub(#BOM + 1) end
  -- The numbers of these fields as texts. A key in quotes stands nowhere else: inside of a string they are escaped.
  for _, key in ipairs(TEXTS[endpoint] or NONE) do
    if is_number_at(text, key) then text = text:gsub("(" .. key .. "%s*:%s*)([-%d][%d.eE+-]*)", '%1"%2"') end
  end
  local ok, value = pcall(json.decode, text, "text")
  if not ok and text:find("\\u[dD][89a-fA-F]") then
    local mended, again = pcall(json.decode, without_lone_surrogates(text), "text")
    if mended then ok, value = true, again end
  end
  if ok and type(value) == "table" and text:find("null", 1, true) then without_null(value) end
  return ok, value
end

-- Products ------------------------------------------------------------------------------------------------------------

-- The text with U+FFFD for every byte that is no UTF-8.
local function as_utf8(text)
  if topic_rules.is_utf8(text) then return text end
  local parts, at = {}, 1
  while at <= #text do
    local char = text:match("^[%z\1-\127]", at) or text:match("^[\194-\223][\128-\191]", at)
      or text:match("^[\224-\239][\128-\191][\128-\191]", at)
      or text:match("^[\240-\244][\128-\191][\128-\191][\128-\191]", at)
    parts[#parts + 1] = char and topic_rules.is_utf8(char) and char or "\239\191\189"
    at = at + (char and #char or 1)
  end
  return table.concat(parts)
end

-- What is wrong with a list of products, nil when nothing is. `body` tells an empty list from an empty object.
local function wrong_products(list, body)
  local count = 0
  for _ in pairs(list) do count = count + 1 end
  if count ~= #list or (count == 0 and not body:find('"data"%s*:%s*%[')) then return "the reply's 'data' is no list" end
  for i, product in ipairs(list) do
    if type(product) ~= "table" then return ("entry %d of the list is no product"):format(i) end
    if type(product.productid) ~= "string" or product.productid == "" then
      return ("entry %d of the list has no usable 'productid'"):format(i)
    end
    if type(product.pname) == "string" then product.pname = as_utf8(product.pname) end
  end
  return nil
end

-- Clients -------------------------------------------------------------------------------------------------------------

-- Ports as text are as good.
local function mend_ports(client)
  for _, name in ipairs { "mqttport", "sslport" } do
    local text = type(client[name]) == "string" and client[name]:match("^%s*(%d+)%s*$")
    local number = text and #text < 10 and tonumber(text)
    if number then client[name] = number end
  end
end

local SHOWN = { "clientid", "loginname", "mqtthost", "mqttport", "sslport", "endpoint" }

--- What could be read of a created client, for an error's text: all but the password.
---@param client table
---@param redactor fogcloud.Redactor
---@return string  "" for nothing
function data.shown(client, redactor)
  local parts = {}
  for _, name in ipairs(SHOWN) do
    local value = client[name]
    if type(value) == "string" or type(value) == "number" then
      parts[#parts + 1] = name .. " " .. redactor:one_line(value, 60)
    end
  end
  if client.password ~= nil then parts[#parts + 1] = "password [redacted]" end
  return #parts == 0 and "" or "; what it has: " .. table.concat(parts, ", ")
end

--- The fields of a created client in a body that is no JSON: its password can be had nowhere else.
---@param body string
---@return table? client
function data.salvage(body)
  local client = {}
  for _, name in ipairs { "clientid", "loginname", "password", "mqtthost", "mqttport", "sslport", "endpoint" } do
    local at = select(2, body:find('"' .. name .. '"%s*:%s*'))
    local token = at and json.token_at(body, at + 1)
    local ok, value = pcall(json.decode, token or "")
    if ok then client[name] = value end
  end
  return next(client) and client or nil
end

-- All -----------------------------------------------------------------------------------------------------------------

-- What is wrong with the data of a call, nil when nothing is.
local function wrong(value, endpoint, body)
  if type(value) ~= "table" then return "the reply has no usable 'data'" end
  if endpoint == "products" then return wrong_products(value, body) end
  if endpoint == "create_client" then mend_ports(value) end
  for name, is_usable in next, REQUIRED[endpoint] or NONE do
    if not is_usable(value[name]) then return ("the reply has no usable '%s'"):format(name) end
  end
  return nil
end

--- Makes the data of a call usable, in place.
---@param value any         the envelope's data
---@param endpoint string?
---@param reply table       body, status
---@param redactor fogcloud.Redactor
---@return table? data
---@return fogcloud.Error? err  kind protocol; err.data is what there is of a created client
function data.accept(value, endpoint, reply, redactor)
  local why = wrong(value, endpoint, reply.body)
  if why == nil then return value end
  local fields = { status = reply.status, code = 0, retryable = false }
  if endpoint == "create_client" and type(value) == "table" then
    redactor:hide(value.password, "password")
    why, fields.data = why .. data.shown(value, redactor), value
  end
  return nil, errors.new("protocol", why, fields)
end

return data
