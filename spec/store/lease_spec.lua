-- SPDX-License-Identifier: MIT

-- What a lease promises, over each store that can lease; redis_spec.lua has more of Redis, and nginx has its own
-- dictionary (spec/host/openresty_lead_spec.lua).
local Lease = require "fogcloud.store.lease"
local Redis = require "spec.support.redis"
local core = require "fogcloud.core"
local dictionary = require "spec.support.dictionary"
local runtime = require "fogcloud.runtime"
local stores = require "fogcloud.store"
local support = require "spec.support.sandbox"
local virtual = require "spec.support.virtual"

-- name -> a function that gives a store, its host, and a function that lets time pass.
local STORES = {
  memory = function()
    local host = virtual.host()
    return stores.resolve("memory", host), host, host.advance
  end,
  file = function(folder)
    local host = virtual.host()
    return stores.resolve("file:" .. folder, host), host, host.advance
  end,
  ["shared dictionary"] = function()
    local host = virtual.host()
    rawset(_G, "ngx", { shared = { fogcloud = dictionary.new(host) } })
    return stores.resolve("shdict:fogcloud", host), host, host.advance
  end,
  Redis = function(_, redis)
    local host = runtime.host()
    return stores.resolve(redis:url(nil, "/0?timeout=2"), host), host, function(seconds)
      assert(host.sleep(seconds / 50 + 0.01)) -- a life is 50 times shorter there
    end
  end,
}

for name, make in pairs(STORES) do
  describe("a lease over " .. name, function()
    local folder, redis, saved, store, host, pass, scale

    setup(function()
      if name == "Redis" then redis = Redis.start() end
    end)
    teardown(function()
      if redis then redis:stop() end
    end)
    before_each(function()
      saved = rawget(_G, "ngx")
      folder = support.shell("mktemp -d"):match "%S+"
      if redis then redis:cli "flushall" end
      store, host, pass = make(folder, redis)
      scale = redis and 50 or 1
    end)
    after_each(function()
      rawset(_G, "ngx", saved)
      support.shell("rm -rf " .. folder)
    end)

    local function new(key, life) return Lease.new(store, key, (life or 10) / scale, host) end

    it("has one holder, until it is given up", function()
      local one, other = new "x", new "x"
      local fence = assert(one:take())
      assert.equal(fence, one.fence)
      assert.equal(fence, one:take())
      assert.is_true(one:left() > 5 / scale)
      assert.is_false(other:take())
      assert.same({ 0, nil }, { other:left(), other.fence })
      other:release() -- not its own
      assert.is_false(other:take())
      one:release()
      assert.equal(0, one:left())
      one:release()
      assert.is_true(other:take() > fence)
      assert.is_number((new("y"):take()))
      other:release()
    end)

    it("goes to another one when it is not renewed, with a greater number each time", function()
      local one, other = new "x", new "x"
      local last = assert(one:take())
      for _ = 1, 3 do
        pass(6)
        assert.equal(last, one:take())
        assert.is_false(other:take())
        pass(11)
        assert.equal(0, one:left())
        local fence = assert(other:take())
        assert.is_true(fence > last)
        assert.is_false(one:take())
        one, other, last = other, one, fence
      end
      one:release()
    end)

    it("has members beside it, who know their place and how many there are", function()
      local function join(...)
        local standing = assert(store:join(...))
        return { standing.place, standing.count, standing.new }
      end
      assert.same({ 1, 1, true }, join("g", "a", 10 / scale))
      assert.same({ 2, 2, true }, join("g", "b", 100 / scale))
      assert.same({ 3, 3, true }, join("g", "c", 100 / scale))
      assert.same({ 2, 3, false }, join("g", "b", 100 / scale))
      assert.same({ 1, 1, true }, join("other", "c", 10 / scale))
      pass(11) -- the first one's time is over
      assert.same({ 2, 2, false }, join("g", "c", 10 / scale))
      assert.same({ 0, 1, false }, join("g", "c", 0))
      assert.same({ 0, 1, true }, join("g", "c", 0))
      assert.same({ 1, 1, false }, join("g", "b", 10 / scale))
      store:join("g", "b", 0)
    end)

    it("that was lost and is had again is another one, with another number", function()
      local one = new "x"
      local first = assert(one:take())
      pass(11)
      assert.is_true(one:take() > first)
      one:release()
    end)
  end)
end

describe("a fencing number", function()
  it("grows whatever the clock does", function()
    local last = 0
    for _, wall in ipairs { 1.5e9, 1.5e9, 1.6e9, 1e9, 1e9 + 0.0004, 1.7e9 } do
      local fence = Lease.next_fence(last, wall)
      assert.is_true(fence > last and fence % 1 == 0)
      last = fence
    end
    assert.equal(1500000000000, Lease.next_fence(nil, 1.5e9))
  end)
end)

describe("a lease in the file's store", function()
  local folder
  before_each(function() folder = support.shell("mktemp -d"):match "%S+" end)
  after_each(function() support.shell("rm -rf " .. folder) end)

  it("does not outlive the machine that counted its time", function()
    local host = virtual.host()
    local store = stores.resolve("file:" .. folder, host)
    host.clock.mono = 90000
    local first = assert(store:lease("x", "before", 10))
    host.clock.mono = 3 -- it was started anew
    assert.is_true(store:lease("x", "after", 10) > first)
  end)

  it("that cannot be written is an error, and no lease", function()
    local store = stores.resolve("file:/dev/null/x", virtual.host())
    local fence, err = store:lease("x", "me", 10)
    assert.same({ nil, "protocol" }, { fence, err.kind })
    local one = Lease.new(store, "x", 10, store.host)
    assert.is_nil((one:take()))
    assert.equal(err.message, one.err.message)
  end)
end)

describe("a lease in the shared dictionary", function()
  local saved, host, dict, store

  before_each(function()
    saved, host = rawget(_G, "ngx"), virtual.host()
    dict = dictionary.new(host)
    rawset(_G, "ngx", { shared = { fogcloud = dict } })
    store = stores.resolve("shdict:fogcloud", host)
  end)
  after_each(function() rawset(_G, "ngx", saved) end)

  it("is taken at once from a holder that is dead, by one", function()
    assert.is_false(core.alive(999999999))
    assert(store:lease("x", "999999999 1 dead", 10))
    local first = assert(store:lease("x", ("%d 1 one"):format(core.pid()), 10))
    assert.is_number(first)
    assert.is_false(store:lease("x", ("%d 2 other"):format(core.pid()), 10))
    assert.equal(first, store:lease("x", ("%d 1 one"):format(core.pid()), 10))
  end)

  it("says when the dictionary has no room, and takes nobody else's", function()
    dict:safe_set("token", "x")
    for room = 1, 2 do
      dict.room = room
      local fence, err = store:lease("x", "1 me", 10)
      assert.same({ nil, "protocol" }, { fence, err.kind })
      assert.matches("no memory", err.message)
      assert.equal("x", dict:get "token")
      assert.is_nil(dict:get "lease x")
    end
    dict.room = 3
    assert.is_number((store:lease("x", "1 me", 10)))
  end)
end)
