-- SPDX-License-Identifier: MIT

-- kill -9: a publisher and a subscriber with a journal are killed at random moments, and then at each write and sync of
-- the journal in turn. Two judges: what arrived or was handled, and what the broker itself has written down of each
-- packet. FOG_KILLS=200 for so many rounds, and for each write instead of some; it prints what came of them.
local broker_record = require "spec.support.broker_record"
local durable = require "spec.support.durable"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

local ROUNDS = tonumber(os.getenv "FOG_KILLS") or 4
local STRIDE = os.getenv "FOG_KILLS" and 1 or 5

describe("a session that is killed", function()
  local sandbox, cloud, folder, killer
  local options = { sandbox = { mqtt_faults = true, broker_log = "all" }, session = { tls = false } }
  local here = world.new(options, function(...) sandbox, cloud = ... end)

  setup(function()
    killer = support.shell("mktemp -d"):match "%S+"
    local said, code = support.shell(("${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o %s/killer.so spec/support/journal_killer.c -ldl")
      :format(killer))
    assert.equal(0, code, said)
  end)
  teardown(function() support.shell("rm -rf " .. killer) end)
  before_each(function() folder = support.shell("mktemp -d"):match "%S+" end)
  after_each(function() support.shell("rm -rf " .. folder) end)

  local function process(version)
    return {
      sandbox = sandbox, credentials = support.client(sandbox, cloud, { "dev1" }), path = folder .. "/journal", version = version,
    }
  end

  -- Who judges: a device that gets everything that the broker has taken, once.
  local function judge(got)
    local device = here.device_session("dev1", { version = "5.0", in_count = 1e6 })
    assert(device:subscribe("c2d/dev1/#", 2, function(_, payload) got[#got + 1] = payload end))
    return device
  end

  local function killed_at(n) -- torn in every other round
    return ("LD_PRELOAD=\"$LD_PRELOAD:%s/killer.so\" JOURNAL_KILL=%d %s"):format(killer, n, n % 2 == 0 and "JOURNAL_TEAR=1" or "")
  end

  local function expect(seen, most, flushed)
    seen.expected = function(n) return flushed[n] end
    local missing, twice = durable.judge(seen, most)
    assert.same({}, missing, "flushed and not arrived")
    assert.same({}, twice, "of QoS 2 and arrived twice")
    assert.is_true(seen.ordered)
  end

  -- For who asked for many rounds.
  local function report(...) if os.getenv "FOG_KILLS" then print((...):format(select(2, ...))) end end

  -- The same by the broker's record.
  local function expect_record(self, flushed)
    local seen = broker_record.published(broker_record.read(sandbox, self.credentials.clientid))
    assert.same({}, seen.faults)
    for n in pairs(flushed) do
      assert.is_true(durable.qos(n) == 0 or seen.exchanges[n] ~= nil, n .. " was flushed, and the broker has not seen it")
    end
    assert.is_true(seen.count > 0)
    return seen
  end

  for how, version in pairs { ["MQTT 3.1.1"] = "3.1.1", ["MQTT 5.0"] = "5.0", ["MQTT 5.0 and no thread"] = "5.0" } do
    it("loses nothing that was flushed, and sends none of QoS 2 twice, with " .. how, function()
      local thread = how:find "no thread" and "FOG_THREAD=0" or ""
      local self, got, n, flushed = process(version), {}, 0, {}
      local device = judge(got)
      for round = 1, ROUNDS do
        local out = durable.run(self, durable.PUBLISHER, n, ("%s AFTER=%.3f"):format(thread, 0.1 + (round * 0.618 % 1) * 0.25))
        for last in out:gmatch "flushed (%d+)" do
          for i = n + 1, tonumber(last) do flushed[i] = true end
        end
        for last in out:gmatch "accepted (%d+)" do n = tonumber(last) end
        support.serve_until(function() return device:stats().inbox == 0 end)
        n = n + 20 -- some more may have been accepted before the end
      end
      assert.matches("rest true", durable.run(self, durable.REST, nil, thread))
      durable.settle(got)
      assert.is_true(next(flushed) ~= nil, "nothing was flushed")
      expect(durable.count(got), n, flushed)
      local record = expect_record(self, flushed)
      report("%s, %d deaths of a publisher: %d messages of QoS 1 and 2, %d packets that came again with DUP",
        how, ROUNDS, record.count, record.again)
    end)
  end

  for _, version in ipairs { "3.1.1", "5.0" } do
    it("may die at any write of its journal, publishing with MQTT " .. version, function()
      local self, got, n, flushed, at = process(version), {}, 9, {}, 1
      judge(got)
      assert.matches("finished", durable.run(self, durable.NINE)) -- what is written once only, when a journal is made
      while true do
        local out = durable.run(self, durable.NINE, n, killed_at(at))
        if out:find "flushed" then
          for i = n + 1, n + 9 do flushed[i] = true end
        end
        n = n + 9
        assert.matches("rest true", durable.run(self, durable.REST))
        if out:find "finished" then break end
        at = at + STRIDE
      end
      durable.settle(got)
      assert.is_true(at > 15, "killed at " .. at .. " writes only")
      local seen = durable.count(got)
      expect(seen, n, flushed)
      report("MQTT %s, a publisher that died at each of %d writes: %d packets that came again with DUP", version, at,
        expect_record(self, flushed).again)
      -- What arrived of one process has no gaps: what it had accepted before went first.
      for first = 0, n - 9, 9 do
        local ended = false
        for i = first + 1, first + 9 do
          if durable.qos(i) > 0 then
            assert.is_false(ended and seen.times[i] ~= nil, "a gap before " .. i)
            ended = ended or seen.times[i] == nil
          end
        end
      end
    end)

    it("loses nothing where the broker has forgotten it, though some may come twice, with MQTT " .. version, function()
      local self, got = process(version), {}
      local back
      local device = judge(got)
      device:on("connect", function() back = true end) -- subscriptions were sent again by then
      sandbox:fail_mqtt { puback = "swallow" }
      local out = durable.run(self, [[
        for n = 1, 60 do assert(session:publish("c2d/dev1/n", tostring(n), { qos = n % 3 })) end
        fogcloud.step(0.5)
        say("accepted")
        os.execute("kill -9 " .. core.pid())
      ]])
      assert.matches("accepted", out)
      sandbox:heal_mqtt()
      sandbox:broker "kill"
      support.serve_until(function() return not device:connected() end)
      back = false
      sandbox:broker "start"
      support.serve_until(function() return back end)
      assert.matches("rest true", durable.run(self, durable.REST))
      durable.settle(got)
      local seen = durable.count(got)
      seen.expected = function() return true end
      assert.same({}, (durable.judge(seen, 60)))
      assert.is_true(seen.ordered)
    end)

    it("gets a message again whose handler was waiting, with MQTT " .. version, function()
      local self = process(version)
      local device = here.device_session("dev1", { version = version })
      local code = [[
        local got = {}
        assert(session:subscribe("d2c/dev1/n", 2, function(_, payload, message)
          got[#got + 1] = payload .. (message.dup and " dup" or "")
          if payload == os.getenv "WAITS" then fogcloud.sleep(60) end
        end))
        session:resume()
        say("subscribed")
        local till = core.now() + tonumber(os.getenv "FOR")
        while core.now() < till do fogcloud.step(0.05) end
        table.sort(got)
        say(table.concat(got, ", "))
        if os.getenv "WAITS" == "no" then session:finish(5) else os.execute("kill -9 " .. core.pid()) end
      ]]
      durable.run(self, code, 0, "WAITS=no FOR=0")
      for n = 1, 4 do
        assert(device:publish("d2c/dev1/n", tostring(n), { qos = n % 2 + 1 }))
        durable.flush(device) -- else the broker passes QoS 1 on before QoS 2
      end
      assert.matches("\n1, 2, 3, 4\n", durable.run(self, code, 0, "WAITS=2 FOR=1")) -- 3 and 4 have overtaken it
      -- In the order of arrival: 1 was acknowledged, and nothing behind 2.
      assert.matches("\n2 dup, 3 dup, 4 dup\n", durable.run(self, code, 0, "WAITS=no FOR=1"))
      assert.matches("\n\n", durable.run(self, code, 0, "WAITS=no FOR=0.5"))
    end)

    -- What its handlers have made of a message and the note that they have cannot be made at once: a message whose handler
    -- was at work, or had returned that very moment, comes again, and says so.
    local function receive(rounds_end)
      local self, n, rounds = process(version), 0, 0
      local device = here.device_session("dev1", { version = version, out_count = 1e6 })
      local handled = folder .. "/handled"
      durable.run(self, durable.SUBSCRIBER, 0, "HANDLED=" .. handled) -- so that the broker keeps what is for it
      local out
      repeat
        rounds = rounds + 1
        for _ = 1, rounds_end.batch do
          n = n + 1
          assert(device:publish("d2c/dev1/n/" .. n, tostring(n), { qos = durable.qos(n) }))
        end
        durable.flush(device)
        out = durable.run(self, durable.SUBSCRIBER, 0, rounds_end.environment(rounds) .. " HANDLED=" .. handled)
      until rounds_end.over(rounds, out)
      assert.matches("finished", durable.run(self, durable.SUBSCRIBER, 0, "HANDLED=" .. handled))
      local list = {}
      for line in io.lines(handled) do list[#list + 1] = line end
      local seen = durable.count(list)
      local record = broker_record.received(broker_record.read(sandbox, self.credentials.clientid), seen.times)
      assert.same({}, record.faults)
      seen.expected = function() return true end
      local missing, twice = durable.judge(seen, n)
      assert.same({}, missing)
      assert.same({}, seen.unmarked, "handled twice, without a word")
      assert.is_true(seen.ordered)
      for number = 1, n do assert.is_true(durable.qos(number) == 0 or record.exchanges[number] ~= nil) end
      report("MQTT %s, %d deaths of a subscriber: %d messages, %d packets of QoS 1 and 2 sent again, %d of QoS 2 handled again",
        version, rounds, n, record.again, #twice)
      return twice, rounds, n
    end

    it("is given all that it had not handled, with MQTT " .. version, function()
      local twice, rounds = receive {
        batch = 60,
        environment = function(round) return ("AFTER=%.3f"):format(0.06 + (round * 0.618 % 1) * 0.15) end,
        over = function(round) return round >= ROUNDS end,
      }
      assert.is_true(#twice <= 2 * rounds, #twice .. " of QoS 2 were handled again in " .. rounds .. " rounds")
    end)

    it("may die at any write of its journal, receiving with MQTT " .. version, function()
      local at = 1 - STRIDE
      local twice, rounds = receive {
        batch = 9,
        environment = function()
          at = at + STRIDE
          return killed_at(at)
        end,
        over = function(_, out) return out:find "finished" ~= nil end,
      }
      assert.is_true(at > 10, "killed at " .. at .. " writes only")
      assert.is_true(#twice <= 3 * rounds, #twice .. " of QoS 2 were handled again in " .. rounds .. " rounds")
    end)
  end

end)
