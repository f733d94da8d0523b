-- SPDX-License-Identifier: MIT

--- What each layer adds to a call, in instructions of user space as Callgrind counts them: the same request made by
--- libcurl in C, by the core alone, and with one layer more each time; and in which library they are. Writes a Markdown
--- section to the file given.
---
---   calls.lua BUILD_DIR FILE               the driver
---   calls.lua LAYER PORT MANY COUNT        COUNT requests through the first layers, up to LAYER; MANY tasks at a time
local core = require "fogcloud.core"
local envelope = require "fogcloud.api.envelope"
local fogcloud = require "fogcloud"
local programs = dofile("bench/programs.lua")
local runtime = require "fogcloud.runtime"

local function client(layer, port, many, count)
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
    for _ = 1, count / many do layers[layer]() end
  end
  if layer == "task" or many > 1 then
    for _ = 1, many do fogcloud.spawn(run) end
    fogcloud.run()
  else
    run()
  end
  os.exit(0)
end

if arg[3] then client(arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])) end

local out, to = arg[1], arg[2]
local profile = dofile("bench/profile.lua")
local section = dofile("bench/section.lua") "What a call is made of"
local port, stop = programs.serve(out .. "/httpd")
local MANY = 64

local LAYERS = {
  { "libcurl in C, easy interface; 64 at a time, multi interface", out .. "/http_curl %s %d %%d" },
  { "the core and the pump: a request, and a wait for its event", "lua5.4 bench/calls.lua core %s %d %%d" },
  { "and the envelope: JSON, the code, what it must hold", "lua5.4 bench/calls.lua envelope %s %d %%d" },
  { "and the call: arguments, token, retry, deadline, counters", "lua5.4 bench/calls.lua call %s %d %%d" },
  { "and a task that waits, in place of the program", "lua5.4 bench/calls.lua task %s %d %%d" },
}

local function whole(number) return ("%.0f"):format(number) end

local function measure(layer, many)
  return profile.each(out, layer[2]:format(port, many), 2 * MANY, 10 * MANY)
end

section:text(([[
`grant` over plain HTTP on kept connections: instructions of user space for each call, one after the other, and %d at a
time, which in Lua are as many tasks from the first layer on.]]):format(MANY))
section:columns("", "one at a time", "more than the line above", MANY .. " at a time", "more than the line above")
local before, before_many, sums
for i, layer in ipairs(LAYERS) do
  local each, of_one = measure(layer, 1)
  local each_many, of_many = each, of_one
  if i < #LAYERS then each_many, of_many = measure(layer, MANY) end
  if i == 1 then sums = { of_one, nil, of_many, nil } end
  if i == 4 then sums[2], sums[4] = of_one, of_many end
  local function more(value, than) return than and ("%+.0f"):format(value - than) or "" end
  section:row(layer[1], whole(each), more(each, before), i < #LAYERS and whole(each_many) or "",
    i < #LAYERS and more(each_many, before_many) or "")
  before, before_many = each, each_many
end
stop()

section:text "The same calls (the first and the fourth line) by the library that the instructions are in:"
section:columns("", "C, one at a time", "fogcloud, one at a time", ("C, %d at a time"):format(MANY),
  ("fogcloud, %d at a time"):format(MANY))
local PARTS = { "libcurl", "libc and the loader", "Lua", "cjson", "core.so", "other libraries", "the program" }
for _, name in ipairs(PARTS) do
  section:row(name, whole(sums[1][name] or 0), whole(sums[2][name] or 0), whole(sums[3][name] or 0),
    whole(sums[4][name] or 0))
end
section:write(to)
os.exit(0)
