-- SPDX-License-Identifier: MIT

--- One of the five calls from beginning to end: attempts, waits between them, and a new token once when the old one is
--- refused. What it needs of its cloud is named in fogcloud.CallContext; it knows nothing else of it.
local core = require "fogcloud.core"
local envelope = require "fogcloud.api.envelope"
local errors = require "fogcloud.errors"
local retry = require "fogcloud.api.retry"
local version = require "fogcloud.version"

local call = {}

---@class fogcloud.CallContext
---@field host table
---@field pump table                  request(name, opts, params, deadline)
---@field options fogcloud.Options
---@field random fun(): number
---@field budget fogcloud.Budget
---@field logger fogcloud.Logger
---@field redactor fogcloud.Redactor
---@field earned integer              of how many calls the budget knows
---@field counters fogcloud.CallCounters  what stats() tells
---@field closed boolean?
---@field common table?               what call.lua keeps from one request to the next

---@class fogcloud.CallCounters
---@field calls integer
---@field attempts integer
---@field repeats integer
---@field failures integer
---@field kinds table<string, integer>  failures by kind
---@field endpoints table<string, { calls: integer, failures: integer, seconds: number }>

--- How one call is to be made, and how far it is.
---@class fogcloud.CallSettings
---@field started number              on host.now()'s scale
---@field deadline number
---@field access fogcloud.Token?      nil for the token call itself
---@field repeatable boolean?         the caller allows that the call arrives twice
---@field observe fun(err: fogcloud.Error)?  is told of every attempt that failed; must not yield
---@field endpoint string?            this and what follows is call.run's
---@field attempts integer
---@field refused integer
---@field request_id string?
---@field cancelled boolean?

--- The counters of a cloud that has made no call yet.
---@return fogcloud.CallCounters
function call.counters()
  local endpoints = {}
  for _, name in ipairs { "token", "create_client", "grant", "revoke", "products" } do
    endpoints[name] = { calls = 0, failures = 0, seconds = 0 }
  end
  return { calls = 0, attempts = 0, repeats = 0, failures = 0, kinds = {}, endpoints = endpoints }
end

--- For call.run, once.
---@param now number       of this turn
---@param deadline number
---@param access fogcloud.Token?
---@param repeatable boolean?
---@return fogcloud.CallSettings
function call.settings(now, deadline, access, repeatable)
  -- With all fields that it will have, as a rule: a table that grows is made anew.
  return {
    started = now, deadline = deadline, access = access, repeatable = repeatable, endpoint = false, attempts = 0,
    refused = 0,
  }
end

--- The call's id, made when it is asked for first.
function call.request_id(context, run)
  if run.request_id == nil then
    local random = context.random
    local function word() return math.floor(random() * 0x7fffffff) end
    run.request_id = ("%08x%08x"):format(word(), word())
  end
  return run.request_id
end

local jit = rawget(_G, "jit")

--- How requests say who sends them.
function call.user_agent()
  local lua = jit and jit.version:lower():gsub(" ", "/", 1):match "^%S+" or "lua/" .. _VERSION:match "%S+$"
  return ("fogcloud/%s %s libcurl/%s"):format(version, lua, core.versions().curl)
end

-- What all requests of a cloud have in common, as the metatable of what is each one's own; `common` is what the core
-- has made of it.
local function common_options(context)
  local o = context.options
  local fields = {
    base_url = o.base_url, encoding = o.encoding, user_agent = o.user_agent or call.user_agent(), ca_file = o.ca_file,
    ca_pem = o.ca_pem, cert_file = o.cert_file, key_file = o.key_file, key_password = o.key_password,
    proxy = o.proxy, max_body = o.max_body,
  }
  fields.common = core.common(fields)
  context.common = { __index = fields }
  return context.common
end

local LONGEST = 86400 -- seconds of one attempt at most: what the core takes

local TRANSPORT = {
  network = "the cloud cannot be reached: %s",
  tls = "no secure connection to the cloud (check ca_file and the host name in base_url): %s",
  timeout = "the cloud did not answer in time: %s",
}

-- Whether the server may have done what it was asked for.
local function is_unknown(err)
  local interrupted = TRANSPORT[err.kind] ~= nil or err.kind == "protocol" or err.kind == "cancelled"
  return interrupted or err.code == 10050 or (err.code == nil and (err.status or 0) >= 500)
end

-- A failure below HTTP in the words of the user's problem. One that names its endpoint is the token call's and has
-- been through here.
local function explain(err, endpoint, redactor)
  if err.endpoint ~= nil then return end
  local text = TRANSPORT[err.kind]
  if text then err.message = text:format(redactor:one_line(err.message)) end
  if endpoint == "create_client" and err.sent and is_unknown(err) then
    err.message = err.message .. "; the client may have been created all the same"
  end
end

-- Tells the option on_request of one attempt. What is in error is told by kind and code only.
local function tell(context, run, timings, err, reply)
  local told, why = pcall(context.options.on_request, {
    endpoint = run.endpoint, attempt = run.attempts, request_id = call.request_id(context, run), timings = timings,
    status = reply and reply.status or nil, date = reply and reply.headers.date or nil,
    code = err and err.code or nil, kind = err and err.kind or nil,
  })
  if not told then context.logger:write("error", "on_request failed", { err = why }) end
