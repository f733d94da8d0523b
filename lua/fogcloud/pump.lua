-- SPDX-License-Identifier: MIT

--- The only reader of events: hands a reply to the call that waits for it, and everything of a session to that session.
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"

local Pump = {}
Pump.__index = Pump
Pump.__name = "fogcloud.Pump"

-- The core ends a request at its deadline, and knows best what happened: whether the reply came before, however long
-- Lua or the whole process could not look. We wait this much longer for its word, and when it is overdue, so much from
-- when we could look again.
local GRACE, LAST_WORD = 0.02, 0.5

function Pump.new(engine, host)
  local self = setmetatable({ engine = engine, host = host, waiting = {}, sessions = {}, open = 0 }, Pump)
  -- The five requests (src/binding/api.c), by the name of their endpoint.
  self.send = {
    token = engine.token, create_client = engine.create_client, grant = engine.grant, revoke = engine.revoke,
    products = engine.products,
  }
  --- Waits for events, at most so many seconds (nil: for ever), and takes them: for a host without a loop of its own.
  function self.poll(timeout)
    engine:wait(timeout)
    self:collect()
  end
  return self
end

-- A reply's header block is taken apart when somebody asks for its headers: for a refusal, as a rule.
local Reply = {}
function Reply.__index(reply, name)
  if name ~= "headers" then return nil end
  reply.headers = core.headers(reply.head)
  return reply.headers
end

local function note_timings(timings, resolve, connect, tls, first_byte, total)
  timings.resolve, timings.connect, timings.tls, timings.first_byte, timings.total =
    resolve, connect, tls, first_byte, total
end

-- What a call came to lies in it before anything says that it has, for a hook may throw in between (scheduler.lua). The
-- call is forgotten here, for the caller may be gone: a host may end a coroutine that waits.

local function on_reply(self, id, status, head, body, ...)
  local call = self.waiting[id]
  if call == nil then return end
  if call.timings then note_timings(call.timings, ...) end
  call.reply = setmetatable({ status = status, head = head, body = body }, Reply)
  call.waiter:signal()
  self.waiting[id] = nil
end

local function on_failure(self, id, kind, text, sent, tunnel, ...)
  local call = self.waiting[id]
  if call == nil then return end
  if call.timings then note_timings(call.timings, ...) end
  call.err = errors.new(kind, text, { sent = sent })
  if tunnel ~= 0 then call.err.tunnel = tunnel end
  call.waiter:signal()
  self.waiting[id] = nil
end

-- One event; false when there was none.
local function take(self, name, id, ...)
  if name == nil then return false end
  if name == "reply" then
    on_reply(self, id, ...)
    self.engine:drop()
  elseif name == "failure" then
    on_failure(self, id, ...)
    self.engine:drop()
  else
    self.engine:drop() -- a session counts its events: none twice
    local session = self.sessions[id]
    if session ~= nil then session:on_event(name, ...) end
  end
  return true
end

--- Takes all events that have come. Calls no user function and does not yield.
function Pump:collect()
  local engine = self.engine
  self.collecting = true -- until all is taken: an error may end it before
  while take(self, engine:peek()) do end -- luacheck: ignore 542
  self.collecting = false
end

-- Of what is waited for: with all fields that it will have, for a table that grows is made anew.
local function new_call(waiter, timings) return { waiter = waiter, timings = timings, reply = false, err = false } end

-- Waits for the end of what goes by this id; `cancel(id)` ends it early.
local function await(self, id, call, deadline, cancel)
  self.waiting[id] = call
  local woken, why = call.waiter:wait(deadline and deadline + GRACE)
  if woken == false and why == nil then woken, why = call.waiter:wait(self.host.now() + LAST_WORD) end
  self.waiting[id] = nil
  if call.reply or call.err then return call.reply or nil, call.err or nil end
  if cancel then self.engine:cancel(id) end
  self:settle()
  if woken == nil then return nil, errors.new("cancelled", "the task was cancelled", { sent = true }) end
  return nil, errors.new("timeout", why or "no reply in time", { sent = true })
end

--- Makes one of the five requests and waits for its end. Yields in a task, blocks elsewhere.
---@param name string      of the endpoint: token, create_client, grant, revoke, products
---@param opts table       see src/binding/api.c
---@param params table     the call's own parameters
---@param deadline number  on host.now()'s scale
---@param timings table?   is filled with resolve, connect, tls, first_byte, total when the request ends by itself
---@return table? reply    status, headers, body
---@return fogcloud.Error? err  kinds: network, tls, timeout, protocol, overflow, cancelled; err.sent is false when no
---                             byte of the request can have reached the server
function Pump:request(name, opts, params, deadline, timings)
  local host = self.host
  if host.try_wait then host.try_wait() end -- first: nothing is sent where nobody can wait for it
  local call = new_call(host.waiter(), timings)
  local id, full = self.send[name](self.engine, opts, params)
  if id == nil then return nil, errors.new("overflow", full, { sent = false }) end
  return await(self, id, call, deadline, true)
end

--- The same for a command of a module of its own that reports through this engine (store/redis.lua). What nobody waits
--- for any longer ends unheard.
---@param client table       send(id, arguments): true, or nil and why not
---@param arguments string[]
---@param deadline number    on host.now()'s scale
---@return table? reply      status, body: as the module says
---@return fogcloud.Error? err  kinds: those of the module, overflow, timeout, cancelled
function Pump:command(client, arguments, deadline)
  local host = self.host
  if host.try_wait then host.try_wait() end
  local call = new_call(host.waiter())
  local id = self.engine:id()
  local sent, why = client:send(id, arguments)
  if not sent then return nil, errors.new("overflow", why, { sent = false }) end
  return await(self, id, call, deadline)
end

--- Ends what waits for events, for a reason of the host's: it cannot hear of them.
---@param why string
function Pump:fail(why)
  local waiting = self.waiting
  self.waiting = {}
  for id, call in pairs(waiting) do
    self.engine:cancel(id)
    call.err = errors.new("network", why, { sent = true })
    call.waiter:signal()
  end
  for _, session in pairs(self.sessions) do
    if not session.ended then session:note_error(errors.new("network", why, { retryable = true })) end
  end
end

--- Makes the core's half of a session and routes its events to `session:on_event`.
function Pump:add_session(session, limits)
  local handle, why = self.engine:session(limits)
  if handle == nil then return nil, errors.new("mqtt", why) end
  self.sessions[handle:id()] = session
  self.open = self.open + 1
  return handle, handle:id()
end

--- Forgets a session that has ended; forgetting twice is harmless.
function Pump:remove_session(id)
  if self.sessions[id] == nil then return end
  self.sessions[id] = nil
  self.open = self.open - 1
  self:settle()
end

--- Wakes a host that waits for events only while some may come, when none will.
function Pump:settle()
  if self:idle() then self.engine:wake() end
end

--- True while a session is open: `run` has something to wait for.
function Pump:busy() return self.open > 0 end

--- True while a call waits for its reply.
function Pump:is_calling() return next(self.waiting) ~= nil end

--- True while no event can come that anybody waits for.
function Pump:idle() return self.open == 0 and next(self.waiting) == nil end

return Pump
