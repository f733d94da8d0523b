-- SPDX-License-Identifier: MIT

--- What one session has subscribed to: asks the broker, waits for its word, and asks again when it has forgotten us.
local diagnosis = require "fogcloud.diagnosis"
local errors = require "fogcloud.errors"
local options = require "fogcloud.session_options"
local topic_rules = require "fogcloud.topic"

local Subscriptions = {}
Subscriptions.__index = Subscriptions

--- For `session`, which has host, handle, handlers, opts.
function Subscriptions.new(session)
  return setmetatable({ session = session, filters = {}, asked = {}, last_token = 0 }, Subscriptions)
end

-- Sends SUBSCRIBE or UNSUBSCRIBE; the question to wait for, or nil, err.
local function ask(self, method, filter, qos, how)
  local session = self.session
  local token = self.last_token + 1
  self.last_token = token
  local question = { filter = filter, method = method, waiter = session.host.waiter() }
  self.asked[token] = question
  local ok, why = session.handle[method](session.handle, token, filter, qos, how)
  if ok then return question end
  self.asked[token] = nil
  return nil, errors.new("mqtt", why)
end

local function await(self, question, timeout)
  local session = self.session
  local woken = question.waiter:wait(session.host.now() + (timeout or session.opts.timeout))
  if question.err then return nil, question.err end
  if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  if not woken then
    return nil, errors.new("timeout", ("the broker did not acknowledge '%s' in time"):format(question.filter))
  end
  if question.code < 0 or question.code >= 0x80 then
    return nil, diagnosis.subscription(question.filter, question.code, question.text, question.properties)
  end
  return question.code
end

--- The broker's answer; called with the core's event, does not yield.
function Subscriptions:answer(token, code, text, properties)
  local question = self.asked[token]
  if question == nil then return end
  self.asked[token] = nil
  if code < 0 and question.method == "subscribe" then self.cut_short = self.cut_short or question.filter end
  question.code, question.text, question.properties = code, text, properties
  question.waiter:signal()
end

--- Ends every wait: no answer can come any more.
function Subscriptions:fail(err)
  local asked = self.asked
  self.asked, self.cut_short = {}, nil
  for _, question in pairs(asked) do
    question.err = err
    question.waiter:signal()
  end
end

--- The filter that was asked for first of those that have no answer, or whose answer the lost link has taken with it;
--- nil when all are answered.
---@return string?
function Subscriptions:unanswered()
  if self.cut_short then return self.cut_short end
  local first
  for token, question in pairs(self.asked) do
    if question.method == "subscribe" and (first == nil or token < first) then first = token end
  end
  return first and self.asked[first].filter
end

--- Subscribes again after the broker has forgotten us; refusals are reported as errors.
function Subscriptions:restore()
  local session = self.session
  for filter, entry in pairs(self.filters) do
    if entry.granted then -- of another one its caller will hear that the link was lost
      local question, err = ask(self, "subscribe", filter, entry.qos, entry.how)
      if question == nil then return session.handlers:notify("error", err) end
      session.host.spawn(function()
        local granted, why = await(self, question)
        if granted == nil and why.kind == "mqtt" then session.handlers:notify("error", why) end
      end)
    end
  end
end

function Subscriptions.check_filter(filter)
  local ok, why = topic_rules.valid_filter(filter)
  if not ok then error(("filter: %s"):format(why), 3) end
end

local OPTIONS = {
  timeout = "number", no_local = "boolean", retain_as_published = "boolean", retain_handling = "number",
  properties = "table",
}
local OF_VERSION_5 = { no_local = true, retain_as_published = true, retain_handling = true, properties = true }

--- The options of MQTT 5 among those given, nil when there are none; wrong ones raise at the caller's caller.
function Subscriptions.check_options(opts, version)
  local how
  for name, value in pairs(opts or {}) do
    local expected = OPTIONS[name]
    if expected == nil then error(("unknown subscribe option '%s'"):format(tostring(name)), 3) end
    if type(value) ~= expected then
      error(("subscribe option '%s': %s expected, got %s"):format(name, expected, type(value)), 3)
    end
    if OF_VERSION_5[name] then
      if version ~= "5.0" then error(("subscribe option '%s' needs version = '5.0'"):format(name), 3) end
      how = how or {}
      how[name] = name == "properties" and options.properties(value, "subscribe", 3) or value
    end
  end
  return how
end

local function forget(self, filter, entry, token)
  self.session.handlers.router:remove(token)
  for i, each in ipairs(entry.tokens) do
    if each == token then table.remove(entry.tokens, i) end
  end
  if #entry.tokens == 0 and self.filters[filter] == entry then self.filters[filter] = nil end
end

--- See Session:subscribe.
function Subscriptions:add(filter, qos, handler, how, timeout)
  local entry = self.filters[filter] or { qos = qos, tokens = {} }
  local wanted = math.max(entry.qos, qos)
  -- All of this first: retained messages may overtake the answer, and a host may end the one who waits for it.
  local token = self.session.handlers.router:add(filter, handler)
  entry.tokens[#entry.tokens + 1] = token
  self.filters[filter] = entry
  local question, err = ask(self, "subscribe", filter, wanted, how or entry.how)
  local granted
  if question then granted, err = await(self, question, timeout) end
  if granted == nil then
    forget(self, filter, entry, token)
    return nil, err
  end
  entry.qos, entry.how, entry.granted = wanted, how or entry.how, true
  return granted
end

--- See Session:unsubscribe.
function Subscriptions:remove(filter, timeout)
  local entry = self.filters[filter]
  if entry == nil then return true end
  self.filters[filter] = nil
  for _, token in ipairs(entry.tokens) do self.session.handlers.router:remove(token) end
  local question, err = ask(self, "unsubscribe", filter)
  if question == nil then return nil, err end
  local done, why = await(self, question, timeout)
  if done == nil then return nil, why end
  return true
end

return Subscriptions
