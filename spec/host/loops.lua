-- SPDX-License-Identifier: MIT

--- How each host's loop runs a function as a task of ours, with a timer and a pair of sockets of the loop's own beside
--- it, until `beside.done`. It returns when the loop has nothing left to do, so that a watch of ours that stays hangs.
local fogcloud = require "fogcloud"

local loops = {}

function loops.plain(_, fn)
  fogcloud.spawn(fn)
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
    for line in there:lines() do there:write(line, "\n"):flush() end
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

return loops
