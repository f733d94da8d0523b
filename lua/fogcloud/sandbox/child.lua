-- SPDX-License-Identifier: MIT

--- The end of a child process.
local core = require "fogcloud.sandbox.core"

local child = {}

child.TERM, child.KILL = 15, 9

local PATIENCE, AGAIN, LOOK = 10, 0.25, 0.002

local function ended_within(pid, seconds)
  local deadline = core.now() + seconds
  repeat
    if core.wait(pid) ~= nil then return true end
    core.poll({}, LOOK)
  until core.now() > deadline
  return false
end

--- Ends a child of this process and waits for its end, at most `patience`: then it is killed. The signal is sent again
--- and again, since one alone may be lost: mosquitto 2.0 sets its handler first, and a moment later the `run = 1` that
--- the handler clears (lost at one start in a hundred and thirty, when signalled as soon as it listened).
---@param pid integer
---@param signal integer?   SIGTERM
---@param patience number?  seconds, 10
function child.stop(pid, signal, patience)
  for _ = 1, (patience or PATIENCE) / AGAIN do
    core.kill(pid, signal or child.TERM)
    if ended_within(pid, AGAIN) then return end
  end
  core.kill(pid, child.KILL)
  core.wait(pid, true)
end

return child
