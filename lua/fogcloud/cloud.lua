-- SPDX-License-Identifier: MIT

--- One FogCloud account: the five calls of the v3 open API, with token and retries.
local config = require "fogcloud.config"
local deadlines = require "fogcloud.deadline"
local envelope = require "fogcloud.envelope"
local errors = require "fogcloud.errors"
local retry = require "fogcloud.retry"
local stores = require "fogcloud.store"
local Token = require "fogcloud.token"
local topic_rules = require "fogcloud.topic"

---@class fogcloud.Cloud
local Cloud = {}
Cloud.__index = Cloud
Cloud.__name = "fogcloud.Cloud"
Cloud.__tostring = function(self)
  return ("fogcloud.Cloud (%s, %s)"):format(self.options.base_url, self.options.client_id)
end

local CALL_OPTIONS = { timeout = true }

local function check_call_options(options, level)
  if options == nil then return {} end
  if type(options) ~= "table" then error("options: table expected, got " .. type(options), level + 1) end
  for name in pairs(options) do
    if not CALL_OPTIONS[name] then error(("unknown call option '%s'"):format(tostring(name)), level + 1) end
  end
  return options
end

-- What the core wants to know of one request.
local function request_options(self, token, left, request_id)
  local o = self.options
  return {
    base_url = o.base_url, token = token, encoding = o.encoding, ca_file = o.ca_file, ca_pem = o.ca_pem,
    proxy = o.proxy, max_body = o.max_body, timeout = left, connect_timeout = math.min(o.connect_timeout, left),
    request_id = o.request_id and request_id or nil,
  }
end

-- One request: data, or nil, err, and what Retry-After asked for.
local function attempt(self, endpoint, token, params, deadline, request_id)
  local left = deadlines.left(deadline, self.host.now())
  local opts = request_options(self, token, left, request_id)
  local reply, err = self.pump:request(endpoint, opts, params, deadline)
  if reply == nil then
    err.message = errors.redact(err.message, { self.options.client_secret, token })
    return nil, err
  end
  local data
  data, err = envelope.open(reply, endpoint)
  if err then err.message = errors.redact(err.message, { self.options.client_secret, token }) end
  return data, err, retry.after(reply.headers["retry-after"], self.host.wall())
end

local function new_request_id(self)
  return ("%08x%08x"):format(math.floor(self.random() * 2 ^ 31), math.floor(self.random() * 2 ^ 31))
end

-- Waits before the next attempt. False when there is to be none.
local function wait_turn(self, call, err, retry_after)
  if call.attempts >= retry.ATTEMPTS or not retry.may_repeat(call.endpoint, err) then return false end
  local delay = retry.delay(call.attempts, self.random, retry_after)
  if self.host.now() + delay >= call.deadline or not self.budget:take() then return false end
  local slept = self.host.sleep(delay)
  if not slept then call.cancelled = true end
  return slept
end

local function finish(self, call, err)
  if call.cancelled then err = errors.new("cancelled", "the task was cancelled") end
  err.endpoint = err.endpoint or call.endpoint
  err.attempts = (err.attempts or 0) + call.attempts
  err.elapsed = self.host.now() - call.started
  err.request_id = call.request_id
  return nil, err
end

local function refused_token(err) return err.code == 10100 or err.code == 10101 end

-- The whole of one call: attempts, waits, and a new token once when the old one is refused.
local function run(self, endpoint, params, deadline)
  local call = {
    endpoint = endpoint, attempts = 0, started = self.host.now(), deadline = deadline,
    request_id = new_request_id(self),
  }
  local authorized, renewed = endpoint ~= "token", false
  while true do
    local token, err, data, retry_after
    if authorized then
      token, err = self.access:get(deadline)
      if token == nil then return finish(self, call, err) end
    end
    call.attempts = call.attempts + 1
    data, err, retry_after = attempt(self, endpoint, token, params, deadline, call.request_id)
    if data ~= nil then
      self.budget:refill()
      return data
    end
    if authorized and refused_token(err) and not renewed then
      renewed = true
      self.access:drop(token)
    elseif not wait_turn(self, call, err, retry_after) then
      return finish(self, call, err)
    end
  end
end

--- What init.lua calls. Nothing is sent until a call is made.
---@param options fogcloud.Options?
function Cloud.new(options, host, pump)
  options = config.resolve(options, 2)
  local self = setmetatable({
    options = options, host = host, pump = pump, random = math.random, budget = retry.budget(),
  }, Cloud)
  local store = options.store or stores.default(host)
  local key = ("token %s %s"):format(options.base_url, options.client_id)
  self.access = Token.new(host, store, key, function(deadline)
    local params = {
      grant_type = "client_credentials", client_id = options.client_id, client_secret = options.client_secret,
    }
    return run(self, "token", params, deadline)
  end)
  return self
