-- SPDX-License-Identifier: MIT

--- One FogCloud account: the five calls of the v3 open API, with token and retries, and what is made of them.
--
-- Every call takes a last table with `timeout`: seconds over all attempts and waits, default the cloud's. Every call
-- yields in a task and blocks elsewhere; a task that is cancelled ends its request on the wire.
local bulk = require "fogcloud.api.bulk"
local call = require "fogcloud.api.call"
local check = require "fogcloud.check"
local config = require "fogcloud.config"
local core = require "fogcloud.core"
local deadlines = require "fogcloud.task.deadline"
local errors = require "fogcloud.errors"
local kept = require "fogcloud.api.kept"
local log = require "fogcloud.log"
local retry = require "fogcloud.api.retry"
local stores = require "fogcloud.store"
local Term = require "fogcloud.store.term"
local Token = require "fogcloud.api.token"
local topic_rules = require "fogcloud.mqtt.topic"

---@class fogcloud.Cloud
local Cloud = {}
Cloud.__index = Cloud
Cloud.__name = "fogcloud.Cloud"
Cloud.__tostring = function(self)
  return ("fogcloud.Cloud (%s, %s)"):format(self.options.base_url, self.options.client_id)
end

-- Making one -------------------------------------------------------------------------------------------------------

-- Whoever prints a cloud, or walks through it, finds no secret of the account: it lives in the fetcher alone.
local function token_fetcher(self)
  local params = {
    grant_type = "client_credentials", client_id = self.options.client_id, client_secret = self.options.client_secret,
  }
  self.options.client_secret = nil
  return function(deadline) return call.run(self, "token", params, call.settings(self.host.now(), deadline)) end
end

local function new_redactor(options)
  local redactor = errors.redactor()
  redactor:hide(options.client_secret)
  redactor:hide(options.proxy and options.proxy:match("^%a+://[^/@]*:([^/@]+)@"))
  return redactor
end

---@package
--- What init.lua calls. Nothing is sent until a call is made. Wrong options raise.
---@param options fogcloud.Options?
---@param host table
---@param pump table
---@return fogcloud.Cloud
function Cloud.new(options, host, pump)
  options = config.resolve(options, 2)
  if options.environment == false then log.ignore_environment() end
  local redactor = new_redactor(options)
  local self = setmetatable({
    options = options, host = host, pump = pump, budget = retry.budget(), earned = 0, redactor = redactor,
    random = options.random or retry.random(host.wall() * 1e6 + core.pid() * 7919),
    logger = log.new(options.log, function(text) return redactor:clean(text) end),
    counters = call.counters(), kept = setmetatable({}, { __mode = "k" }), -- credentials of kept clients: their keys
  }, Cloud)
  self.store = stores.resolve(options.store, host, self.random, 2)
  options.store = self.store -- a URL may have a password in it
  self.access = Token.new {
    host = host, store = self.store, key = ("token %s %s"):format(options.base_url, options.client_id),
    fetch = token_fetcher(self), random = self.random, logger = self.logger,
    redactor = redactor,
  }
  return self
end

-- Arguments ----------------------------------------------------------------------------------------------------------

-- deadlines.after looks at time-outs.
local TIMED, CREATION = { timeout = "any" }, { timeout = "any", repeatable = "any" }
local NAMED = { timeout = "any", name = "any" }

-- How call.run is to make a call that starts now. Level 3 is who called the method.
local function settings(self, options, allowed)
  local now = self.host.now()
  if options == nil then return call.settings(now, now + self.options.timeout, self.access) end
  local wrong = check.options(allowed, options, "call")
  if wrong then error(wrong, 3) end
  local deadline = deadlines.after(now, options.timeout, self.options.timeout, 3)
  return call.settings(now, deadline, self.access, options.repeatable)
end

local function wrong_id(value)
  if type(value) ~= "string" then return "string expected, got " .. type(value) end
  if value == "" then return "is empty" end
  if value:find("%c") or value:find("%z") then return "holds a control character" end
  return not topic_rules.is_utf8(value) and "must be UTF-8" or nil
end

local function check_id(name, value, level)
  local why = wrong_id(value)
  if why then error(("%s: %s"):format(name, why), level or 3) end
end

local function check_device(value, level)
  local ok, why = topic_rules.valid_device_id(value)
  if not ok then error(("device_id: %s"):format(why), level or 3) end
end

-- Whose permission for what; level 3 is who called the method. Nearly all are plain, and looked at no further.
local function check_permission(clientid, device_id)
  local plain = type(clientid) == "string" and type(device_id) == "string" and #device_id <= 128
    and clientid:find("^[ -~]+$") and device_id:find("^[%w._:-]+$")
  if plain then return end
  check_id("clientid", clientid, 4)
  check_device(device_id, 4)
end

-- The five calls -----------------------------------------------------------------------------------------------------

---@class (exact) fogcloud.CallOptions
---@field timeout number?  seconds over all attempts and waits, default the cloud's

