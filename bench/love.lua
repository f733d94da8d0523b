-- SPDX-License-Identifier: MIT

--- How long fogcloud.step(0, { events = 100, time = 0.002 }) takes of a frame in LÖVE (examples/love under Xvfb), while
--- sessions connect over TLS, devices report and calls are made. Writes a Markdown section to the file given.
local dashboard = require "spec.support.dashboard"
local support = require "spec.support.sandbox"

local FRAMES = 1500 -- at least, of each of two rounds

local sandbox = support.start { tls = true }
local folder, status, said = dashboard.play(sandbox, FRAMES)
local calls = sandbox:count { endpoint = "products" }
sandbox:stop()
assert(status == 0, said)

local steps = {}
for line in io.lines(folder .. "/steps") do steps[#steps + 1] = tonumber(line) * 1000 end
os.execute("rm -rf " .. folder)
table.sort(steps)

local function at(share) return steps[math.max(1, math.ceil(#steps * share))] end

local lines = {
  "## A game's frames", "",
  "LÖVE under Xvfb with software rendering: two rounds of the dashboard in `examples/love`, each with a TLS session of",
  ("its own, %d calls over TLS, and two devices that report. How much of a frame"):format(calls),
  "`fogcloud.step(0, { events = 100, time = 0.002 })` takes; no more than 2 ms at p99 is the goal.", "",
  "| frames | p50 ms | p99 ms | p99.9 ms | max ms |", "|---|---|---|---|---|",
  ("| %d | %.3f | %.3f | %.3f | %.3f |"):format(#steps, at(0.5), at(0.99), at(0.999), steps[#steps]),
}
print(table.concat(lines, "\n"))
if arg[1] then
  local file = assert(io.open(arg[1], "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end