end

local function start(self, options)
  options = check_call_options(options, 3)
  return deadlines.after(self.host.now(), options.timeout, self.options.timeout, 3)
end

local function check_id(name, value)
  if type(value) ~= "string" then error(("%s: string expected, got %s"):format(name, type(value)), 3) end
  if value == "" or value:find("%c") or value:find("%z") then
    error(("%s: is empty or holds a control character"):format(name), 3)
  end
  if not topic_rules.is_utf8(value) then error(("%s: must be UTF-8"):format(name), 3) end
end

local function check_device(value)
  local ok, why = topic_rules.valid_device_id(value)
  if not ok then error(("device_id: %s"):format(why), 3) end
end

--- The access token: cached, renewed ahead of expiry. Yields in a task, blocks elsewhere; so do all calls below.
---@param options table?  timeout: seconds over all attempts
---@return string? token
---@return fogcloud.Error? err  kinds: auth (wrong access key), api, http, network, tls, timeout, protocol, cancelled
function Cloud:token(options) return self.access:get(start(self, options)) end

--- Creates an MQTT client. Not repeated once it may have reached the server, for a second call makes a second client.
--- Keep what it returns: the password can never be had again.
---@param app_id string
---@return table? credentials  clientid, loginname, password, mqtthost, mqttport, sslport, endpoint
---@return fogcloud.Error? err  kinds: api, auth, http, network, tls, timeout, protocol, cancelled
function Cloud:create_client(app_id, options)
  check_id("app_id", app_id)
  return run(self, "create_client", { app_id = app_id }, start(self, options))
end

--- Lets an MQTT client talk to a device. Safe to repeat; repeated by itself on loss.
---@param clientid string   the `clientid` that create_client returned
---@param device_id string  1 to 128 bytes, without `/`, `+`, `#`
---@return table? permission  client_id, device_id
---@return fogcloud.Error? err  kinds: api, auth, http, network, tls, timeout, protocol, cancelled
function Cloud:grant(clientid, device_id, options)
  check_id("clientid", clientid)
  check_device(device_id)
  return run(self, "grant", { client_id = clientid, device_id = device_id }, start(self, options))
end

--- Takes that away; at once, on live connections too. Safe to repeat; repeated by itself on loss.
---@return table? permission  client_id, device_id
---@return fogcloud.Error? err  kinds: those of grant
function Cloud:revoke(clientid, device_id, options)
  check_id("clientid", clientid)
  check_device(device_id)
  return run(self, "revoke", { client_id = clientid, device_id = device_id }, start(self, options))
end

--- The account's products; an empty account gives an empty list. Safe to repeat; repeated by itself on loss.
---@return table[]? products  { productid=, pname= }
---@return fogcloud.Error? err  kinds: those of grant
function Cloud:products(options) return run(self, "products", {}, start(self, options)) end

-- The account's session options: its CA serves the broker too unless another is given.
local function session_options(self, given)
  local result = {}
  for name, value in pairs(self.options.session or {}) do result[name] = value end
  for name, value in pairs(given or {}) do result[name] = value end
  if result.ca_file == nil and result.ca_pem == nil then
    result.ca_file, result.ca_pem = self.options.ca_file, self.options.ca_pem
  end
  return result
end

--- Connects with a client's credentials; see session.lua for the options.
---@param credentials table  what create_client returned
---@param options fogcloud.SessionOptions?
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: auth, mqtt, network, timeout, tls, cancelled
function Cloud:connect(credentials, options)
  return require("fogcloud.session").connect(credentials, session_options(self, options), 2)
end

--- Creates a client, grants it the devices and connects: all of the above in one. A client that could not be
--- connected is in err.credentials.
---@param options table  app_id, devices (a list of ids), credentials (instead of app_id), session (options)
---@return fogcloud.Session? session
---@return fogcloud.Error? err
function Cloud:open(options)
  if type(options) ~= "table" then error("options: table expected, got " .. type(options), 2) end
  local credentials, err = options.credentials, nil
  if credentials == nil then
    check_id("app_id", options.app_id)
    credentials, err = self:create_client(options.app_id)
  end
  if credentials == nil then return nil, err end
  for _, device_id in ipairs(options.devices or {}) do
    local granted
    granted, err = self:grant(credentials.clientid, device_id)
    if granted == nil then return nil, err, credentials end
  end
  local session
  session, err = self:connect(credentials, options.session)
  return session, err, credentials
end

return Cloud
