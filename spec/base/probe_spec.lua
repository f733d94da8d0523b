-- SPDX-License-Identifier: MIT

--- core.probe keeps its time, whoever is at the other end. What it finds, spec/cli/doctor_spec.lua shows.
local core = require "fogcloud.core"
local names = require "spec.support.names"
local socket = require "socket"

local TIMEOUT, LATE = 0.5, 2.5

describe("a probe", function()
  -- How it went, and whether it took longer than it may.
  local function probe(port)
    local since = core.now()
    local seen = core.probe("127.0.0.1", tostring(port), { tls = true, timeout = TIMEOUT })
    return seen, core.now() - since
  end

  it("of TLS ends in time when the peer sends a byte now and then", function()
    local pipe = assert(io.popen([[exec lua5.4 -e '
      local socket = require "socket"
      local server = assert(socket.bind("127.0.0.1", 0))
      print((select(2, server:getsockname())))
      io.stdout:flush()
      local client = server:accept()
      client:receive(5)
      client:send("\22\3\3\64\0\2")
      for _ = 1, 100 do
        if not client:send("\0") then break end
        socket.sleep(0.1)
      end
    ']], "r"))
    local seen, took = probe(assert(pipe:read("*l")))
    pipe:close()
    assert.same({ "tls", "no answer in time" }, { seen.stage, seen.error })
    assert.is_true(took < LATE, took .. " s")
  end)

  it("of TLS ends in time when the peer says nothing", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local seen, took = probe((select(2, server:getsockname())))
    server:close()
    assert.same({ "tls", "no answer in time" }, { seen.stage, seen.error })
    assert.is_true(took < LATE, took .. " s")
  end)

  it("of a name with many dead addresses tries each, in the time for one", function()
    local server = assert(socket.bind("0.0.0.0", 0, 0))
    local port = select(2, server:getsockname())
    local waiting = {} -- fill what the kernel takes without an accept
    for i = 1, 4 do
      waiting[i] = socket.tcp()
      waiting[i]:settimeout(0)
      waiting[i]:connect("127.0.0.1", port)
    end
    local said = names.run(([[
      local core = require "fogcloud.core"
      local since = core.now()
      local seen = core.probe("dead.ten", "%d", { timeout = %g })
      print(seen.stage, seen.address, core.now() - since)
    ]]):format(port, TIMEOUT))
    local stage, address, took = said:match("^(%S+)%s+(%S+)%s+(%S+)")
    assert.same({ "connect", "127.0.0.1" }, { stage, address }, said)
    assert.is_true(tonumber(took) < LATE, said)
    for _, one in ipairs(waiting) do one:close() end
    server:close()
  end)
end)
