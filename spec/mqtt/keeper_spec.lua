-- SPDX-License-Identifier: MIT

local core = require "fogcloud.core"
local State = require "fogcloud.mqtt.state"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("reconnecting", function()
  local sandbox, cloud
  local here = world.new({
    sandbox = { mqtt_faults = true, broker_log = "all" }, session = { tls = false }, scripted = { backoff_base = 0.01 },
  }, function(...) sandbox, cloud = ... end)
  local connect, keep, scripted = here.connect, here.keep, here.scripted

  -- What a keeper tells, to nobody.
  local function listener()
    local names = { "note_up", "note_lost", "note_error", "note_ending", "note_released", "note_closed", "cut_short",
      "blame", "adopt" }
    local made = {}
    for _, name in ipairs(names) do made[name] = function() end end
    return made
  end

  local function events(session, name)
    local list = {}
    session:on(name, function(value) list[#list + 1] = value end)
    return list
  end

  it("finds a half-open link by its keepalive", function()
    local session = connect { keepalive = 2 }
    local lost, back = events(session, "disconnect"), events(session, "connect")
    sandbox:fail_mqtt { half_open = true }
    local since = core.now()
    support.serve_until(function() return #lost == 1 end)
    local took = core.now() - since
    sandbox:heal_mqtt()
    support.serve_until(function() return #back == 2 end) -- the first link is told of, too
    -- 1.5 keepalives are 3 s; the rest is what a busy machine may add. Never is what it would be without.
    assert.is_true(took < 12, took .. " s")
  end)

  it("tells the broker the keepalive as it was asked for", function()
    local session, told = assert(scripted("keepalive", { version = "5.0", keepalive = 4 })), nil
    session:subscribe("keepalive", 0, function(_, payload) told = tonumber(payload) end)
    support.serve_until(function() return told end)
    assert.equal(4, told)
  end)

  it("answers the broker's AUTH while connect blocks #authenticate", function()
    local respond = function(data) return data .. "!" end
    assert(scripted("auth", { version = "5.0", timeout = 10, authentication = { method = "m", respond = respond } }))
  end)

  it("ends after max_attempts, and says why", function()
    local session = connect { max_attempts = 3, backoff_base = 0.01 }
    local failed = events(session, "error")
    sandbox:fail_mqtt { refuse = true }
    sandbox:kick("*")
    support.serve_until(function() return session.ended end)
    fogcloud.step(0.05)
    assert.equal(3, #failed) -- two attempts to be repeated, and the end
    assert.equal("network", session.ended.kind)
    local id, err = session:publish("x", "")
    assert.is_nil(id)
    assert.equal(session.ended, err)
    support.assert_identity(session)
  end)

  it("gives up a message that kills every link alone, and goes on with those behind it #tells", function()
    local session = assert(scripted("poison", { backoff_cap = 0.05 }))
    local dropped = events(session, "drop")
    assert(session:publish("a/good", "1", { qos = 1 }))
    local id = assert(session:publish("a/poison", ("x"):rep(1000), { qos = 1 }))
    assert(session:publish("a/behind", "2", { qos = 1 }))
    support.serve_until(function() return session:stats().queued == 0 end)
    fogcloud.step(0.05)
    assert.is_nil(session.ended)
    local stats = support.assert_identity(session)
    assert.same({ 3, 2, 1 }, { stats.accepted, stats.acknowledged, stats.failed })
    assert.same({ 1, "a/poison", id }, { #dropped, dropped[1].topic, dropped[1].id })
    assert.matches("hangs up on it, whenever it is sent alone", tostring(dropped[1].err))
  end)

  it("does not let everything wait for an answer to what it suspected", function()
    local session = assert(scripted("hesitant", { backoff_cap = 0.02 }))
    for i = 1, 5 do assert(session:publish("a/" .. i, "", { qos = 1 })) end
    support.serve_until(function() return session:stats().acknowledged == 4 end)
    assert.equal(0, session:stats().failed)
  end)

  for mode, what in pairs { trouble = "a broker that hangs up on every message for a while", cut = "links that are cut" } do
    it("loses no message to " .. what, function()
      local session = assert(scripted(mode, { backoff_cap = 0.02 }))
      for i = 1, 50 do assert(session:publish("a/" .. i, "", { qos = 1 })) end
      support.serve_until(function() return session:stats().queued == 0 end)
      local stats = support.assert_identity(session)
      assert.same({ 50, 0 }, { stats.acknowledged, stats.failed })
      assert.is_nil(session.ended)
    end)
  end

  it("refuses a subscription that kills every link, and goes on", function()
    local session = assert(scripted("unsubscribable", { backoff_cap = 0.05 }))
    local granted, err = session:subscribe("a/+", 1, print, { timeout = 20 })
    assert.is_nil(granted)
    assert.matches("hangs up on the subscription to 'a/%+'", tostring(err))
    assert.is_nil(session.ended)
  end)

  it("suspects another client with the same id when links do not last", function()
    local opts = { backoff_base = 0.01, backoff_cap = 0.05 }
    local session = connect(opts)
    local lost = events(session, "disconnect")
    assert(keep(cloud:connect(session.credentials, opts)))
    support.serve_until(function() return #lost >= 4 end)
    assert.matches("another client using the same client id%?", tostring(lost[4]))
    assert.is_nil(tostring(lost[1]):find("same client id", 1, true))
  end)

  it("knows of another client with the same id where the broker says so", function()
    local session = assert(scripted("rival", { version = "5.0" }))
    local lost = events(session, "disconnect")
    assert(session:publish("a", "1"))
    support.serve_until(function() return lost[1] end)
    assert.equal(0x8E, lost[1].code)
    assert.matches("another client connected with the same client id", tostring(lost[1]))
  end)

  it("comes back at once after a link that had lasted, else after a random time that grows up to the cap", function()
    local Keeper = require "fogcloud.mqtt.keeper"
    local now, waits, random = 0, {}, 1
    local opts = { stable_after = 10, backoff_base = 1, backoff_cap = 60, max_attempts = 100, connect_timeout = 5,
      transport = "tcp", version = "3.1.1", clean = true }
    local attempts, keeper = 0, nil
    local host = { now = function() return now end }
    local state = State.new(host)
    local handle = {
      leave = function() end,
      close = function() keeper.mail[#keeper.mail + 1] = { name = "closed" } end,
      connect = function(_, link)
        attempts = attempts + 1
        if attempts > 12 then keeper.closing = true return true end
        if attempts == 1 or attempts == 11 then -- lasts
          keeper.mail = { { name = "up", event = { link = link.link, session_present = false } } }
        else
          keeper.mail = { { name = "down", event = { link = link.link, code = 0, kind = "network", text = "gone" } } }
        end
        return true
      end,
    }
    host.waiter = function()
      return {
        signal = function() end,
        wait = function(_, deadline)
          if deadline == nil then -- up: the link lasts a while
            now = now + 100
            keeper.mail = { { name = "down", event = { link = state.link, code = 0, was_up = true } } }
            return true
          end
          if state.name == "waiting" then waits[attempts] = deadline - now end
          now = deadline
          return false
        end,
      }
    end
    local parts = { opts = opts, host = host, state = state, handle = handle, listener = listener(),
      credentials = { mqtthost = "h", mqttport = 1, sslport = 1, clientid = "c" } }
    keeper = Keeper.new(parts, function() return random end)
    keeper:run()
    assert.is_nil(waits[1])  -- after a link that lasted: at once
    assert.same({ 1, 2, 4, 8, 16, 32, 60, 60, 60 }, {
      waits[2], waits[3], waits[4], waits[5], waits[6], waits[7], waits[8], waits[9], waits[10],
    })
    assert.is_nil(waits[11]) -- begins anew
  end)

  it("waits for other times than other sessions do, and than other processes", function()
    local function waits()
      return (script.run [[
        math.randomseed(1) -- as every process of Lua 5.1 to 5.3 and LuaJIT is
        local Keeper = require "fogcloud.mqtt.keeper"
        local host = require("fogcloud.host").get()
        local parts = { host = host, opts = { stable_after = 10 } }
        local one, other = Keeper.new(parts), Keeper.new(parts)
        for _, keeper in ipairs { one, other } do print(("%.9f"):format(keeper.random())) end]])
    end
    local first, second = waits():match("^(%S+)\n(%S+)\n$")
    local third, fourth = waits():match("^(%S+)\n(%S+)\n$")
    assert.is_true(first ~= second and first ~= third and second ~= fourth)
  end)

  it("asks for fresh credentials once, and then ends clearly", function()
    local asked = 0
    local session = connect {
      backoff_base = 0.01,
      credentials = function()
        asked = asked + 1
        return { clientid = "c", loginname = "wrong", password = "wrong", mqtthost = "localhost",
          mqttport = sandbox.mqtt_port, sslport = sandbox.tls_port }
      end,
    }
    session.credentials.password = "revoked"
    sandbox:kick("*")
    support.serve_until(function() return session.ended end)
    assert.equal(1, asked)
    assert.equal("auth", session.ended.kind)
    assert.matches("create_client", tostring(session.ended))
  end)

  local NO_CLOUD = require("fogcloud.errors").new("network", "no cloud", { retryable = true })

  it("asks for them again where they could not be had for a reason that passes, and says which", function()
    local asked, good = 0, nil
    local session = connect {
      backoff_base = 0.01, backoff_cap = 0.05,
      credentials = function()
        asked = asked + 1
        if asked < 4 then return nil, NO_CLOUD end
        return good
      end,
    }
    good = support.client(sandbox, cloud, { "dev1" })
    local seen = events(session, "error")
    session.credentials.password = "revoked"
    sandbox:kick("*")
    support.serve_until(function() return session:connected() and asked == 4 end)
    support.serve_until(function() return #seen == 3 end)
    assert.equal("auth", seen[1].kind)
    assert.matches("create_client; fresh credentials could not be had: no cloud", tostring(seen[1]))
    local bad = {}
    for name, value in pairs(good) do bad[name] = value end
    bad.password = "wrong"
    local refused, err = cloud:connect(bad, { tls = false, credentials = function() return nil, NO_CLOUD end })
    assert.is_nil(refused)
    assert.matches("no cloud", tostring(err))
    assert.is_true(err.retryable)
  end)

  it("asks for no more of them before a link has been stable", function()
    local asked, ups = 0, 0
    local session = connect {
      backoff_base = 0.01, backoff_cap = 0.05,
      credentials = function()
        asked = asked + 1
        return support.client(sandbox, cloud, { "dev1" })
      end,
    }
    session:on("connect", function() ups = ups + 1 end)
    for i = 1, 2 do
      session.credentials.password = "revoked"
      sandbox:kick(session.credentials.clientid)
      support.serve_until(function() return session.ended or ups == i + 1 end)
    end
    assert.same({ 1, 2, "auth" }, { asked, ups, session.ended and session.ended.kind })
  end)

  it("takes no answer of an attempt whose time is up for that of the next, and one that just came for its own", function()
    local Keeper = require "fogcloud.mqtt.keeper"
    local Scheduler = require "fogcloud.task.scheduler"
    local now, log = 0, {}
    local scheduler = Scheduler.new(function() return now end, function() end)
    local host = { now = function() return now end, waiter = function() return scheduler:waiter() end }
    local state = State.new(host)
    local heard = listener()
    heard.note_up = function() log[#log + 1] = "up " .. state.link end
    heard.note_error = function(_, err) log[#log + 1] = err.kind end
    local parts = {
      opts = { stable_after = 10, backoff_base = 0, backoff_cap = 60, max_attempts = 100, connect_timeout = 5,
        transport = "tcp", version = "3.1.1", clean = true, tls = false },
      credentials = { mqtthost = "h", mqttport = 1, sslport = 1, clientid = "c" },
      host = host, state = state, listener = heard,
      handle = {
        leave = function() end,
        connect = function(_, link)
          log[#log + 1] = "connect " .. link.link
          return true
        end,
      },
    }
    local function up(link) return { link = link, session_present = true, version = 4 } end
    local keeper = Keeper.new(parts, function() return 1 end)
    scheduler:spawn(keeper.run, true, false, keeper)
    scheduler:turn(0, true)
    -- The event is collected in the turn in which the time is up.
    scheduler.poll = function() if now == 10 then keeper:post("up", up(state.link)) end end
    now = 10
    for _ = 1, 3 do scheduler:turn(10, true) end
    assert.same({ "connect 1", "up 1" }, log)
    keeper:post("down", { link = 1, code = 0 })
    keeper:post("up", up(1)) -- too late
    scheduler.poll = function() end
    for _ = 1, 3 do scheduler:turn(now, true) end
    assert.same({ "connect 1", "up 1", "connect 2" }, log)
  end)

  it("sends nothing twice to a broker that kept the session, and all to one that did not", function()
    local session = connect { clean = false, backoff_base = 0.01 }
    local said = events(session, "connect")
    session:subscribe("d2c/dev1/#", 1, print)
    -- Its own log survives its death. Once flush has returned, what it has seen is in there.
    local function seen_by_broker(packet)
      local seen, begins = 0, ("Received %s from %s"):format(packet, session.credentials.clientid)
      for line in io.lines(sandbox.ca_file:match("^(.*/)") .. "mosquitto.log") do
        if line:find(begins, 1, true) then seen = seen + 1 end
      end
      return seen
    end
    local function publish(n)
      assert(session:publish("c2d/dev1/n", ("%d"):format(n), { qos = 1 }))
      assert(session:flush(20))
    end
    publish(1)
    sandbox:kick("*")
    support.serve_until(function() return #said == 2 end)
    assert.is_true(said[2].session_present)
    publish(2)
    assert.same({ 1, 2 }, { seen_by_broker("SUBSCRIBE"), seen_by_broker("PUBLISH") })
    sandbox:broker("kill")
    sandbox:broker("start")
    support.serve_until(function() return #said == 3 end)
    assert.is_false(said[3].session_present)
    publish(3)
    assert.same({ 2, 3 }, { seen_by_broker("SUBSCRIBE"), seen_by_broker("PUBLISH") })
  end)
end)
