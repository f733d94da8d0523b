-- SPDX-License-Identifier: MIT

--- The end of a session that loses nothing: everything out, everything handled and acknowledged, then the goodbye.
local errors = require "fogcloud.errors"

local Finish = {}
Finish.__index = Finish

---@class (exact) fogcloud.FinishParts
---@field host table
---@field handle userdata
---@field handlers table
---@field publications table
---@field state fogcloud.SessionState
---@field leave fun()   asks the keeper to say goodbye

---@param parts fogcloud.FinishParts
function Finish.new(parts)
  return setmetatable({ parts = parts }, Finish)
end

-- Lets the handlers take what has come, and waits until none is at work. Nothing more is taken in meanwhile. As a
-- waiter does: true, false, nil.
local function drain(parts, by)
  local host, handlers = parts.host, parts.handlers
  parts.handle:hold()
  if host.in_task == nil or host.in_task() then return handlers:drain(by) end
  while not handlers:is_drained() and host.now() < by do host.step(by) end -- nobody else serves them
  return handlers:is_drained()
end

local function unhandled(parts)
  local text = "%d messages were received and not handled in time, and %d handlers are still at work"
  return errors.new("timeout", text:format(parts.handle:stats().inbox, parts.handlers:at_work()))
end

-- Everything but waiting for the end. The outcome of finish.
local function end_well(parts, by)
  local ok, err = parts.publications:flush(by)
  if parts.state.ended then return nil, err or parts.state.ended end -- it gave up, or was closed
  local done = drain(parts, by)
  if not done then
    if ok then ok, err = nil, done == nil and errors.new("cancelled", "the task was cancelled") or unhandled(parts) end
    parts.handlers:close()
  end
  if not parts.state.ended then parts.leave() end
  return ok, err
end

--- Waits until the session is closed. The outcome's ok and err; nil, err when it does not come to its end.
---@param outcome table  ok, err
function Finish.join(state, handlers, by, outcome)
  local done, why = handlers:excuse(state.reach, state, "closed", by + 1)
  if done == nil then return nil, errors.new("cancelled", "the task was cancelled") end
  if not done and outcome.ok then return nil, errors.new("timeout", why or "the session is not closed yet") end
  return outcome.ok, outcome.err
end

--- See Session:finish. Whoever calls it again waits for the first.
function Finish:run(by)
  local parts, handlers = self.parts, self.parts.handlers
  if self.outcome == nil then
    self.outcome = {}
    self.outcome.ok, self.outcome.err = handlers:excuse(end_well, parts, by)
  end
  return Finish.join(parts.state, handlers, by, self.outcome)
end

return Finish
