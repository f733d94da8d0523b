-- SPDX-License-Identifier: MIT
--- Inside an engine: sizes of what `make embed` makes, and in a program with a static Lua the time and the memory of
--- fogcloud_preload and of the first session, garbage of frames, the longest of FRAMES of them, and the least heap and
--- stack that the example's job runs in. Writes a Markdown section to the file given.
local embed = require "spec.support.embed"
local section = dofile("bench/section.lua")
local support = require "spec.support.sandbox"

local FRAMES = tonumber(os.getenv "FRAMES") or 3600 -- a minute
local LUAS = { "lua5.4", "luajit" }

local sandbox, folder = support.start(), embed.succeed("mktemp -d"):match "%S+"
local o = sandbox:options()
local file = assert(io.open(sandbox.ca_file))
local ca_pem = file:read "*a"
file:close()

local function size(path) return tonumber(embed.succeed("wc -c < " .. path)) end

-- Runs the frames in a state of so much heap, on a thread with so much stack: what was printed, or nil.
local function run(made, stack_kb, heap_kb, frames)
  local said, code = support.shell(("timeout 100 %s/host %d %d bench/embed_frames.lua %d %s %s %s %s '%s'"):format(made,
    stack_kb, heap_kb, frames, o.base_url, o.client_id, o.client_secret, sandbox.app_id, ca_pem))
  return code == 0 and said or nil, said
end

-- The least of a list of sizes with which it runs, the largest first.
local function least(sizes, try)
  local found = nil
  for _, kb in ipairs(sizes) do
    if not try(kb) then break end
    found = kb
  end
  return found
end

-- A device that reports ten times a second, in a process of its own; a function that ends it.
local function start_device()
  local path = folder .. "/device.lua"
  embed.write(path, ([[
    local fogcloud = require "fogcloud"
    local session = assert(fogcloud.connect({ clientid = "device-dev1", loginname = "dev1", password = "dev1-secret",
      mqtthost = "localhost", sslport = %d }, { ca_file = %q }))
    for i = 1, 1e6 do
      session:publish("d2c/dev1/n", '{"temperature":21.5,"n":' .. i .. "}", { qos = 1 })
      fogcloud.sleep(0.1)
    end]]):format(sandbox.tls_port, sandbox.ca_file))
  local pipe = io.popen("echo $$; exec lua5.4 " .. path, "r")
  local pid = pipe:read "*l"
  return function()
    os.execute("kill " .. pid)
    pipe:close()
  end
end

local values = {}
local stop_device = start_device()
for _, lua in ipairs(LUAS) do
  local made = embed.make(lua, folder .. "/" .. lua)
  embed.link(lua, made, "spec/support/measured_host.c", made .. "/host", "-D_GNU_SOURCE")
  local value, said = {}, assert(run(made, 0, 0, FRAMES))
  for name, number in said:gmatch "([%w_]+)\t(%S+)" do value[name] = tonumber(number) end
  value.archive, value.text = size(made .. "/libfogcloud.a"), size(made .. "/fogcloud.lua")
  value.bytecode = size(made .. "/fogcloud.luac")
  value.heap = least({ 2048, 1024, 896, 768, 640, 576, 512, 448, 384 }, function(kb) return run(made, 0, kb, 60) end)
  value.stack = least({ 256, 128, 96, 64, 48, 32 }, function(kb) return run(made, kb, 0, 60) end)
  values[#values + 1] = value
end
stop_device()
support.shell("rm -rf " .. folder)
sandbox:stop()

local page = section "Inside an engine"
page:text(([[
What `make embed CJSON_DIR=…` makes, and a program with a static Lua that has it in memory: `fogcloud.step(0, { events =
100, time = 0.002 })` in each frame, over TLS; %d frames at 60 a second, in which a device reports ten times a second.
Garbage is what Lua asks of its allocator; the goal without messages is none. Heap: Lua's, with which connecting and a
second of frames goes well; stack: that of the thread that calls it.]]):format(FRAMES))
page:columns("figure", "Lua 5.4", "LuaJIT")
for _, row in ipairs {
  { "the archive, KB", "archive", 1 / 1024, "%.0f" }, { "all modules in one file, KB", "text", 1 / 1024, "%.0f" },
  { "the same as bytecode, KB", "bytecode", 1 / 1024, "%.0f" },
  { "`fogcloud_preload`, us", "preload_seconds", 1e6, "%.0f" }, { "its memory, KB", "preload_bytes", 1 / 1024, "%.1f" },
  { "`require` and the first session, ms", "session_seconds", 1e3, "%.1f" },
  { "memory with a session up, KB", "session_bytes", 1 / 1024, "%.0f" },
  { "garbage of an idle frame, bytes", "idle_bytes", 1, "%.2f" },
  { "garbage of a frame with ten messages a second, bytes", "busy_bytes", 1, "%.0f" },
  { "a frame, p50 us", "frame_p50", 1e6, "%.0f" }, { "p99 us", "frame_p99", 1e6, "%.0f" },
  { "the longest, us", "frame_worst", 1e6, "%.0f" },
  { "least heap, KB", "heap", 1, "%.0f" }, { "least stack, KB", "stack", 1, "%.0f" },
} do
  local cells = { row[1] }
  for i, value in ipairs(values) do cells[i + 1] = row[4]:format(value[row[2]] * row[3]) end
  page:row(table.unpack(cells))
end
page:write(arg[1])
