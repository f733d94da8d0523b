-- SPDX-License-Identifier: MIT

--- What a backlog in a journal costs: making it, opening it, sending it. Writes a Markdown section to a file; each step
--- is a process of its own. The rate with a journal beside that without one is among the races (bench/cases.lua).
---
---   journal.lua BUILD_DIR [FILE]      the driver
---   journal.lua fill|open|send PATH COUNT PORT
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local programs = dofile("bench/programs.lua")

local NOWHERE = 1 -- a port at which nobody listens

local children = {}

local function connect(path, port)
  return assert(fogcloud.connect({ clientid = "bench", loginname = "u", password = "p", mqtthost = "127.0.0.1",
    mqttport = port, sslport = port }, {
    tls = false, journal = path, clean = false, retry = true, window = 1000, out_count = 2e6, out_bytes = 1e12,
  }))
end

local function resident() return tonumber(programs.read("/proc/self/status"):match "VmRSS:%s*(%d+)") / 1024 end

-- Prints seconds, and by how many MB the process has grown.
local function measured(fn)
  collectgarbage()
  local before, began = resident(), core.now()
  fn()
  local took = core.now() - began
  print(("%.3f %.1f"):format(took, resident() - before))
end

function children.fill(path, count)
  local session
  measured(function()
    session = connect(path, NOWHERE)
    local payload, options = ("x"):rep(64), { qos = 1 }
    for i = 1, count do
      assert(session:publish("bench/topic", payload, options))
      if i % 1000 == 0 then fogcloud.step(0.005) end -- what is not on the disk yet is in memory
    end
  end)
  session:close()
  fogcloud.run()
end

function children.open(path, count)
  measured(function() assert(connect(path, NOWHERE):stats().queued == count, "not all of them are there") end)
end

function children.send(path, _, port)
  measured(function() assert(connect(path, port):flush(120)) end)
  os.exit(0)
end

if children[arg[1]] then
  children[arg[1]](arg[2], tonumber(arg[3]), tonumber(arg[4]))
  return
end

local section = dofile("bench/section.lua")("A journal's backlog")
section:text [[
Messages of 64 B and QoS 1 that wait in the file of a session; what a process needs to queue them, to open the session
again, and to send all, and by how much its memory grows meanwhile.]]
section:columns("messages", "queued in s", "grown by MB", "opened in ms", "grown by MB", "sent in s", "grown by MB",
  "file, MB")
for _, count in ipairs { 1000, 100000, 1000000 } do
  local path = arg[1] .. "/backlog.journal"
  os.remove(path)
  local port, stop = programs.serve(("%s/peer pub 1 64 %d"):format(arg[1], count))
  local row = { count }
  for _, step in ipairs { "fill", "open", "send" } do
    local said = programs.shell(("lua5.4 bench/journal.lua %s %s %d %s"):format(step, path, count, port))
    local seconds, grown = said:match "([%d.]+) (%-?[%d.]+)"
    assert(seconds, said)
    row[#row + 1] = step == "open" and ("%.0f"):format(seconds * 1000) or ("%.2f"):format(seconds)
    row[#row + 1] = ("%.0f"):format(grown)
    if step == "fill" then row.size = tonumber(programs.shell("stat -c %s " .. path)) / 1e6 end
  end
  row[#row + 1] = ("%.0f"):format(row.size)
  section:row(table.unpack(row))
  stop()
  os.remove(path)
end
section:write(arg[2])
