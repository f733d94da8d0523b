-- SPDX-License-Identifier: MIT

-- The end of a session: what it says of what became of everything.
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a session that ends", function()
  local sandbox
  local here = world.new({ sandbox = { mqtt_faults = true }, session = { tls = false } }, function(started) sandbox = started end)
  local connect, device = here.connect, here.device

  local function send(count)
    local dev = device()
    for i = 1, count do assert(dev.session:publish("d2c/dev1/n", tostring(i), { qos = 1 })) end
    assert(dev.session:flush(20))
  end

  local function cut_off(session)
    sandbox:fail_mqtt { refuse = true }
    sandbox:kick(session.credentials.clientid)
    support.serve_until(function() return not session:connected() end)
  end

  -- Counts what is handled, nothing before `go`.
  local function slow_counter(session)
    local counter = { n = 0 }
    assert(session:subscribe("d2c/dev1/n", 1, function()
      while not counter.go do fogcloud.sleep(0.005) end
      counter.n = counter.n + 1
    end))
    return counter
  end

  local function finish(session, timeout)
    local result
    fogcloud.spawn(function() result = { session:finish(timeout) } end)
    support.serve_until(function() return result end)
    return result[1], result[2]
  end

  it("by itself says why to finish too, and what it dropped", function()
    local session = connect { max_attempts = 2, backoff_base = 0.01 }
    cut_off(session)
    for _ = 1, 5 do session:publish("c2d/dev1/n", "x", { qos = 1 }) end
    support.serve_until(function() return session.ended end)
    local ok, err = finish(session, 10)
    assert.is_nil(ok)
    assert.equal(session.ended, err)
    assert.equal(5, support.assert_identity(session).dropped)
  end)

  it("hands over what had come although the link is down", function()
    local session = connect { max_handlers = 2, backoff_base = 30, backoff_cap = 30 }
    local counter = slow_counter(session)
    send(100)
    support.serve_until(function() return session:stats().received == 100 end)
    cut_off(session)
    counter.go = true
    assert.is_true(finish(session, 20))
    assert.equal(100, counter.n)
  end)

  it("hands over what had come when its inbox was full, over the same link #hold", function()
    local session = connect { clean = false, in_count = 20, max_handlers = 2 }
    local counter = slow_counter(session)
    send(200)
    support.serve_until(function() return session:stats().inbox == 20 end)
    counter.go = true
    assert.is_true(finish(session, 20))
    local stats = session:stats()
    assert.same({ stats.received, 1 }, { counter.n, stats.connects })
  end)

  it("by itself lets a finish that comes meanwhile wait for the handlers", function()
    local session = connect { max_attempts = 1, max_handlers = 2 }
    local counter = slow_counter(session)
    send(100)
    support.serve_until(function() return session:stats().received == 100 end)
    cut_off(session)
    support.serve_until(function() return session.ended end)
    counter.go = true
    assert.is_nil((finish(session, 20)))
    assert.is_true(counter.n >= 98) -- those that are at work come to their end later
  end)

  it("in a blocking call serves the handlers itself, and loses nothing", function()
    local handled, session = 0, connect {}
    assert(session:subscribe("d2c/dev1/n", 1, function() handled = handled + 1 end))
    send(20)
    for _ = 1, 1000 do
      if session:stats().received == 20 then break end
      fogcloud.sleep(0.01)
    end
    assert.equal(0, handled)
    assert.is_true(session:finish(10))
    assert.equal(20, handled)
  end)

  it("can be ended by a handler of its own, which is not waited for", function()
    local session, word, other = connect {}, nil, false
    assert(session:subscribe("d2c/dev1/n", 1, function(_, payload)
      if payload == "2" then
        word = { session:finish(20) }
      else
        fogcloud.sleep(0.05)
        other = true
      end
    end))
    send(2)
    support.serve_until(function() return word end, 10)
    assert.same({ true, true }, { word[1], other })
  end)

  it("gives all who finish it the same word", function()
    local session, words = connect {}, {}
    for i = 1, 3 do
      fogcloud.spawn(function() words[i] = assert(session:finish(10)) end)
    end
    support.serve_until(function() return #words == 3 end)
    assert.same({ true, true, true }, words)
  end)

  -- QoS 0 that is in flight fails, the rest is dropped: how many of each only the core knows.
  it("counts to the end", function()
    for round = 1, 3 do
      local session, drops = connect {}, { closed = 0, mqtt = 0 }
      session:on("drop", function(message) drops[message.err.kind] = drops[message.err.kind] + 1 end)
      for i = 1, 1000 do
        assert(session:publish("c2d/dev1/n", ("x"):rep(i % 2 == 0 and 10 or 9000), { qos = (i + round) % 3 > 0 and 1 or 0 }))
      end
      session:close()
      fogcloud.run()
      local stats = support.assert_identity(session)
      assert.equal(0, stats.queued)
      assert.same({ closed = stats.dropped, mqtt = stats.failed }, drops)
    end
  end)
end)
