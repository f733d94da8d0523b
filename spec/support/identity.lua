-- SPDX-License-Identifier: MIT

--- Whoever requires this has the identity asserted for every session of its process: whenever a link is lost, before
--- the session ends, and after. Where these are called there is nobody to catch an error, so it ends the run.
local Session = require "fogcloud.mqtt.session"

local identity = {}

--- Raises when the identity does not hold. The stats.
function identity.check(session)
  local s = session:stats()
  assert(s.accepted == s.acknowledged + s.failed + s.dropped + s.queued,
    ("accepted %d ~= acknowledged %d + failed %d + dropped %d + queued %d")
      :format(s.accepted, s.acknowledged, s.failed, s.dropped, s.queued))
  return s
end

local function watch(name, nothing_left)
  local real = Session[name]
  Session[name] = function(self, ...)
    local ok, why = pcall(function()
      local stats = identity.check(self)
      assert(not nothing_left or stats.queued == 0, "something is still queued")
    end)
    if not ok then
      io.stderr:write(("%s in %s\n"):format(debug.traceback(tostring(why)), name))
      os.exit(1, false)
    end
    return real(self, ...)
  end
end

watch "note_lost"
watch "note_ending"
watch("note_closed", true)

return identity
