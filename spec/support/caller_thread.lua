-- SPDX-License-Identifier: MIT

--- For busted's --helper: every session of the specs that says nothing else has no thread (thread = false).
local options = require "fogcloud.mqtt.options"

local check = options.check

function options.check(given, level)
  local with = given
  if given == nil or (type(given) == "table" and given.thread == nil) then
    with = { thread = false }
    for name, value in pairs(given or {}) do with[name] = value end
  end
  return check(with, level)
end
