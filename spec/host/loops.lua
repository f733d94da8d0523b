-- SPDX-License-Identifier: MIT

--- How each host's loop runs a function as a task of ours, with a timer and a pair of sockets of the loop's own beside
--- it, until `beside.done`. It returns when the loop has nothing left to do, so that a watch of ours that stays hangs.
local fogcloud = require "fogcloud"

local loops = {}

function loops.plain(_, fn)
  fogcloud.spawn(fn)
  fogcloud.run()
end

--- A game's frames.
function loops.frames(_, fn)
  local task = fogcloud.spawn(fn)
  while not task.done do fogcloud.step(0.001, { events = 10, time = 0.002 }) end
  fogcloud.run()
end

local function cqueues_beside(beside, cqueues, controller)
  local here, there = require("cqueues.socket").pair()
  controller:wrap(function()
    while not beside.done do
      cqueues.sleep(0.002)
      beside.beats = beside.beats + 1
    end
  end)
  controller:wrap(function()
    local line = there:read() -- Lua 5.1 cannot yield in an iterator
    while line do
      there:write(line, "\n"):flush()
      line = there:read()
    end
  end)
  controller:wrap(function()
    while not beside.done do
      here:write("ping\n"):flush()
      assert(here:read() == "ping")
      beside.echoes = beside.echoes + 1
      cqueues.sleep(0.002)
    end
    here:shutdown("w")
  end)
end

function loops.cqueues(beside, fn)
  local cqueues = require "cqueues"
  local controller = cqueues.new()
  cqueues_beside(beside, cqueues, controller)
  controller:wrap(function() fogcloud.spawn(fn) end)
  assert(controller:loop())
end

local function luv_beside(beside, uv)
  local beat = uv.new_timer()
  local pair = uv.socketpair("stream", nil, { nonblock = true }, { nonblock = true })
  local here, there = uv.new_pipe(), uv.new_pipe()
  here:open(pair[1])
  there:open(pair[2])
  there:read_start(function(_, data) if data then there:write(data) end end)
  here:read_start(function(_, data) if data then beside.echoes = beside.echoes + 1 end end)
  beat:start(2, 2, function()
    beside.beats = beside.beats + 1
    if not beside.done then return here:write("ping") end
    beat:close()
    here:close()
    there:close()
  end)
end

function loops.luv(beside, fn)
  local vim = rawget(_G, "vim")
  local uv = vim and vim.loop or require "luv"
  luv_beside(beside, uv)
  fogcloud.spawn(fn)
  if not vim then return uv.run() end
  vim.wait(60000, function() return beside.done end, 5)
end

local function glib_beside(beside, GLib, main)
  local socket = require "socket"
  local server = assert(socket.bind("127.0.0.1", 0))
  local here = socket.tcp()
  assert(here:connect(server:getsockname()))
  local there = server:accept()
  server:close()
  local function each_line(peer, fn)
    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, peer:getfd(), GLib.IOCondition.IN, function()
      local line = peer:receive()
      if line then fn(line) end
      return line ~= nil
    end)
  end
  each_line(there, function(line) there:send(line .. "\n") end)
  each_line(here, function() beside.echoes = beside.echoes + 1 end)
  GLib.timeout_add(GLib.PRIORITY_DEFAULT, 2, function()
    beside.beats = beside.beats + 1
    here:send("ping\n")
    if beside.done then main:quit() end
    return true
  end)
end

--- The example of docs/writing-a-host.md.
function loops.glib(beside, fn)
  local GLib = require("lgi").GLib
  local main = GLib.MainLoop()
  glib_beside(beside, GLib, main)
  fogcloud.spawn(fn)
  main:run()
end

function loops.copas(beside, fn)
  local copas, socket = require "copas", require "socket"
  local server = assert(socket.bind("127.0.0.1", 0))
  copas.addserver(server, copas.handler(function(peer)
    local line = peer:receive()
    while line do
      peer:send(line .. "\n")
      line = peer:receive()
    end
  end))
  copas.addthread(function()
    while not beside.done do
      copas.pause(0.002)
      beside.beats = beside.beats + 1
    end
  end)
  copas.addthread(function()
    local peer = copas.wrap(socket.tcp())
    assert(peer:connect(server:getsockname()))
    while not beside.done do
      peer:send("ping\n")
      assert(peer:receive() == "ping")
      beside.echoes = beside.echoes + 1
      copas.pause(0.002)
    end
    peer:close()
    copas.removeserver(server)
  end)
  copas.addthread(function() fogcloud.spawn(fn) end)
  copas.loop()
end

return loops
