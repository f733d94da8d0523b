-- SPDX-License-Identifier: MIT

-- A message counts as handled when its handler has returned, whatever its runner does next: the broker here sends the
-- next one only once it is acknowledged.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
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

  -- What the broker has got so far.
  local function told(credentials)
    local session, text = assert(here.keep(fogcloud.connect(credentials, { tls = false }))), nil
    assert(session:subscribe("told", 0, function(_, payload) text = payload end))
    support.serve_until(function() return text end)
    return text
  end

  it("is the message whose handler finishes the session: it does not end the next process as well", function()
    local session = assert(scripted("told", { clean = false }))
    assert(session:subscribe("next", 1, function() session:finish() end))
    support.serve_until(function() return session.ended end)
    assert.equal("1 1", told(session.credentials))
  end)

  it("is the message whose handler closes it", function()
    local session = assert(scripted("told", { clean = false }))
    assert(session:subscribe("next", 1, function() session:close() end))
    support.serve_until(function() return session.ended and session.state.name == "closed" end)
    assert.equal("1 1", told(session.credentials))
  end)

  it("and a program whose last word is close has said goodbye", function()
    local session = assert(scripted("told", { clean = false }))
    assert.equal("connected", (script.run(([[
      local credentials = { clientid = "last", mqtthost = "%s", mqttport = %d, sslport = 1, endpoint = "x" }
      local session = assert(require "fogcloud".connect(credentials, { tls = false }))
      io.write "connected"
      session:close()]]):format(session.credentials.mqtthost, session.credentials.mqttport))))
    assert.equal("0 1", told(session.credentials))
  end)
end)
