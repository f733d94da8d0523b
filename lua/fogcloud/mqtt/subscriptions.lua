-- SPDX-License-Identifier: MIT

--- What one session has subscribed to: asks the broker, waits for its word, and asks again when it has forgotten us.
--
-- A question is open until the broker has answered it, its time is up, or the session has ended. It is asked once on
-- each link, so one that comes while there is no link, or whose answer a lost link took with it, waits for the next. A
-- filter is on record from the moment in which the broker's answer has come, whoever looks at it when. One that the
-- broker may not know is in doubt, and asked for with every new link until the broker has said yes to it.
local diagnosis = require "fogcloud.mqtt.diagnosis"
local errors = require "fogcloud.errors"
local options = require "fogcloud.mqtt.options"
local topic_rules = require "fogcloud.mqtt.topic"

local Subscriptions = {}
Subscriptions.__index = Subscriptions

--- For `session`, which has host, handle, handlers, opts, up.
function Subscriptions.new(session)
  return setmetatable({
    session = session,
    filters = {},
    open = {},  -- by number
    asked = {}, -- by token, on the link that is up
    last = 0,
    last_token = 0,
  }, Subscriptions)
end

-- The open questions in the order of asking.
local function in_order(self)
  local list = {}
  for _, question in pairs(self.open) do list[#list + 1] = question end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

-- Ends a question: its code or its err says how.
local function settle(self, question)
  self.open[question.number] = nil
  if question.asked then self.asked[question.asked] = nil end
  question.settled = true
  question.waiter:signal()
end

-- Sends SUBSCRIBE or UNSUBSCRIBE over the link that is up.
local function send(self, question)
  local handle, token = self.session.handle, self.last_token + 1
  self.last_token, self.asked[token], question.asked = token, question, token
  local ok, why = handle[question.method](handle, token, question.filter, question.qos, question.how)
  if ok then return end
  question.err = errors.new("mqtt", why)
  settle(self, question)
end

-- A subscription that is in force: the entry of its filter, made where there is none.
local function record(self, question)
  local entry = self.filters[question.filter] or { tokens = {} }
  self.filters[question.filter] = entry
  entry.qos, entry.how = question.qos, question.how
  if question.token then entry.tokens[#entry.tokens + 1] = question.token end
  question.token = nil
  return entry
end

local function forget(self, filter)
  local entry = self.filters[filter]
  if entry == nil then return end
  self.filters[filter] = nil
  for _, token in ipairs(entry.tokens) do self.session.handlers.router:remove(token) end
end

--- A session that is paused left because it is full, and comes back only once it is resumed, which its user does after
--- subscribing: what is asked is taken to be granted, and the broker is asked with the next link.
function Subscriptions:settle_paused()
  local handlers = self.session.handlers
  if not (handlers.paused and handlers.room) then return end
  for _, question in ipairs(in_order(self)) do
    if question.method == "subscribe" and not question.restores then
      record(self, question).doubt = true
      question.code = question.qos
      settle(self, question)
    end
  end
end

-- A question to wait for.
local function ask(self, question)
  self.last = self.last + 1
  question.number, question.waiter = self.last, self.session.host.waiter()
  self.open[question.number] = question
  if self.session.up then send(self, question) end
  self:settle_paused()
  return question
end

local function await(self, question, deadline)
  local woken = question.waiter:wait(deadline)
  if not question.settled then
    settle(self, question)
    if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
    return nil, diagnosis.unanswered(question.method, question.filter, question.asked ~= nil)
  end
  if question.err then return nil, question.err end
  if question.code >= 0x80 then
    return nil, diagnosis.refused_filter(question.method, question.filter, question.code, question.text,
      question.properties)
  end
  return question.code
end

--- The broker's answer; called with the core's event, does not yield.
function Subscriptions:answer(token, code, text, properties)
  local question = self.asked[token]
  if question == nil then return end
  if code < 0 then -- no answer: the link is gone, or will be
    self.asked[token] = nil
    if question.method == "subscribe" then self.cut_short = self.cut_short or question.filter end
    return
  end
  question.code, question.text, question.properties = code, text, properties
  if code < 0x80 then
    if question.method == "subscribe" then record(self, question).doubt = nil else forget(self, question.filter) end
  end
  settle(self, question)
end

--- The link is gone: what was asked on it is asked on the next.
function Subscriptions:lost()
  self.asked, self.cut_short = {}, nil
  for _, question in ipairs(in_order(self)) do
    if question.restores then -- the next link decides anew
      question.code = question.qos
      settle(self, question)
    end
  end
end

--- Ends every wait: no answer can come any more.
function Subscriptions:fail(err)
  for _, question in ipairs(in_order(self)) do
    question.err = err
    settle(self, question)
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

--- The broker says that it knows nothing of us.
function Subscriptions:doubt()
  for _, entry in pairs(self.filters) do entry.doubt = true end
end

-- Asks again for a filter that is on record, and reports what comes of it.
local function restore(self, filter, entry)
  local session = self.session
  local question = ask(self, { method = "subscribe", filter = filter, qos = entry.qos, how = entry.how,
    restores = true })
  session.host.spawn(function()
    local granted, err = await(self, question, session.host.now() + session.opts.timeout)
    if granted == nil and err ~= session.ended then session.handlers:notify("error", err) end
  end)
end

--- The link is up: asks for all that is in doubt, and what came while there was none.
function Subscriptions:restore()
  local waiting = in_order(self)
  for filter, entry in pairs(self.filters) do
    if entry.doubt then restore(self, filter, entry) end
  end
  for _, question in ipairs(waiting) do send(self, question) end
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
  options.check_all(OPTIONS, opts, "subscribe", 4)
  for name, value in pairs(opts or {}) do
    if OF_VERSION_5[name] then
      if version ~= "5.0" then error(("subscribe option '%s' needs version = '5.0'"):format(name), 3) end
      how = how or {}
      how[name] = name == "properties" and options.properties(value, "subscribe", 3) or value
    end
  end
  return how
end

-- The most that is wanted of a filter, with what is asked already.
local function wanted(self, filter, qos)
  local entry = self.filters[filter]
  if entry then qos = math.max(qos, entry.qos) end
  for _, question in pairs(self.open) do
    if question.filter == filter and question.method == "subscribe" then qos = math.max(qos, question.qos) end
  end
  return qos
end

--- See Session:subscribe. `deadline` is on the host's scale.
function Subscriptions:add(filter, qos, handler, how, deadline)
  local router, entry = self.session.handlers.router, self.filters[filter]
  local token = router:add(filter, handler) -- first: retained messages may overtake the answer
  local question = ask(self, {
    method = "subscribe", filter = filter, qos = wanted(self, filter, qos), how = how or entry and entry.how,
    token = token,
  })
  local granted, err = await(self, question, deadline)
  if granted == nil then router:remove(token) end
  return granted, err
end

--- See Session:unsubscribe. The broker is asked for any filter: an earlier process may have subscribed to it.
function Subscriptions:remove(filter, deadline)
  local done, err = await(self, ask(self, { method = "unsubscribe", filter = filter }), deadline)
  return done and true, err
end

return Subscriptions
