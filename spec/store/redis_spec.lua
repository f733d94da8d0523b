-- SPDX-License-Identifier: MIT

-- The store in a real redis-server; redis_outage_spec.lua has what becomes of it when that is in trouble.
local Redis = require "spec.support.redis"
local certs = require "fogcloud.sandbox.core"
local errors = require "fogcloud.errors"
local fogcloud = require "fogcloud"
local module = require "fogcloud.redis"
local runtime = require "fogcloud.runtime"
local stores = require "fogcloud.store"
local support = require "spec.support.sandbox"

local QUICK = "/0?timeout=0.4"

describe("the store in Redis", function()
  local redis, sandbox, other

  setup(function()
    sandbox = support.start()
    redis = Redis.start()
  end)
  teardown(function()
    redis:stop()
    sandbox:stop()
  end)
  before_each(function()
    sandbox:reset()
    redis:cli "flushall"
  end)
  after_each(function()
    if other then other:stop() end
    other = nil
  end)

  local function new(url) return stores.resolve(url or redis:url(nil, QUICK), runtime.host(), function() return 0.5 end) end

  local function now() return runtime.host().now() end

  describe("keeps", function()
    it("records, for all that reach it", function()
      local one, two = new(), new("redis+unix://" .. redis.folder .. "/socket?timeout=0.4")
      assert.same({}, { one:get "k" })
      local record = { value = "a/b\0\r\n$-1\255" == "" or "a/b \195\164", n = 3, f = 1.5, yes = true }
      assert.is_true(one:set("k", record))
      assert.same(record, two:get "k")
      assert.is_true(two:set("k", { value = "newer" }))
      assert.same({ value = "newer" }, one:get "k")
      assert.equal("127.0.0.1", one.name:match "^[%d.]+")
    end)

    it("them by key, whatever is in it", function()
      local store = new()
      local keys = { "a b", "ä {x} *", ("k"):rep(5000), "a\tb" }
      for i, key in ipairs(keys) do assert(store:set(key, { value = tostring(i) })) end
      for i, key in ipairs(keys) do assert.equal(tostring(i), store:get(key).value) end
    end)

    it("them in the database that the URL names", function()
      assert(new(redis:url(nil, "/3")):set("k", { value = "three" }))
      assert.same({}, { new():get "k" })
      assert.equal("1", redis:cli "-n 3 dbsize")
    end)

    it("them until they are forgotten, by value or altogether", function()
      local store = new()
      assert(store:set("k", { value = "new" }))
      assert.is_true(store:delete("k", { value = "old" }))
      assert.equal("new", store:get("k").value)
      assert.is_true(store:delete("k", { value = "new" }))
      assert.is_nil((store:get "k"))
      assert(store:set("k", { value = "x" }))
      assert.is_true(store:delete "k")
      assert.is_nil((store:get "k"))
      assert.is_true(store:delete("k", { value = "x" }))
    end)

    it("nothing that somebody else has put there", function()
      local store = new()
      for _, text in ipairs { "", "x", "[1]", "5", "null", '{"value":' } do
        redis:cli(("set 'fogcloud:k' '%s'"):format(text))
        local record, err = store:get "k"
        assert.same({ nil, "protocol" }, { record, err.kind })
        assert.matches("damaged", err.message)
        assert.is_true(store:delete("k", { value = "x" }))
      end
      redis:cli "del fogcloud:k"
      redis:cli "lpush fogcloud:k 1"
      assert.matches("WRONGTYPE", tostring(select(2, store:get "k")))
      assert.is_true(store:set("k", { value = "good" }))
    end)
  end)

  describe("has a lock that", function()
    it("has one holder", function()
      local store = new()
      local order, tasks = {}, {}
      for i = 1, 4 do
        tasks[i] = fogcloud.spawn(function()
          local unlock = assert(store:lock("k", now() + 20))
          order[#order + 1] = i
          fogcloud.sleep(0.01)
          order[#order + 1] = -i
          unlock()
          unlock()
        end)
      end
      for _, task in ipairs(tasks) do assert(task:wait(20)) end
      for i = 1, 8, 2 do assert.equal(order[i], -order[i + 1]) end
      assert.equal("0", redis:cli "dbsize")
    end)

    it("is waited for until the deadline, and not by a task that was cancelled", function()
      local store = new()
      local unlock = assert(store:lock("k", now()))
      assert.equal("timeout", select(2, store:lock("k", now() + 0.1)).kind)
      local begun, kind
      local task = fogcloud.spawn(function()
        begun = true
        kind = select(2, store:lock("k", now() + 20)).kind
      end)
      support.serve_until(function() return begun end)
      task:cancel()
      assert(task:wait(20))
      assert.equal("cancelled", kind)
      unlock()
      assert.is_function((store:lock("k", now())))
    end)

    it("ends with its life, and is given up by its owner only", function()
      local store = new()
      local late = assert(store:lock("k", now()))
      assert.is_true(tonumber(redis:cli "pttl 'fogcloud:lock k'") > 30000)
      redis:cli "pexpire 'fogcloud:lock k' 1"
      fogcloud.sleep(0.01)
      local unlock = assert(store:lock("k", now()))
      late() -- a fetch that outlived its lock
      assert.equal("1", redis:cli "exists 'fogcloud:lock k'")
      unlock()
      assert.equal("0", redis:cli "exists 'fogcloud:lock k'")
    end)
  end)

  describe("leases", function()
    it("to one at a time, for a number that grows with each", function()
      local store = new()
      local first = assert(store:lease("x", "one", 10))
      assert.equal(first, store:lease("x", "one", 10))
      assert.is_false(store:lease("x", "two", 10))
      assert.is_true(store:release("x", "two")) -- not its own
      assert.is_false(store:lease("x", "two", 10))
      assert.is_true(store:release("x", "one"))
      local second = assert(store:lease("x", "two", 10))
      assert.is_true(second > first)
      assert.is_number((store:lease("y", "one", 10)))
    end)

    it("until it is not renewed in time", function()
      local store = new()
      local first = assert(store:lease("x", "one", 0.05))
      support.serve_until(function() return store:lease("x", "two", 10) end)
      assert.is_true(store:lease("x", "two", 10) > first)
      assert.is_false(store:lease("x", "one", 10))
    end)

    it("for a number that grows after a restart without data, too", function()
      other = Redis.start()
      local store = new(other:url(nil, QUICK))
      local first = assert(store:lease("x", "one", 10))
      other:kill()
      other:start_again()
      fogcloud.sleep(0.005)
      assert.is_true(assert(store:lease("x", "two", 10)) > first)
    end)
  end)

  it("is refused where the URL is wrong, at the caller's", function()
    for _, url in ipairs { "redis://", "redis:x", "redis://h:99999", "rediss+unix:///x" } do
      local ok, err = pcall(support.cloud, sandbox, { store = url })
      assert.is_false(ok)
      assert.matches("option 'store'", err)
    end
  end)

  it("needs no more of Redis than the guide lets its user do", function()
    local file = assert(io.open "docs/guide-fleet.md")
    local rule = file:read("*a"):match "\n *(user fogcloud [^\n]+)"
    file:close()
    other = Redis.start()
    assert.equal("OK", other:cli("acl setuser " .. rule:gsub("^user ", ""):gsub(">%S+", "'%0'"):gsub("~%S+", "'%0'")))
    local store = new(other:url("fogcloud:" .. rule:match ">(%S+)" .. "@", "/0?timeout=2"))
    assert.is_true(store:set("k", { value = "x" }))
    assert.equal("x", store:get("k").value)
    assert.is_true(store:delete("k", { value = "x" }))
    assert.is_true(store:delete "k")
    assert(store:lock("k", now()))()
    assert(store:hold "k")()
    assert.is_number((store:lease("k", "me", 10)))
    assert.is_number((store:lease("k", "me", 10)))
    assert.is_true(store:release("k", "me"))
    assert.same({ place = 1, count = 1, new = true }, store:join("k", "me", 10))
    assert.same({ place = 0, count = 0, new = false }, store:join("k", "me", 0))
    assert.equal("0", other:cli "exists 'fogcloud:lock k'")
  end)

  describe("over TLS", function()
    local folder, files

    setup(function()
      folder = support.shell("mktemp -d"):match "%S+"
      files = assert(certs.certs())
      for name, text in pairs(files) do
        files[name] = ("%s/%s.pem"):format(folder, name)
        local file = assert(io.open(files[name], "w"))
        file:write(text)
        file:close()
      end
    end)
    teardown(function() support.shell("rm -r " .. folder) end)

    local function query(ca)
      return ("/0?timeout=2&ca_file=%s&cert_file=%s&key_file=%s"):format(ca or files.ca, files.client_cert, files.client_key)
    end

    if not module.tls then
      it("is refused by a hiredis that has none, which is named", function()
        local ok, err = pcall(new, "rediss://localhost")
        assert.is_false(ok)
        assert.matches("hiredis 1.0 or later, built with TLS; this is hiredis " .. module.version, err, 1, true)
      end)
    else
      it("checks the authority, shows its own certificate, and says what is wrong", function()
        other = Redis.start { tls = files }
        local store = new(other:url("", query()))
        assert.is_true(store:set("k", { value = ("x"):rep(100000) }))
        assert.equal(100000, #assert(store:get "k").value)
        local _, err = new(other:url("", query "spec/support/other_ca.pem")):get "k"
        assert.same({ "tls", true }, { err.kind, err.message:find("certificate", 1, true) ~= nil })
        _, err = new(other:url("", query "/no/such/file")):get "k"
        assert.equal("tls", err.kind)
        _, err = new(other:url("", "/0?timeout=2&ca_file=" .. files.ca)):get "k"
        assert.is_true(errors.is(err)) -- the server asks for a certificate
      end)
    end
  end)
end)
