-- SPDX-License-Identifier: MIT

-- The only reader of events, on a real engine and a scheduler of its own.

local Pump = require "fogcloud.pump"
local RawServer = require "spec.support.raw_server"
local Scheduler = require "fogcloud.task.scheduler"
local core = require "fogcloud.core"

describe("the pump", function()
  local server, engine, scheduler, pump

  local function start(options)
    engine = assert(core.engine(options))
    local function poll(timeout)
      engine:wait(timeout)
      pump:collect()
    end
    scheduler = Scheduler.new(core.now, poll, function(message) error(message, 0) end)
    pump = Pump.new(engine, { now = core.now, waiter = function() return scheduler:waiter() end })
  end

  setup(function() server = RawServer.start() end)
  teardown(function() server:stop() end)
  before_each(function() start() end)
  after_each(function() engine:close() end)

  local function request(mode, seconds, timings)
    local opts = { base_url = mode:find "://" and mode or server:url(mode), token = "t", timeout = seconds or 20 }
    return pump:request("products", opts, {}, core.now() + (seconds or 20), timings)
  end

  local function spawn(fn) return scheduler:spawn(fn, false) end

  local function serve(done)
    local deadline = core.now() + 20
    while not done() do
      assert(core.now() < deadline, "it did not happen in time")
      scheduler:turn(core.now() + 0.05, true)
    end
  end

  it("gives a reply with its status, its headers and the times that were asked for", function()
    local timings = {}
    local reply = assert(request("echo", 20, timings))
    assert.equal(200, reply.status)
    assert.matches("^GET /echo/v3/open_api/product/ids/", reply.body)
    assert.equal("a, b", reply.headers["x-twice"])
    for _, name in ipairs { "resolve", "connect", "tls", "first_byte", "total" } do assert.is_number(timings[name], name) end
    assert.is_true(timings.total > 0)
    assert.is_true(pump:idle())
  end)

  it("gives a failure with its kind, and whether anything was sent", function()
    local reply, err = request "http://127.0.0.1:1"
    assert.is_nil(reply)
    assert.same({ "network", false }, { err.kind, err.sent })
    reply, err = request "close"
    assert.is_nil(reply)
    assert.same({ "network", true }, { err.kind, err.sent })
    assert.is_true(pump:idle())
  end)

  it("hands each of many replies to the one who waits for it", function()
    local ended = 0
    for i = 1, 20 do
      spawn(function()
        local opts = { base_url = server:url "echo", token = "t", timeout = 20 }
        local reply = assert(pump:request("grant", opts, { client_id = "c", device_id = "d" .. i }, core.now() + 20))
        assert.matches("device_id=d" .. i .. "$", reply.body)
        ended = ended + 1
      end)
    end
    serve(function() return ended == 20 end)
  end)

  it("ends a request at its deadline", function()
    local reply, err = request("slow", 0.2)
    assert.is_nil(reply)
    assert.same({ "timeout", true }, { err.kind, err.sent })
    assert.is_true(pump:idle())
  end)

  it("ends a request whose task is cancelled", function()
    local err
    local task = spawn(function() err = select(2, request "slow") end)
    serve(function() return not pump:idle() end)
    task:cancel()
    serve(function() return err end)
    assert.equal("cancelled", err.kind)
    assert.is_true(pump:idle())
  end)

  it("refuses what the engine has no room for, unsent", function()
    engine:close()
    start { max_requests = 1 }
    local task = spawn(function() request "slow" end)
    serve(function() return not pump:idle() end)
    local reply, err = request "echo"
    assert.is_nil(reply)
    assert.same({ "overflow", false }, { err.kind, err.sent })
    task:cancel()
    serve(function() return pump:idle() end)
  end)

  it("ends all that waits when its host cannot hear of events", function()
    local errs = {}
    for i = 1, 2 do spawn(function() errs[i] = select(2, request "slow") end) end
    serve(function() return not pump:idle() end)
    pump:fail "no ears"
    serve(function() return errs[1] and errs[2] end)
    for i = 1, 2 do
      assert.equal("network", errs[i].kind)
      assert.matches("no ears", tostring(errs[i]), 1, true)
    end
    assert.is_true(pump:idle())
  end)

  it("hands the events of a session to that session, and forgets it when it has ended", function()
    local heard, other = 0, 0
    local limits = { in_count = 10, in_bytes = 1000, out_count = 10, out_bytes = 1000, window = 10 }
    local handle, id = pump:add_session({ on_event = function() heard = heard + 1 end }, limits)
    local second, second_id = pump:add_session({ on_event = function() other = other + 1 end }, limits)
    assert.is_true(id ~= second_id)
    assert.is_true(pump:busy())
    assert.is_false(pump:idle())
    handle:close()
    serve(function() return heard > 0 end)
    assert.equal(0, other)
    pump:remove_session(id)
    pump:remove_session(id)
    assert.is_true(pump:busy())
    second:close()
    pump:remove_session(second_id) -- before its event comes, which nobody gets then
    assert.same({ false, true }, { pump:busy(), pump:idle() })
    scheduler:turn(core.now() + 0.2, true)
    assert.equal(0, other)
  end)
end)
