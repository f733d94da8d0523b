-- SPDX-License-Identifier: MIT

--- What one session has subscribed to: asks the broker, waits for its word, and asks again when it has forgotten us.
--
-- A question is open until the broker has answered it, its time is up, or the session has ended. It is asked once on
-- each link, so one that comes while there is no link, or whose answer a lost link took with it, waits for the next. A
-- filter is on record from the moment in which the broker's answer has come, whoever looks at it when. One that the
-- broker may not know is in doubt, and asked for with every new link until the broker has said yes to it.
--
-- With MQTT 5 each filter has a Subscription Identifier of its own, where the broker takes them: so a message says
-- which of several overlapping filters it is for (3.3.4), and each handler gets it once. The number is made from the
-- filter, so that a session that the broker keeps means the same by it in the next process.
local diagnosis = require "fogcloud.mqtt.diagnosis"
local errors = require "fogcloud.errors"
local options = require "fogcloud.mqtt.options"
local topic_rules = require "fogcloud.mqtt.topic"

local Subscriptions = {}
Subscriptions.__index = Subscriptions

local correct

---@class (exact) fogcloud.SubscriptionsParts
---@field host table
---@field handle userdata
---@field state fogcloud.SessionState
---@field router table
---@field notify fun(name: string, value: any)
---@field is_paused fun(): boolean  its handlers take nothing yet
---@field timeout number           seconds that the broker has for an answer that nobody waits for