---@class (exact) fogcloud.CreateOptions
---@field timeout number?      seconds over all attempts and waits, default the cloud's
---@field repeatable boolean?  repeat it although a second client may be made, when a reply was lost

--- The access token: cached, renewed ahead of expiry. Safe to repeat.
---@param options fogcloud.CallOptions?
---@return string? token
---@return fogcloud.Error? err  kinds: auth (wrong access key), api, http, network, tls, timeout, protocol, closed,
---                             cancelled
function Cloud:token(options)
  local how = settings(self, options, TIMED)
  if self.closed then return nil, errors.new("closed", "the cloud is closed") end
  return self.access:get(how.deadline)
end

--- Creates an MQTT client. Not repeated once it may have reached the server, for a second call makes a second client.
--- Keep what it returns: the password can never be had again. See `client`.
---@param app_id string
---@param options fogcloud.CreateOptions?
---@return fogcloud.Credentials? credentials
---@return fogcloud.Error? err  kinds: api, auth, http, network, tls, timeout, protocol, closed, cancelled
function Cloud:create_client(app_id, options)
  check_id("app_id", app_id)
  local data, err = call.run(self, "create_client", { app_id = app_id }, settings(self, options, CREATION))
  if data then self.redactor:hide(data.password, "password") end
  return data, err
end

--- Lets an MQTT client talk to a device. Safe to repeat; repeated by itself on loss.
---@param clientid string   the `clientid` that create_client returned
---@param device_id string  1 to 128 bytes, without `/`, `+`, `#`
---@param options fogcloud.CallOptions?
---@return fogcloud.Permission? permission
---@return fogcloud.Error? err  kinds: api, auth, http, network, tls, timeout, protocol, closed, cancelled
function Cloud:grant(clientid, device_id, options)
  check_permission(clientid, device_id)
  return call.run(self, "grant", { client_id = clientid, device_id = device_id }, settings(self, options, TIMED))
end

--- Takes that away; at once, on live connections too. Safe to repeat; repeated by itself on loss.
---@param clientid string
---@param device_id string
---@param options fogcloud.CallOptions?
---@return fogcloud.Permission? permission
---@return fogcloud.Error? err  kinds: those of grant
function Cloud:revoke(clientid, device_id, options)
  check_permission(clientid, device_id)
  return call.run(self, "revoke", { client_id = clientid, device_id = device_id }, settings(self, options, TIMED))
end

--- The account's products; an empty account gives an empty list. Safe to repeat; repeated by itself on loss.
---@param options fogcloud.CallOptions?
---@return fogcloud.Product[]? products
---@return fogcloud.Error? err  kinds: those of grant
function Cloud:products(options) return call.run(self, "products", {}, settings(self, options, TIMED)) end

-- Many at once -------------------------------------------------------------------------------------------------------

local function for_all(self, endpoint, clientid, ids, options)
  check_id("clientid", clientid)
  if type(ids) ~= "table" then error("ids: table expected, got " .. type(ids), 3) end
  for _, id in ipairs(ids) do check_device(id, 4) end
  options = bulk.check(options, self.options.timeout, 3)
  local function one(id, observe, timeout)
    local how = settings(self, { timeout = math.max(0, timeout) }, TIMED)
    how.observe = observe
    return call.run(self, endpoint, { client_id = clientid, device_id = id }, how)
  end
  return bulk.run(self.host, endpoint .. "_all", ids, one, options)
end

--- Lets an MQTT client talk to many devices: several calls in flight, as many as the server bears. Safe to repeat.
---@param clientid string
---@param ids string[]
---@param options fogcloud.BulkOptions?  concurrency, progress, timeout for each
---@return true[]? results  one per id, in the order given
---@return fogcloud.Error? err  of the first that failed, or cancelled; err.results has true, an error, or nil (not
---                             tried) per id
function Cloud:grant_all(clientid, ids, options) return for_all(self, "grant", clientid, ids, options) end

--- Takes that away from all of them. Safe to repeat.
---@param clientid string
---@param ids string[]
---@param options fogcloud.BulkOptions?
---@return true[]? results
---@return fogcloud.Error? err  as with grant_all
function Cloud:revoke_all(clientid, ids, options) return for_all(self, "revoke", clientid, ids, options) end

-- Kept clients -------------------------------------------------------------------------------------------------------

--- The client of an application that is kept in the cloud's store; created and kept if there is none, once among all
--- that share the store. Safe to repeat.
---@param app_id string?  default the cloud's app_id
---@param options table?  timeout; name: tells several kept clients of one application apart, a worker's for example
---@return fogcloud.Credentials? credentials
---@return fogcloud.Error? err  kinds: those of create_client; protocol when what is kept cannot be read
function Cloud:client(app_id, options)
  app_id = app_id or self.options.app_id
  check_id("app_id", app_id)
  if options and options.name ~= nil then check_id("name", options.name) end
  return kept.obtain(self, app_id, options and options.name, settings(self, options, NAMED))
