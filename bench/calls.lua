-- SPDX-License-Identifier: MIT

--- What each layer adds to a call, in instructions of user space as Callgrind counts them: the same request made by
--- libcurl in C, by the core alone, and with one layer more each time. Writes a Markdown section to the file given.
---
---   calls.lua BUILD_DIR FILE            the driver
---   calls.lua LAYER PORT COUNT          COUNT requests through the first layers, up to LAYER
local core = require "fogcloud.core"
local envelope = require "fogcloud.envelope"
local fogcloud = require "fogcloud"
local programs = dofile("bench/programs.lua")
local runtime = require "fogcloud.runtime"

local function client(layer, port, count)
  local cloud = assert(fogcloud.new {
    base_url = "http://127.0.0.1:" .. port, client_id = "id", client_secret = "secret",
  })
  -- As call.lua asks the core, with nothing of call.lua.
  local options = { base_url = cloud.options.base_url, token = "t", timeout = 10, connect_timeout = 5,
    max_body = cloud.options.max_body, encoding = cloud.options.encoding }
  local params = { client_id = "abc", device_id = "dev1" }
  local layers = {}
  function layers.core() return assert(runtime.pump():request("grant", options, params, core.now() + 10)) end
  function layers.envelope() return assert(envelope.open(layers.core(), "grant")) end
  function layers.call() return assert(cloud:grant("abc", "dev1")) end
  layers.task = layers.call
  local function run()
    for _ = 1, count do layers[layer]() end
  end
  if layer == "task" then
    fogcloud.spawn(run)
    fogcloud.run()
  else
    run()
  end
  os.exit(0)
end

if arg[3] then client(arg[1], arg[2], tonumber(arg[3])) end

local out, to = arg[1], arg[2]
local SHORT, LONG = 100, 1100 -- the difference leaves out what is done once

local LAYERS = {
  { "libcurl in C, easy interface", out .. "/http_curl %s 1 %d" },
  { "the core and the pump: a request, and a wait for its event", "lua5.4 bench/calls.lua core %s %d" },
  { "and the envelope: JSON, the code, what it must hold", "lua5.4 bench/calls.lua envelope %s %d" },
  { "and the call: arguments, token, retry, deadline, counters", "lua5.4 bench/calls.lua call %s %d" },
  { "and a task that waits, in place of the program", "lua5.4 bench/calls.lua task %s %d" },
}

local port, stop = programs.serve(out .. "/httpd")

local function instructions(command, count)
  local log = out .. "/callgrind.log"
  local ok = os.execute(("valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=%s %s >%s/calls.out")
    :format(log, command:format(port, count), out))
  assert(ok, command)
  return tonumber(programs.read(log):match("Collected : (%d+)"))
end

local lines = {
  "## What a call is made of", "",
  "`grant` over plain HTTP on one kept connection, one after the other: instructions of user space for each call.", "",
  "| | instructions | more than the line above |", "|---|---|---|",
}
local before
for _, layer in ipairs(LAYERS) do
  local each = (instructions(layer[2], LONG) - instructions(layer[2], SHORT)) / (LONG - SHORT)
  lines[#lines + 1] = ("| %s | %.0f | %s |"):format(layer[1], each, before and ("%+.0f"):format(each - before) or "")
  print(lines[#lines])
  before = each
end
stop()

if to then
  local file = assert(io.open(to, "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end
os.exit(0)
