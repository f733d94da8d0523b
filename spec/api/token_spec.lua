-- SPDX-License-Identifier: MIT

local errors = require "fogcloud.errors"
local virtual = require "spec.support.virtual"

local DAY = 86400

describe("the token", function()
  local host, server, cloud

  before_each(function()
    host = virtual.host()
    server = virtual.server(host)
    cloud = virtual.cloud(server)
  end)

  it("is fetched at first use, and kept", function()
    assert.equal(0, #server.log)
    assert.equal("token-1", assert(cloud:token()))
    for _ = 1, 10 do assert(cloud:products()) end
    assert.equal(1, server:count("token"))
  end)

  it("is fetched once for a thousand tasks at once on a cold cloud", function()
    local done = 0
    for _ = 1, 1000 do
      host.spawn_task(function()
        assert(cloud:products())
        done = done + 1
      end)
    end
    host.run()
    assert.same({ 1000, 1 }, { done, server:count("token") })
  end)

  it("fails for all that wait when it fails, once", function()
    server.faults.token = { virtual.envelope(10000, "client_secret is wrong") }
    local kinds = {}
    for i = 1, 100 do
      host.spawn_task(function()
        local none, err = cloud:products()
        assert.is_nil(none)
        kinds[i] = err
      end)
    end
    host.run()
    assert.equal(100, #kinds)
    assert.equal(1, server:count("token"))
    assert.equal("auth", kinds[100].kind)
    assert.is_true(kinds[1] ~= kinds[2]) -- each has its own, to add facts to
  end)

  it("is not taken from the others by one that is cancelled or out of time", function()
    server.latency = 3
    local outcome = {}
    local first = host.spawn_task(function() outcome[1] = { cloud:token() } end)
    host.spawn_task(function() outcome[2] = { cloud:token { timeout = 1 } } end)
    host.spawn_task(function() outcome[3] = { cloud:token() } end)
    host.spawn_task(function()
      host.sleep(0.5)
      first:cancel()
    end)
    host.run()
    assert.equal("cancelled", outcome[1][2].kind)
    assert.equal("timeout", outcome[2][2].kind)
    assert.equal("token-1", outcome[3][1])
    assert.equal(1, server:count("token"))
  end)

  describe("is renewed ahead of its expiry", function()
    for _, life in ipairs { 10, 3600, 7 * DAY } do
      it(("for a life of %d s"):format(life), function()
        server.life = life
        server.latency = math.min(1, life / 1000)
        assert(cloud:products())
        host.advance(life * 0.69)
        assert(cloud:products())
        assert.equal(1, server:count("token"))
        host.advance(life * 0.12)
        local before = host.now()
        assert(cloud:products())
        assert.is_true(host.now() - before < 1.5 * server.latency) -- the caller did not wait for the renewal
        host.advance(life * 0.05)
        assert.equal(2, server:count("token"))
        assert.equal("token-2", cloud:token())
      end)
    end

    it("at a moment that differs from client to client", function()
      local moments = {}
      for seed = 1, 20 do
        local other = virtual.server(host)
        cloud = virtual.cloud(other, { random = require("fogcloud.api.retry").random(seed * 7919 * 31) })
        local start = host.now()
        while other:count("token") < 2 do
          assert(cloud:products())
          host.advance(3600)
        end
        moments[other.log[#other.log].at - start] = true
        assert.is_true(host.now() - start < 0.81 * 7 * DAY)
      end
      local distinct = 0
      for _ in pairs(moments) do distinct = distinct + 1 end
      assert.is_true(distinct > 10)
    end)

    it("and the old one serves while that fails, tried every 5 to 10 minutes", function()
      assert(cloud:products())
      server.down.token = true
      host.advance(6 * DAY)
      local before = server:count("token")
      for _ = 1, 60 do
        assert(cloud:products())
        host.advance(60)
      end
      local tries = (server:count("token") - before) / 4 -- each with its repetitions
      assert.is_true(tries >= 6 and tries <= 13, tries)
      server.down.token = nil
      host.advance(600)
      assert(cloud:products())
      host.advance(1)
      assert.equal("token-2", cloud:token())
    end)

    it("the sooner the less is left", function()
      server.life = 10
      server.latency = 0.01
      assert(cloud:products())
      server.faults.token = { virtual.envelope(10000, "no"), virtual.envelope(10000, "no") }
      for _ = 1, 98 do
        assert(cloud:products())
        host.advance(0.1)
      end
      assert.is_true(server.issued >= 2)
    end)
  end)

  describe("that was refused", function()
    it("is replaced, and the call repeated once", function()
      assert(cloud:products())
      server:revoke()
      assert(cloud:products())
      assert.same({ 2, 3 }, { server:count("token"), server:count("products") })
    end)

    it("is dropped by value: many refusals of one token make one fetch", function()
      assert(cloud:products())
      server:revoke()
      local done = 0
      for _ = 1, 35 do
        host.spawn_task(function()
          assert(cloud:products())
          done = done + 1
        end)
      end
      host.run()
      assert.same({ 35, 2 }, { done, server:count("token") })
    end)

    it("does not take a newer one with it when the refusal comes late", function()
      assert(cloud:products())
      cloud.access:drop("token-0")
      assert.equal("token-1", cloud:token())
      assert.equal(0, cloud:stats().token_refusals)
      cloud.access:drop("token-1")
      assert.equal("token-2", cloud:token())
      cloud.access:drop("token-1")
      assert.equal("token-2", cloud:token())
    end)

    it("again is an error, and no loop of refusals follows", function()
      local refusal = virtual.envelope(10101, "token is error", nil, 401)
      server.faults.products = {}
      for i = 1, 1000 do server.faults.products[i] = refusal end
      local none, err = cloud:products()
      assert.is_nil(none)
      assert.same({ "auth", 10101, 2 }, { err.kind, err.code, err.attempts })
      local started = host.now()
      while host.now() - started < 3600 do
        assert.is_nil((cloud:products { timeout = 10 }))
        host.advance(1)
      end
      assert.is_true(server:count("token") < 40, server:count("token"))
    end)

    it("by the token call itself slows the asking down too", function()
      server.faults.token = {}
      for i = 1, 1000 do server.faults.token[i] = virtual.envelope(10000, "wrong key") end
      local started = host.now()
      while host.now() - started < 3600 do
        local none, err = cloud:products()
        assert.is_nil(none)
        assert.equal("auth", err.kind)
        host.advance(1)
      end
      assert.is_true(server:count("token") < 40, server:count("token"))
      server.faults.token = {}
      host.advance(300)
      assert(cloud:products())
    end)
  end)

  describe("whose life is stated as", function()
    for _, stated in ipairs { "null", "0", "-5", "1e300", '"604800"', '"soon"', "[]", "true", '""' } do
      it(stated .. " serves all the same, with few fetches", function()
        server.say_life = stated
        for _ = 1, 48 do
          assert(cloud:products())
          host.advance(1800)
        end
        assert.is_true(server:count("token") <= 48, server:count("token"))
      end)
    end

    it("more than it lives is refused once and replaced", function()
      server.life, server.say_life = 100, "604800"
      for i = 1, 10 do
        assert(cloud:products())
        assert.equal(i, server:count("token"))
        host.advance(101)
      end
    end)
  end)

  it("does not mind a wall clock that jumps", function()
    for _, jump in ipairs { 10 * 365 * DAY, -20 * 365 * DAY, 3600, -3600 } do
      assert(cloud:products())
      host.clock.wall_offset = host.clock.wall_offset + jump
      assert(cloud:products())
    end
    assert.equal(1, server:count("token"))
  end)

  it("outlives a sleep of the machine, in which the monotonic clock stood still", function()
    assert(cloud:products())
    server:revoke() -- what it looks like: the server's clock went on
    host.clock.wall_offset = host.clock.wall_offset + 8 * DAY
    assert(cloud:products())
    assert.equal(2, server:count("token"))
  end)

  describe("in a shared store", function()
    local shared

    before_each(function()
      shared = require("fogcloud.store.memory").new(host)
      shared.shared = true
    end)

    it("is fetched once for several clouds, renewed once too", function()
      local clouds = {}
      for i = 1, 8 do clouds[i] = virtual.cloud(server, { store = shared }) end
      local function all()
        for _, each in ipairs(clouds) do host.spawn_task(function() assert(each:products()) end) end
        host.run()
        host.advance(1)
      end
      all()
      assert.equal(1, server:count("token"))
      host.advance(6 * DAY)
      all()
      all()
      assert.equal(2, server:count("token"))
    end)

    it("counts on the wall clock, and no jump makes it eternal or deadly", function()
      assert(virtual.cloud(server, { store = shared }):products())
      host.clock.wall_offset = host.clock.wall_offset - 365 * DAY -- stored "in the future": not believed
      assert(virtual.cloud(server, { store = shared }):products())
      assert.equal(2, server:count("token"))
      host.clock.wall_offset = host.clock.wall_offset + 365 * DAY -- seems long expired
      assert(virtual.cloud(server, { store = shared }):products())
      assert.equal(3, server:count("token"))
    end)

    it("is not taken from there after it was refused", function()
      assert(cloud:products())
      local one, other = virtual.cloud(server, { store = shared }), virtual.cloud(server, { store = shared })
      assert(one:products())
      assert(other:products())
      server:revoke()
      assert(one:products())
      assert(other:products())
      assert.equal(3, server:count("token"))
    end)

    it("is not taken from there when no header can carry it", function()
      for _, value in ipairs { "a\nb", "a\0b", "", ("k"):rep(9000), 5 } do
        local key, now = cloud.access.key, host.wall()
        assert(shared:set(key, { value = value, born = now, renew = now + DAY, expires = now + 2 * DAY }))
        assert(virtual.cloud(server, { store = shared }):products())
        assert.matches("^token%-", server.log[#server.log].token)
        assert.equal(server.log[#server.log].token, shared:get(key).value)
      end
      assert.equal(5, server:count("products"))
    end)

    it("does not live on there when it was refused", function()
      cloud = virtual.cloud(server, { store = shared })
      assert(cloud:products())
      server:revoke()
      server.down.token = true
      assert.is_nil((cloud:products()))
      assert.is_nil((shared:get("token https://api.example.com key-id")))
      server.down.token = nil
      assert(cloud:products())
      assert.equal("token-2", shared:get("token https://api.example.com key-id").value)
    end)

    it("comes all the same when the store does not work", function()
      local broken = { shared = true }
      for _, name in ipairs { "get", "set", "delete", "lock" } do
        broken[name] = function() return nil, errors.new("protocol", "the disk is gone") end
      end
      local entries = {}
      cloud = virtual.cloud(server, { store = broken, log = function(level, m) entries[#entries + 1] = level .. m end })
      assert(cloud:products())
      assert(cloud:products())
      assert.equal(1, server:count("token"))
      assert.matches("warn", table.concat(entries))
    end)

    it("does not wait for ever for a lock whose holder is stopped", function()
      assert(shared:lock("token https://api.example.com key-id", math.huge))
      cloud = virtual.cloud(server, { store = shared })
      local before = host.now()
      assert(cloud:products()) -- it keeps a part of its time for a fetch of its own
      assert.is_true(host.now() - before < 30)
      assert.equal(1, server:count("token"))
      server.down.token = true
      cloud = virtual.cloud(server, { store = shared })
      shared:delete("token https://api.example.com key-id")
      local none, err = cloud:products { timeout = 8 }
      assert.is_nil(none)
      assert.matches("before that, somebody else holds the lock for too long", tostring(err))
    end)

    it("is waited for as long as somebody else's fetch may take", function()
      server.faults.token = { "hang", "hang" }
      local one, other = virtual.cloud(server, { store = shared }), virtual.cloud(server, { store = shared })
      local tasks = { host.spawn_task(one.products, one), host.spawn_task(other.products, other) }
      host.run()
      for _, task in ipairs(tasks) do assert(select(2, task:wait())) end
      assert.equal(3, server:count("token"))
    end)
  end)
end)
