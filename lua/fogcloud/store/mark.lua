-- SPDX-License-Identifier: MIT

--- A mark that tells one holder of a lock or a lease from all others, in this process, on this machine and elsewhere.
local core = require "fogcloud.core"

local mark = {}

local count = 0

-- 16 random bytes of the system's; nothing where it offers none.
local function random_text()
  return (core.random(16) or ""):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
end

--- A new one; its first word is this process's id.
---@return string
function mark.new()
  count = count + 1
  return ("%d %d %s %.6f %s"):format(core.pid(), count, tostring({}):match("%S+$"), core.wall(), random_text())
end

return mark
