-- SPDX-License-Identifier: MIT

--- Lines of standard input, without holding up what goes on meanwhile.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"

local lines = {}

local TURN = 0.02 -- seconds between two looks when nothing is there
local STANDARD_INPUT = 0

--- An iterator over the lines; yields while none is there, ends at the end of input or when the task is cancelled.
function lines.each()
  local buffer, at_end = "", false
  return function()
    while true do
      local line, rest = buffer:match("^([^\n]*)\n(.*)$")
      if line then
        buffer = rest
        return line
      end
      if at_end then
        line, buffer = buffer, ""
        return line ~= "" and line or nil
      end
      local more = core.terminal.read(STANDARD_INPUT, 0)
      if more == nil then
        at_end = true
      elseif more ~= "" then
        buffer = buffer .. more
      elseif not fogcloud.sleep(TURN) then
        return nil
      end
    end
  end
end

return lines
