-- SPDX-License-Identifier: MIT

--- One term of a leader: from a lease that is held to its end, with the session that is made for it.
--
-- The lease is renewed after each third of its life. Where that fails, the session ends before the lease does: with two
-- thirds of it gone it begins to finish, with five sixths gone it is closed. The rest is for clocks and for a process
-- that is held up. A renewal may wait for the store, so the clock is watched by a task of its own.
local Task = require "fogcloud.task.task"
local errors = require "fogcloud.errors"
local log = require "fogcloud.log"
local protect = require "fogcloud.task.protect"

---@class fogcloud.Term
---@field session fogcloud.Session?
local Term = {}
Term.__index = Term
Term.__name = "fogcloud.Term"

local RENEW, TICK, FINISH, CLOSE = 1 / 3, 1 / 10, 1 / 3, 1 / 6 -- parts of a life

---@class fogcloud.TermParts
---@field host table
---@field lease fogcloud.Lease    which is held
---@field start fun(fence: integer): fogcloud.Session?, fogcloud.Error?
---@field complain fun(what: string)
---@field on_session fun(session: fogcloud.Session)?  called when there is one

--- A term that has not begun.
---@param parts fogcloud.TermParts
---@return fogcloud.Term
function Term.new(parts)
  local self = { began = parts.host.now() }
  for name, value in pairs(parts) do self[name] = value end
  self.fence = self.lease.fence
  return setmetatable(self, Term)
end

-- Notes why the term is over; the first reason is the one.
local function end_with(self, reason)
  self.reason = self.reason or reason
  if self.alarm then self.alarm:signal() end
end

local function close(self)
  if self.session then self.session:close() end
end

-- Starting -----------------------------------------------------------------------------------------------------------

local function start(self)
  local ok, session, err = protect.call(self.start, self.fence)
  if not ok or session == nil then
    self.complain("does not start: " .. errors.text(not ok and session or err))
    return end_with(self, "failed")
  end
  if self.reason or self.lease:left() == 0 then return session:close() end -- it took too long
  self.session = session
  session:resume()
  if self.on_session then self.on_session(session) end
end

local starting = setmetatable({}, { __mode = "k" }) -- tasks that call `start` of somebody who leads

--- Whether the code that runs is `start` of somebody who leads: its lease says whose the session is.
---@return boolean
function Term.is_starting()
  local task = Task.current()
  return task ~= nil and starting[task] == true
end

local function begin(self)
  local task = Task.current()
  if task then starting[task] = true end
  start(self)
  if task then starting[task] = nil end
  self.starting = nil
  if self.alarm then self.alarm:signal() end
end

-- The clock ----------------------------------------------------------------------------------------------------------

local function why_not_renewed(self)
  return "cannot renew its lease: " .. errors.text(self.lease.err or "the program was held up")
end

-- Ends the session ahead of a lease that is not renewed.
local function look_at_clock(self)
  local left, life = self.lease:left(), self.lease.life
  if left <= CLOSE * life then
    if self.session and not self.session.ended then self.complain(why_not_renewed(self)) end
    end_with(self, "lost")
    close(self)
  elseif left <= FINISH * life and self.session and not self.finishing then
    self.finishing = true
    self.complain(why_not_renewed(self))
    self.host.spawn(self.session.finish, self.session, (FINISH - CLOSE) * life)
  end
end

local function watch_clock(self)
  while not self.reason do
    look_at_clock(self)
    if not self.reason then self.host.sleep(TICK / 2 * self.lease.life) end
  end
end

-- The term -----------------------------------------------------------------------------------------------------------

local function renew(self)
  if self.lease:left() > (1 - RENEW) * self.lease.life then return end
  local held = self.lease:take()
  if held == false or held and held ~= self.fence then
    self.complain("was taken over by another one")
    end_with(self, "lost")
  end
end

local function look_at_session(self)
  local session = self.session
  if session == nil or session.ended == nil or self.reason then return end
  if not self.finishing then self.complain("ended: " .. errors.text(session.ended)) end
  end_with(self, self.finishing and "lost" or "ended")
end

-- Lets the session finish while the lease is held, where there is time for that.
local function hand_over(self)
  if self.starting then self.starting:wait(self.lease.life / 2) end
  if self.session == nil then return end
  if self.reason ~= "stopped" then return self.session:close() end
  self.lease:take()
  local time = math.min(self.lease.life / 2, self.lease:left() - CLOSE * self.lease.life)
  self.session:finish(math.max(0, time))
  self.session:close()
end

--- Serves the term; returns when it is over and the lease given up. In a task of the library's own.
---@return "stopped"|"failed"|"ended"|"lost" reason
function Term:run()
  self.alarm = self.host.waiter()
  self.host.spawn(watch_clock, self)
  self.starting = self.host.spawn_user(begin, self)
  while not self.reason do
    renew(self)
    look_at_session(self)
    if not self.reason then self.alarm:wait(self.host.now() + TICK * self.lease.life) end
  end
  hand_over(self)
  local session = self.session
  self.session, self.last_session = nil, session
  self.lease:release()
  return self.reason
end

--- Lets the session finish and gives the lease up, soon.
function Term:stop() end_with(self, "stopped") end

--- Raises where a store or the length of a lease cannot serve; for whoever leads.
---@param store table
---@param life any
---@param level integer
function Term.check(store, life, level)
  if type(store.lease) ~= "function" or type(store.release) ~= "function" then
    error("store: one with the functions 'lease' and 'release' expected", level + 1)
  end
  if type(life) ~= "number" or not (life >= 1 and life <= 3600) then
    error("life: seconds from 1 to 3600 expected", level + 1)
  end
end

--- What nobody else is told of, to whoever runs the program.
---@param host table
---@param text string
function Term.report(host, text)
  text = errors.printable("fogcloud: " .. text)
  if host.report then return host.report(text) end
  log.report(text)
end

return Term