---@param parts fogcloud.SubscriptionsParts
function Subscriptions.new(parts)
  return setmetatable({
    host = parts.host, handle = parts.handle, state = parts.state, router = parts.router, notify = parts.notify,
    is_paused = parts.is_paused, timeout = parts.timeout,
    filters = {},
    open = {},    -- by number
    wanted = {},  -- by filter: the greatest QoS that is asked for at this moment, and by how many
    asked = {},   -- by token, on the link that is up
    cut = {},     -- the questions that the lost link left without an answer, in the order of asking
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
  if question.asked and not question.assumed then self.asked[question.asked] = nil end
  local wanted = self.wanted[question.filter]
  if question.method == "subscribe" and wanted then
    wanted.count = wanted.count - 1
    if wanted.count == 0 then self.wanted[question.filter] = nil end
  end
  question.settled = true
  if question.restores then question.restores(question) else question.waiter:signal() end
end

-- The options of a subscription with the identifier of its filter, where the broker takes it.
local function identified(self, question)
  local how = question.how
  if question.identifier == nil or self.state.version ~= 5 then return how end
  if self.state.limits.subscription_identifiers_available == 0 or (how and how.identifies) then return how end
  local copy = {}
  for name, value in pairs(how or {}) do copy[name] = value end
  copy.properties = options.properties({ subscription_identifier = question.identifier }, "subscribe", 1)
    .. (copy.properties or "")
  return copy
end

-- Sends SUBSCRIBE or UNSUBSCRIBE over the link that is up.
local function send(self, question)
  local handle, token = self.handle, self.last_token + 1
  self.last_token, self.asked[token], question.asked = token, question, token
  local ok, why
  if question.method == "subscribe" then
    ok, why = handle:subscribe(token, question.filter, question.qos, identified(self, question))
  else
    ok, why = handle:unsubscribe(token, question.filter)
  end
  if ok then return end
  question.err = errors.new("mqtt", why)
  settle(self, question)
end

-- A subscription that is in force: the entry of its filter, made where there is none.
local function record(self, question)
  local entry = self.filters[question.filter] or { tokens = {} }
  self.filters[question.filter] = entry
  entry.qos, entry.how, entry.identifier = question.qos, question.how, question.identifier
  if question.token then entry.tokens[#entry.tokens + 1] = question.token end
  question.token = nil
  return entry
end

local function forget(self, filter)
  local entry = self.filters[filter]
  if entry == nil then return end
  self.filters[filter] = nil
  for _, token in ipairs(entry.tokens) do self.router:remove(token) end
end

-- Opens a question, and asks it where there is a link.
local function ask(self, question)
  self.last = self.last + 1
  question.number = self.last
  self.open[question.number] = question
  if question.method == "subscribe" then
    local wanted = self.wanted[question.filter] or { count = 0, qos = 0 }
    wanted.count, wanted.qos = wanted.count + 1, math.max(wanted.qos, question.qos)
    self.wanted[question.filter] = wanted
  end
  if self.state:is_up() then send(self, question) end
  return question
end

-- The answer in a question that is settled.
local function outcome(question)
  if question.err then return nil, question.err end
  if question.code >= 0x80 then return nil, diagnosis.refused_filter(question) end
  return question.code
end

local LOOK = 0.02

-- A session that is paused and full reads nothing, so no answer can come before its user resumes it, which comes after
-- subscribing: what is asked is taken to be granted, and the answer corrects that later.
local function wait_or_assume(self, question, deadline)
  while self.is_paused() do
    if question.settled then return true end
    if question.method == "subscribe" and question.asked and self.handle:resting() then
      question.assumed = true
      record(self, question)
      question.code = question.qos
      settle(self, question)
      return true
    end
    local now = self.host.now()
    if now >= deadline then return false end
    local woken = question.waiter:wait(math.min(deadline, now + LOOK))
    if woken == nil then return nil end
  end
  return question.settled or question.waiter:wait(deadline)
end

local function await(self, question, deadline)
  local woken = wait_or_assume(self, question, deadline)
  if question.settled then return outcome(question) end
  settle(self, question)
  if woken == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  return nil, diagnosis.unanswered(question.method, question.filter, question.asked ~= nil)
end

-- What was taken to be granted has its answer.
function correct(self, question, event)
  self.asked[event.token] = nil
  local entry = self.filters[question.filter]
  if event.code < 0 and entry then entry.doubt = true end
  if event.code < 0x80 then return end
  question.code, question.properties = event.code, event.properties
  forget(self, question.filter)
  self.notify("error", diagnosis.refused_filter(question))
end

--- The broker's answer; called with the core's event, does not yield.
---@param event table  token, code, sent, properties
function Subscriptions:answer(event)
  local question = self.asked[event.token]
  if question == nil then return end
  if question.assumed then return correct(self, question, event) end
  if event.code < 0 then -- no answer: the link is gone, or will be
    self.asked[event.token] = nil
    if not event.sent then question.asked = nil end
    if event.sent and question.method == "subscribe" then self.cut[#self.cut + 1] = question end
    return
  end
  question.code, question.properties = event.code, event.properties
  if event.code < 0x80 then
    if question.method == "subscribe" then record(self, question).doubt = nil else forget(self, question.filter) end
  end
  settle(self, question)
end

--- The link is gone: what was asked on it is asked on the next.
function Subscriptions:lost()
  self.asked, self.cut = {}, {}
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

--- What was asked for first of that whose answer the lost link has taken with it; nil: all is answered. Between the end
--- of the link and `lost`.
---@return table?  filter; new: it was never granted
function Subscriptions:cut_short()
  local first = self.cut[1]
  for _, question in ipairs(self.cut) do
    if question.number < first.number then first = question end
  end
  return first and { filter = first.filter, new = self.filters[first.filter] == nil }
end

--- The broker hangs up on this filter: whoever asked for it is told so, and it is not asked for again.
function Subscriptions:blame(filter, err)
  for _, question in ipairs(in_order(self)) do
    if question.filter == filter and question.method == "subscribe" then
      question.err = err
      settle(self, question)
    end
  end
  forget(self, filter)
end

-- Tells of those that the broker has not answered in time.
local function expect(self, restored)
  self.host.sleep(self.timeout)
  for _, question in ipairs(restored) do
    if not question.settled then
      question.err = diagnosis.unanswered("subscribe", question.filter, true)
      settle(self, question)
    end
  end
end

-- Asks again for a filter that is on record, and reports what comes of it.
local function restore(self, filter, entry)
  return ask(self, {
    method = "subscribe", filter = filter, qos = entry.qos, how = entry.how, identifier = entry.identifier,
    restores = function(question)
      local granted, err = outcome(question)
      if granted == nil and err ~= self.state.ended then self.notify("error", err) end
    end,
  })
end

--- The link is up: asks for all that is in doubt, and what came while there was none.
---@param known boolean  the broker has kept our session
function Subscriptions:restore(known)
  local waiting = in_order(self)
  local restored = {}
  for filter, entry in pairs(self.filters) do
    if not known then entry.doubt = true end
    if entry.doubt then restored[#restored + 1] = restore(self, filter, entry) end
  end
  for _, question in ipairs(waiting) do send(self, question) end
  if #restored > 0 then self.host.spawn(expect, self, restored) end
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

local function check_values(opts, filter)
  local retain = opts.retain_handling
  if retain ~= nil and retain ~= 0 and retain ~= 1 and retain ~= 2 then
    error("subscribe option 'retain_handling': 0, 1 or 2 expected", 4)
  end
  if opts.no_local and filter:find("^%$share/") then -- MQTT-3.8.3-4
    error("subscribe option 'no_local': not for a shared subscription", 4)
  end
end

--- The options of MQTT 5 among those given, nil when there are none; wrong ones raise at the caller's caller.
function Subscriptions.check_options(opts, version, filter)
  local how
  options.check_all(OPTIONS, opts, "subscribe", 4)
  for name, value in pairs(opts or {}) do
    if OF_VERSION_5[name] then
      if version ~= "5.0" then error(("subscribe option '%s' needs version = '5.0'"):format(name), 3) end
      how = how or {}
      how[name] = name == "properties" and options.properties(value, "subscribe", 3) or value
      if name == "properties" then how.identifies = value.subscription_identifier end
    end
  end
  if how then check_values(opts, filter) end
  return how
end

-- The most that is wanted of a filter, with what is asked already.
local function most_wanted(self, filter, qos)
  local entry, wanted = self.filters[filter], self.wanted[filter]
  if entry then qos = math.max(qos, entry.qos) end
  return wanted and math.max(qos, wanted.qos) or qos
end

-- What the broker of the link has said that it does not take (MQTT 5, 3.2.2.3.11 to 13).
local function beyond_limits(self, filter, how)
  local limits = self.state.limits
  if limits.wildcard_subscription_available == 0 and filter:find("[+#]") then
    return errors.new("mqtt", "the broker takes no wildcards (wildcard_subscription_available)", { code = 0xA2 })
  end
  if limits.shared_subscription_available == 0 and filter:find("^%$share/") then
    return errors.new("mqtt", "the broker takes no shared subscriptions (shared_subscription_available)",
      { code = 0x9E })
  end
  if limits.subscription_identifiers_available == 0 and how and how.identifies then
    return errors.new("mqtt", "the broker takes no identifiers (subscription_identifiers_available)", { code = 0xA1 })
  end
end

--- See Session:subscribe. `deadline` is on the host's scale.
function Subscriptions:add(filter, qos, handler, how, deadline)
  local refused = beyond_limits(self, filter, how)
  if refused then return nil, refused end
  local router, entry = self.router, self.filters[filter]
  local waiter = self.host.waiter() -- first: a host may raise where it cannot wait
  how = how or entry and entry.how
  local identifier = how and how.identifies or router:identifier(filter)
  local token = router:add(filter, handler, identifier) -- before asking: retained messages may overtake the answer
  local question = ask(self, {
    method = "subscribe", filter = filter, qos = most_wanted(self, filter, qos), how = how, identifier = identifier,
    token = token, waiter = waiter,
  })
  local granted, err = await(self, question, deadline)
  if granted == nil then router:remove(token) end
  return granted, err
end

--- See Session:unsubscribe. The broker is asked for any filter: an earlier process may have subscribed to it.
function Subscriptions:remove(filter, deadline)
  local question = { method = "unsubscribe", filter = filter, waiter = self.host.waiter() }
  local done, err = await(self, ask(self, question), deadline)
  return done and true, err
end

return Subscriptions