end

--- Forgets the kept client of an application, so that `client` creates another. Safe to repeat.
---@param app_id string?      default the cloud's app_id
---@param credentials fogcloud.Credentials?  only if it is this one that is kept
---@param name string?        under which it is kept
---@return boolean? ok
---@return fogcloud.Error? err  kind protocol: the store cannot be written
function Cloud:forget_client(app_id, credentials, name)
  app_id = app_id or self.options.app_id
  check_id("app_id", app_id)
  return self.store:delete(kept.key(self, app_id, name), credentials and { value = credentials.clientid })
end

-- Sessions -----------------------------------------------------------------------------------------------------------

---@package
--- Options of a session with the account's defaults: its authorities serve the broker too unless said otherwise.
---@param given fogcloud.SessionOptions?
---@return table
function Cloud:session_options(given)
  local result = {}
  for name, value in pairs(self.options.session or {}) do result[name] = value end
  for name, value in pairs(given or {}) do result[name] = value end
  if self.options.environment == false then result.driver = result.driver or "native" end -- FOGCLOUD_MQTT_DRIVER
  local own_trust = result.ca_file ~= nil or result.ca_pem ~= nil
  if not own_trust then result.ca_file, result.ca_pem = self.options.ca_file, self.options.ca_pem end
  return result
end

local IN_USE = "the kept client is in use by %s, and a second session with it would end that one: give it a name of "
  .. "its own (keep = \"NAME\", or the option name of cloud:client)"

-- Lets one session have a kept client: a function that lets go, or nil, err. lost(err) hears that another one has it.
-- Who leads has it by the lease, whatever a leader before it that was stopped or cut off still holds.
local function hold(self, key, lost)
  local let_go, who, err = self.store:hold(key, function(other) lost(errors.new("mqtt", IN_USE:format(other))) end)
  if let_go and err then self.logger:write("warn", "the kept client is not held yet", { err = err }) end
  if let_go then return let_go end
  if err then return nil, err end
  if not Term.is_starting() then return nil, errors.new("mqtt", IN_USE:format(who)) end
  self.logger:write("warn", "who leads takes the kept client over", { from = who })
end

--- Connects with a client's credentials. Yields in a task, blocks elsewhere. A client that `cloud:client` has kept is
--- held for this session until it ends: a second session with it, in any process that shares the store, is refused.
---@param credentials fogcloud.Credentials  what create_client returned
---@param options fogcloud.SessionOptions?
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: auth, mqtt (also: a kept client is in use), network, timeout, tls, protocol,
---                             overflow (the journal), cancelled
function Cloud:connect(credentials, options)
  local session, err = self:connect_at(credentials, options, 2)
  return session, err -- no tail call, which would take the frame that the level counts
end

---@package
--- The same; `level` is whom to blame for wrong arguments.
function Cloud:connect_at(credentials, options, level)
  local how, key = self:session_options(options), self.kept[credentials]
  local holder = key and self.store.hold and function(lost) return hold(self, key, lost) end or nil
  local session, err = require("fogcloud.mqtt.session").connect(credentials, how, level + 1, self.logger.sink, holder)
  return session, err
end

--- Creates a client, grants it the devices and connects: all of the above in one. When the broker refuses the client
--- later, another is made and granted.
---@param options fogcloud.OpenOptions
---@return fogcloud.Session? session
---@return fogcloud.Error? err  kinds: those of create_client, connect and grant_all
---@return fogcloud.Credentials? credentials  of the client, also when it could not be connected
function Cloud:open(options)
  return require("fogcloud.api.open").open(self, options, 2)
end

-- The rest -----------------------------------------------------------------------------------------------------------

local function copy_of(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for name, field in pairs(value) do result[name] = copy_of(field) end
  return result
end

---@class fogcloud.CloudStats : fogcloud.CallCounters
---@field budget number           repetitions that are left
---@field token_fetches integer   tokens that were fetched
---@field token_failures integer  fetches that failed
---@field token_renewals integer  of the fetches, those in the background
---@field token_refusals integer  tokens that the cloud refused
---@field token_age number?       seconds since the token in hand was fetched; nil: there is none that serves
---@field token_left number?      seconds until it expires

--- What happened since the cloud was made; a copy. `fogcloud.metrics` makes Prometheus text of it.
---@return fogcloud.CloudStats
function Cloud:stats()
  local result = copy_of(self.counters)
  result.budget = call.budget(self).remaining
  for name, value in pairs(self.access.counters) do result["token_" .. name] = value end
  result.token_age, result.token_left = self.access:age()
  return result
end

--- Ends the cloud: calls from now on, and those that would be repeated, return nil, err of kind closed. Sessions live
--- on. Harmless twice.
function Cloud:close() self.closed = true end

Cloud.__close = Cloud.close

return Cloud