end

local function least(a, b) return a < b and a or b end

local function attempt(context, run, now, token, params)
  local left, o = run.deadline - now, context.options
  if left <= 0 then return nil, errors.new("timeout", "no time was left to send the request", { sent = false }) end
  -- One that hangs is not given all the time there is where it can be made again.
  if run.endpoint ~= "create_client" or run.repeatable then left = least(left, o.attempt_timeout) end
  run.attempts = run.attempts + 1
  context.counters.attempts = context.counters.attempts + 1
  local timings, longest = o.on_request and {} or nil, least(left, LONGEST)
  local options = setmetatable({
    token = token, timeout = longest, connect_timeout = least(o.connect_timeout, longest),
    request_id = o.request_id and call.request_id(context, run) or nil,
  }, context.common or common_options(context))
  local reply, err = context.pump:request(run.endpoint, options, params, now + left, timings)
  local data
  if reply ~= nil then
    data, err = envelope.open(reply, run.endpoint, context.redactor)
    if err then
      local headers = reply.headers
      err.sent = true
      err.retry_after = retry.after(headers["retry-after"], context.host.wall(), headers.date)
    end
  elseif err.tunnel ~= nil then
    err = envelope.of_tunnel(err.tunnel)
  end
  if timings then tell(context, run, timings, err, reply) end
  return data, err
end

--- The cloud's budget of repetitions, with what all calls until now have earned.
---@return fogcloud.Budget
function call.budget(context)
  local calls = context.counters.calls
  context.budget:earn(calls - context.earned)
  context.earned = calls
  return context.budget
end

-- Waits before the next attempt. False when there is to be none.
local function wait_turn(context, run, err)
  if run.attempts - run.refused >= retry.ATTEMPTS then return false end
  if not retry.may_repeat(run.endpoint, err, run.repeatable) then return false end
  local delay = retry.delay(run.attempts - run.refused, context.random, err.retry_after)
  if context.host.now() + delay >= run.deadline or not call.budget(context):take() then return false end
  context.counters.repeats = context.counters.repeats + 1
  context.logger:write("debug", run.endpoint .. " is repeated", {
    err = err, delay = delay, request = call.request_id(context, run),
  })
  if context.host.sleep(delay) then return true end
  run.cancelled = true
  return false
end

-- Counts a call that has ended, under its endpoint.
local function count(context, run, err)
  local counters = context.counters
  local mine = counters.endpoints[run.endpoint]
  local seconds = context.host.now() - run.started
  mine.calls, mine.seconds = mine.calls + 1, mine.seconds + seconds
  if err == nil then return end
  err.elapsed = seconds
  mine.failures, counters.failures = mine.failures + 1, counters.failures + 1
  counters.kinds[err.kind] = (counters.kinds[err.kind] or 0) + 1
end

local function fail(context, run, err)
  if run.cancelled then err = errors.new("cancelled", "the task was cancelled", { sent = err.sent }) end
  explain(err, run.endpoint, context.redactor)
  if err.retryable == nil then err.retryable = retry.may_repeat("token", err) end
  err.message = context.redactor:clean(err.message)
  err.endpoint = err.endpoint or run.endpoint
  err.attempts = (err.attempts or 0) + run.attempts
  if context.options.request_id then err.request_id = err.request_id or call.request_id(context, run) end
  count(context, run, err)
  context.logger:write("debug", run.endpoint .. " failed", { err = err })
  return nil, err
end

-- A token's refusal counts once; with the new one the call has all its attempts again.
local function renew_after(run, token, err)
  local refused = err.code == 10100 or err.code == 10101 or err.token_refused
  err.token_refused = nil
  if not refused or run.access == nil then return false end
  run.access:drop(token)
  run.refused = run.refused + 1
  return run.refused == 1
end

-- The token, if any is needed, and the time it is then.
local function token_of(context, run, now)
  local access = run.access
  if access == nil then return nil, now end
  local token = access:at_hand(now)
  if token ~= nil then return token, now end
  local refusal
  token, refusal = access:get(run.deadline)
  return token, context.host.now(), refusal
end

--- Makes the call and waits for its outcome. Yields in a task, blocks elsewhere. The deadline is never overrun by a
--- wait.
---@param context fogcloud.CallContext
---@param endpoint string
---@param params table
---@param run fogcloud.CallSettings  call.settings(...), which is used up
---@return table? data
---@return fogcloud.Error? err  kinds: api, auth, http, network, tls, timeout, protocol, overflow, closed, cancelled
function call.run(context, endpoint, params, run)
  local access, at = run.access, run.started
  run.endpoint = endpoint
  context.counters.calls = context.counters.calls + 1
  while true do
    if context.closed then return fail(context, run, errors.new("closed", "the cloud is closed")) end
    local token, now, refusal = token_of(context, run, at)
    if refusal then return fail(context, run, refusal) end
    local data, err = attempt(context, run, now, token, params)
    if data ~= nil then
      if access and access.refusals > 0 then access:accept(token) end
      count(context, run)
      return data
    end
    if run.observe then run.observe(err) end
    local again = renew_after(run, token, err) or wait_turn(context, run, err)
    if not again then return fail(context, run, err) end
    at = context.host.now()
  end
end

return call
