-- SPDX-License-Identifier: MIT

-- Nothing vanishes: numbered messages while links are cut and the broker is killed. FOG_DELIVERY=full runs the sizes
-- that README.md speaks of.
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

local FULL = os.getenv("FOG_DELIVERY") == "full"

describe("nothing vanishes", function()
  local sandbox
  local here = world.new({
    each = true,
    sandbox = { mqtt_faults = true, broker_log = "all" },
    session = { clean = false, backoff_base = 0.02, backoff_cap = 0.2, tls = false, out_count = 200000, in_count = 200000 },
  }, function(started) sandbox = started end)
  local client_session, device_session = here.connect, here.device_session

  -- How often each number arrives at a device.
  local function count_arrivals(device, qos)
    local times = { distinct = 0, again = 0 }
    assert(device:subscribe("c2d/dev1/#", qos, function(_, payload)
      local n = tonumber(payload)
      if times[n] then times.again = times.again + 1 else times.distinct = times.distinct + 1 end
      times[n] = true
    end))
    return times
  end

  local function assert_all_acknowledged(session, count)
    local s = support.assert_identity(session)
    assert.same({ count, count, 0, 0, 0 }, { s.accepted, s.acknowledged, s.failed, s.dropped, s.queued })
    assert.equal(0, s.queued_bytes) -- all that it had taken for them is free
  end

  -- Publishes numbered messages and cuts the links of `whom` in between; the arrivals at the device.
  local function storm(qos, count, cuts, whom)
    local device, session, losses = device_session(), client_session(), 0
    local times = count_arrivals(device, qos)
    session:on("disconnect", function() losses = losses + 1 end)
    device:on("disconnect", function() losses = losses + 1 end)
    for cut = 1, cuts do
      for i = 1, count / cuts do
        assert(session:publish("c2d/dev1/n", ("%d"):format((cut - 1) * count / cuts + i), { qos = qos }))
      end
      support.assert_identity(session)
      support.serve_until(function() return session:stats().acknowledged >= (cut - 1) * count / cuts end, 60)
      sandbox:kick(whom == "client" and session.credentials.clientid or "*")
      support.assert_identity(session)
    end
    support.serve_until(function() return session:stats().acknowledged == count and times.distinct == count end, 60)
    assert_all_acknowledged(session, count)
    assert.is_true(losses > 0)
    return times
  end

  it("QoS 1 arrives at least once while all links are cut", function() storm(1, 4000, 10) end)

  it("QoS 2 arrives exactly once while the publisher's link is cut #qos2", function()
    assert.equal(0, storm(2, FULL and 20000 or 2000, FULL and 100 or 20, "client").again)
  end)

  -- At the receiver's side mosquitto 2.0.11 sends some again: a link that dies while PUBRELs are repeated makes it
  -- forget that they were due.
  it("QoS 2 arrives while all links are cut #qos2", function() storm(2, 1000, 10) end)

  -- What the broker saw, from its own log, which survives its death: per number of the topic how often it was published
  -- (not as a repetition) and, with QoS 2, how often it was released.
  local function broker_saw()
    local published, released, named = {}, {}, {}
    for line in io.lines(sandbox.ca_file:match("^(.*/)") .. "mosquitto.log") do
      local qos, mid, n = line:match("Received PUBLISH from %S+ %(d%d, q(%d), r0, m(%d+), 'c2d/dev1/n/(%d+)'")
      if n then
        published[tonumber(n)] = (published[tonumber(n)] or 0) + 1
        if qos == "2" then named[mid] = tonumber(n) end
      else
        local rel = line:match("Received PUBREL from v1%-app%S+ %(Mid: (%d+)%)")
        if rel and named[rel] then
          released[named[rel]] = (released[named[rel]] or 0) + 1
          named[rel] = nil
        end
      end
    end
    return published, released
  end

  local function publish_through_kills(qos, count, kills)
    local session, random = client_session(), require("spec.support.random").new(7)
    local round = count / kills
    for kill = 1, kills do
      for i = (kill - 1) * round + 1, kill * round do
        assert(session:publish(("c2d/dev1/n/%d"):format(i), "x", { qos = qos }))
        if i % 500 == 0 then fogcloud.step(0) end
      end
      local some = math.min(session:stats().acknowledged + round / 3, kill * round) -- in the middle of it, if we can
      support.serve_until(function() return session:stats().acknowledged >= some end, 120)
      support.assert_identity(session)
      if random(3) == 1 then sandbox:kick("*") end
      sandbox:broker("kill")
      for _ = 1, random(20) do fogcloud.step(0.01) end
      support.assert_identity(session)
      sandbox:broker("start")
    end
    support.serve_until(function() return session:stats().queued == 0 end, 300)
    assert_all_acknowledged(session, count)
  end

  it("QoS 1 reaches the broker though it is killed", function()
    local count, kills = FULL and 100000 or 3000, FULL and 10 or 3
    publish_through_kills(1, count, kills)
    local published = broker_saw()
    for n = 1, count do assert(published[n], ("message %d was acknowledged and never seen"):format(n)) end
  end)

  -- A killed broker forgets which QoS 2 messages it has, so those in flight may be taken twice: once per death at most.
  it("QoS 2 reaches the broker though it is killed, and at most those in flight twice #qos2", function()
    local count, kills = FULL and 20000 or 1500, FULL and 10 or 3
    publish_through_kills(2, count, kills)
    local _, released = broker_saw()
    local again = 0
    for n = 1, count do
      assert(released[n], ("message %d was acknowledged and never released"):format(n))
      again = again + released[n] - 1
    end
    assert.is_true(again <= 16 * kills, again .. " twice")
  end)
end)
