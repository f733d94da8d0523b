-- SPDX-License-Identifier: MIT

--- Header values that our own code reads: any Retry-After gives nothing or a wait longer than none, and the next
--- attempt comes no sooner, and no later than it or the cap of our own backoff.
--- Input: the header's value.
local retry = require "fogcloud.api.retry"

return function(input)
  local wait = retry.after(input, 1600000000)
  assert(wait == nil or type(wait) == "number" and wait == wait and wait > 0, tostring(wait))
  for attempt = 1, 20 do
    local delay = retry.delay(attempt, function() return 0.999 end, wait)
    assert(delay >= (wait or 0) and delay <= math.max(retry.CAP, wait or 0), tostring(delay))
  end
end
