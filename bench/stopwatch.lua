-- SPDX-License-Identifier: MIT
--- What every Lua client of the bench measures and prints, as in common.h: dofile("bench/stopwatch.lua")(clock).
---@param clock fun(): number  seconds
return function(clock)
  local from, cpu_from
  local stopwatch = {}

  function stopwatch.start() from, cpu_from = clock(), os.clock() end

  --- Prints one line of JSON: what `count` operations took since start.
  function stopwatch.report(count)
    local seconds, cpu, rss = clock() - from, os.clock() - cpu_from, 0
    for line in io.lines "/proc/self/status" do rss = tonumber(line:match "^VmHWM:%s*(%d+)") or rss end
    print(('{"count":%d,"seconds":%.6f,"cpu":%.6f,"rss_kb":%d}'):format(count, seconds, cpu, rss))
    io.stdout:flush()
  end

  return stopwatch
end
