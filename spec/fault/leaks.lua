-- SPDX-License-Identifier: MIT

--- What a client of hostile servers holds when all is over: as many descriptors and threads as before, and no memory that
--- grows. Descriptors and threads by Linux' /proc; memory too, where no sanitizer keeps what is freed.
local fogcloud = require "fogcloud"
local measure = require "soak.measure"

local leaks = {}

-- libcurl keeps connections open for the next request, at most four for each that it had at once (here four tasks).
local KEPT = 16
-- Pools and buffers that fill up, and the noise of malloc.
local GROWTH_MIB = 16

--- To be called where everything has happened once.
function leaks.watch()
  local pid = measure.pid()
  return { pid = pid, at = measure.now(pid) }
end

--- Raises when more is held at the end than when it was watched first.
function leaks.check(watched)
  local before = watched.at
  local function enough(now) return now.threads <= before.threads and now.fds <= before.fds + KEPT end
  local now = measure.settled(watched.pid, fogcloud.sleep, enough)
  assert(enough(now), ("%d descriptors and %d threads, before %d and %d"):format(now.fds, now.threads, before.fds,
    before.threads))
  if os.getenv("FOG_LUA") then return end
  assert(now.rss < before.rss + GROWTH_MIB, ("%.1f MiB, before %.1f"):format(now.rss, before.rss))
end

return leaks
