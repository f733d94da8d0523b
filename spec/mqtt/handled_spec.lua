-- SPDX-License-Identifier: MIT

-- A message counts as handled when its handler has returned, whatever its runner does next: the broker here sends the
-- next one only once it is acknowledged.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("acknowledged when handled", function()
  local here = world.new({ sandbox = {}, session = { tls = false } }, function() end)
  local scripted = here.scripted

  it("goes on where each handler takes longer than a runner's turn", function()
    local session, count = assert(scripted("one", { clean = false })), 0
    assert(session:subscribe("next", 1, function()
      count = count + 1
      local till = core.now() + 0.02
      while core.now() < till do end -- works, and does not wait
    end))
    support.serve_until(function() return count == 10 end)
  end)

  it("goes on where a listener that a runner serves next never returns", function()
    local session, count = assert(scripted("one", { clean = false, max_handlers = 2 })), 0
    session:on("error", function() fogcloud.sleep(1e6) end)
    assert(session:subscribe("next", 1, function()
      count = count + 1
      if count == 3 then error "a handler's" end
    end))
    support.serve_until(function() return count == 10 end)
  end)
end)
