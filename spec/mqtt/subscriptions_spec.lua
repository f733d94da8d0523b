-- SPDX-License-Identifier: MIT

-- What a session has subscribed to, whatever happens to its link meanwhile.
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a session's filters", function()
  local sandbox, cloud, device
  local here = world.new({
    sandbox = { mqtt_faults = true }, session = { tls = false }, scripted = { backoff_base = 0.01 },
  }, function(...) sandbox, cloud = ... end)
  local connect, keep, scripted = here.connect, here.keep, here.scripted

  before_each(function() device = nil end)

  local function send(count)
    device = device or keep(assert(sandbox:device("dev1")).session)
    for i = 1, count do assert(device:publish("d2c/dev1/n", tostring(i), { qos = 1 })) end
    assert(device:flush(20))
  end

  local function cut_off(session)
    sandbox:fail_mqtt { refuse = true }
    sandbox:kick(session.credentials.clientid)
    support.serve_until(function() return not session:connected() end)
  end

  local function count(session)
    local counter = { n = 0 }
    function counter.handler() counter.n = counter.n + 1 end
    function counter.subscribe(opts) return session:subscribe("d2c/dev1/n", 1, counter.handler, opts) end
    return counter
  end

  -- In blocking calls, in which no task of the user's runs.
  local function block_until(done)
    for _ = 1, 2000 do
      if done() then return end
      fogcloud.sleep(0.01)
    end
    error "it did not happen in time"
  end

  it("are on record once the broker has granted them, though nobody has looked yet", function()
    local session = connect { backoff_base = 0.01 }
    local counter, granted = count(session), nil
    fogcloud.spawn(function() granted = counter.subscribe() end)
    fogcloud.step(0)
    block_until(function() return session.subscriptions.filters["d2c/dev1/n"] end)
    assert.is_nil(granted)
    sandbox:kick(session.credentials.clientid)
    block_until(function() return session.state.link == 2 and session:connected() end)
    support.serve_until(function() return granted end)
    send(3)
    support.serve_until(function() return counter.n == 3 end)
  end)

  it("are one for two tasks that ask for the same", function()
    local session = connect {}
    local first, second, third, granted = count(session), count(session), count(session), {}
    fogcloud.spawn(function() granted[1] = session:subscribe("d2c/dev1/n", 1, first.handler) end)
    fogcloud.spawn(function() granted[2] = session:subscribe("d2c/dev1/n", 0, second.handler) end)
    support.serve_until(function() return granted[1] and granted[2] end)
    assert.same({ 1, 1 }, granted) -- the second would have made less of the first
    send(1)
    support.serve_until(function() return first.n + second.n == 2 end)
    assert.is_true(session:unsubscribe "d2c/dev1/n")
    assert(third.subscribe())
    send(1)
    support.serve_until(function() return third.n == 1 end)
    assert.same({ 1, 1 }, { first.n, second.n })
  end)

  it("can be asked for while the link is down: with the next one #tells", function()
    local session = connect { backoff_base = 0.01, backoff_cap = 0.05 }
    local counter, granted = count(session), nil
    cut_off(session)
    fogcloud.spawn(function() granted = assert(counter.subscribe()) end)
    fogcloud.step(0)
    local none, err = session:subscribe("d2c/dev1/other", 1, print, { timeout = 0.05 })
    assert.is_nil(none)
    assert.equal("timeout", err.kind)
    assert.matches("no link to the broker in the time for subscribing to", tostring(err))
    sandbox:heal_mqtt()
    support.serve_until(function() return granted end)
    assert.is_nil(session.subscriptions.filters["d2c/dev1/other"])
    send(2)
    support.serve_until(function() return counter.n == 2 end)
  end)

  it("can be ended while the link is down, and are kept when they were not", function()
    local session = connect { clean = false, backoff_base = 0.01, backoff_cap = 0.05 }
    local counter, last, done = count(session), 0, nil
    assert(counter.subscribe())
    send(0)
    cut_off(session)
    assert.equal("timeout", select(2, session:unsubscribe("d2c/dev1/n", { timeout = 0.05 })).kind)
    send(1)
    sandbox:heal_mqtt()
    support.serve_until(function() return counter.n >= 1 end) -- again, where the acknowledgement did not make it
    cut_off(session)
    fogcloud.spawn(function() done = session:unsubscribe "d2c/dev1/n" end)
    fogcloud.step(0)
    sandbox:heal_mqtt()
    support.serve_until(function() return done end)
    local received = session:stats().received
    assert(session:subscribe("d2c/dev1/last", 1, function() last = last + 1 end))
    send(3)
    assert(device:publish("d2c/dev1/last", "", { qos = 1 }))
    support.serve_until(function() return last == 1 end)
    assert.equal(received + 1, session:stats().received)
  end)

  it("that an earlier process left can be ended", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    local first = connect({ clean = false }, credentials)
    assert(first:subscribe("d2c/dev1/n", 1, print))
    assert(first:finish(10))
    local second, last = connect({ clean = false }, credentials), 0
    assert.is_true(second:unsubscribe "d2c/dev1/n")
    assert(second:subscribe("d2c/dev1/last", 1, function() last = last + 1 end))
    send(5)
    assert(device:publish("d2c/dev1/last", "", { qos = 1 }))
    support.serve_until(function() return last == 1 end)
    assert.equal(1, second:stats().received)
  end)

  -- More than the session takes: it reads no more, and no answer of the broker's can be read.
  it("find their handlers in a paused session for which the broker has kept more than it takes #hold", function()
    local credentials, handled = support.client(sandbox, cloud, { "dev1" }), {}
    local first = connect({ clean = false }, credentials)
    assert(first:subscribe("d2c/dev1/n", 1, print))
    assert(first:finish(10))
    send(300)
    local again = connect({ clean = false, paused = true, in_count = 5, backoff_base = 0.01 }, credentials)
    support.serve_until(function() return again.handle:resting() end)
    assert.equal(1, again:subscribe("d2c/dev1/n", 1, function(_, payload) handled[payload] = true end))
    assert.same({}, handled)
    again:resume()
    support.serve_until(function()
      for i = 1, 300 do
        if not handled[tostring(i)] then return false end
      end
      return true
    end)
    assert.same({ 0, 1 }, { again:stats().received_dropped, again:stats().connects })
    local forgotten = false
    again:on("connect", function(how) forgotten = forgotten or not how.session_present end)
    sandbox:broker "kill"
    sandbox:broker "start"
    handled["1"] = nil
    support.serve_until(function() return forgotten and again:connected() and not next(again.subscriptions.asked) end)
    send(1)
    support.serve_until(function() return handled["1"] end)
  end)

  it("are asked for again when the link on which the broker had forgotten them did not last", function()
    local session, told = scripted("forgetful", { version = "5.0", clean = false, keepalive = 60 }), {}
    assert(session:subscribe("subscribed", 0, function(_, payload) told[#told + 1] = payload end))
    support.serve_until(function() return told[1] end)
    assert(session:publish("x", "1"))
    support.serve_until(function() return told[2] end)
    assert.same({ "1", "2" }, told) -- over the second link: the keepalive that it is told costs no link
  end)

  it("that are restored and not answered are told of, and blamed for nothing later", function()
    local session, errors_seen = scripted("mute", { timeout = 0.3 }), {}
    session:on("error", function(err) errors_seen[#errors_seen + 1] = err end)
    assert(session:subscribe("a/b", 1, print))
    assert(session:publish("x", "1"))
    support.serve_until(function() return errors_seen[1] end)
    assert.equal("timeout", errors_seen[1].kind)
    assert.matches("did not acknowledge 'a/b' in time", tostring(errors_seen[1]))
    assert.is_nil(session.subscriptions:cut_short())
  end)
end)
