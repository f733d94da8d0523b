-- SPDX-License-Identifier: MIT

--- Header values that our own code reads: any Retry-After gives nothing or a wait between zero and its bound.
--- Input: the header's value.
local retry = require "fogcloud.retry"

return function(input)
  local wait = retry.after(input, 1600000000)
  assert(wait == nil or type(wait) == "number" and wait == wait and wait >= 0, tostring(wait))
  local delay = retry.delay(1, function() return 0.5 end, wait)
  assert(delay == delay and delay >= 0)
end
