-- SPDX-License-Identifier: MIT

-- A redis-server that is killed, stopped, replaced, filled, read-only, restarted empty, and servers that are none: a
-- program goes on with the token it has, or fetches its own, and says so.
local Redis = require "spec.support.redis"
local errors = require "fogcloud.errors"
local fogcloud = require "fogcloud"
local hosts = require "fogcloud.host"
local stores = require "fogcloud.store"
local support = require "spec.support.sandbox"

local QUICK = "/0?timeout=0.4"

describe("the store in Redis is not the end of a program:", function()
  local sandbox, other, logged

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function new(url) return stores.resolve(url, hosts.get(), function() return 0.5 end) end
  local function cloud(url)
    return support.cloud(sandbox, {
      store = url or other:url(nil, QUICK),
      log = function(level, message, fields)
        if level ~= "debug" then logged[#logged + 1] = message .. ": " .. tostring(fields.err) end
      end,
    })
  end

  -- Calls of one cloud side by side; all must succeed.
  local function call(one)
    local tasks = {}
    for i = 1, 5 do tasks[i] = fogcloud.spawn(function() assert(one:products()) end) end
    for _, task in ipairs(tasks) do assert(task:wait(30)) end
  end

  before_each(function()
    sandbox:reset()
    logged = {}
    other = Redis.start()
  end)
  after_each(function() other:stop() end)

  -- One that has a token goes on with it; one that has none gets its own, once, and says why.
  local function check_outage(had, why)
    call(had)
    assert.equal(1, had:stats().token_fetches + had:stats().token_failures)
    logged = {}
    local fresh = cloud()
    call(fresh)
    call(fresh)
    assert.equal(1, fresh:stats().token_fetches)
    assert.matches(why, table.concat(logged, "\n"))
    assert.matches("Redis at 127.0.0.1:" .. other.port, table.concat(logged, "\n"), 1, true)
    local credentials, err = fresh:client(sandbox.app_id) -- what cannot be kept is not created
    assert.is_nil(credentials)
    assert.is_true(errors.is(err))
  end

  local function check_return()
    fogcloud.sleep(0.6)
    local one
    support.serve_until(function() -- the pause after failures is over when it is over
      one = cloud()
      return one:client(sandbox.app_id) ~= nil
    end)
    call(one)
    local two = cloud()
    call(two)
    assert.equal(0, two:stats().token_fetches)
  end

  it("one token among all that share it", function()
    local one, two = cloud(), cloud()
    call(one)
    call(two)
    assert.same({ 1, 0 }, { one:stats().token_fetches, two:stats().token_fetches })
    local client = assert(one:client(sandbox.app_id))
    assert.same(client, assert(two:client(sandbox.app_id)))
    assert.same({}, logged)
  end)

  it("killed, and started again without data", function()
    local had = cloud()
    call(had)
    other:kill()
    check_outage(had, "refused")
    other:start_again()
    check_return()
  end)

  it("stopped with SIGSTOP", function()
    local had = cloud()
    call(had)
    other:freeze()
    check_outage(had, "in time")
    other:thaw()
    check_return()
  end)

  it("slow, which holds nobody up that has a token", function()
    local had = cloud()
    call(had)
    other:cli "client pause 250 all"
    local fresh = cloud()
    call(had)
    call(fresh)
    assert.equal(0, fresh:stats().token_fetches) -- slow is not away
    assert.same({}, logged)
  end)

  it("restarted between two commands, unnoticed", function()
    local store = new(other:url(nil, QUICK))
    for i = 1, 3 do
      other:kill()
      other:start_again()
      assert.is_true(store:set("k", { value = tostring(i) }))
      assert.equal(tostring(i), store:get("k").value)
    end
  end)

  it("full", function()
    local had = cloud()
    call(had)
    other:cli "flushall"
    other:cli "config set maxmemory 1"
    check_outage(had, "OOM")
    other:cli "config set maxmemory 0"
    check_return()
  end)

  it("read-only, as after a failover, and made the first again", function()
    local had = cloud()
    call(had)
    other:cli "replicaof 127.0.0.1 1"
    other:cli "config set replica-serve-stale-data yes"
    other:cli "flushall"
    local store = new(other:url(nil, QUICK))
    assert.matches("READONLY", tostring(select(2, store:set("k", { value = "x" }))))
    assert.is_true(select(2, store:set("k", { value = "x" })).retryable)
    other:cli "replicaof no one"
    other:cli "flushall"
    other:cli "replicaof 127.0.0.1 1"
    check_outage(had, "READONLY")
    other:cli "replicaof no one"
    check_return()
  end)

  it("one that asks for a password that is not ours", function()
    local had = cloud()
    call(had)
    other:cli "config set requirepass other"
    other.options.password = "other"
    local port, password = other.port, "s3cret w/%rd"
    local url = ("redis://:%s@127.0.0.1:%d/0?timeout=0.4"):format(password:gsub("[/% ]", { ["/"] = "%%2F", ["%"] = "%%25" }), port)
    local store = new(url)
    local _, err = store:get "k"
    assert.same({ "auth", true }, { err.kind, err.message:find("WRONGPASS", 1, true) ~= nil })
    local fresh = cloud(url)
    call(fresh)
    assert.equal(1, fresh:stats().token_fetches)
    for _, text in ipairs { tostring(err), tostring(store), store.name, tostring(fresh.options.store), table.concat(logged) } do
      assert.is_nil(text:find("s3cret", 1, true))
    end
    assert.equal("auth", select(2, new(("redis://127.0.0.1:%d/1?timeout=0.4"):format(port)):get "k").kind)
    assert.equal("auth", select(2, new(("redis://who:x@127.0.0.1:%d/2?timeout=0.4"):format(port)):get "k").kind)
  end)

  it("a database that is not there", function()
    local _, err = new(other:url(nil, "/99?timeout=0.4")):get "k"
    assert.matches("DB index is out of range", tostring(err))
  end)

  it("replaced by another one, with another's data", function()
    local had = cloud()
    call(had)
    other:stop()
    other = Redis.start { port = other.port }
    call(had)
    assert.equal(1, had:stats().token_fetches)
    check_return()
  end)

  for name, lie in pairs {
    ["a web server"] = { "HTTP/1.1 400 Bad Request\\r\\n\\r\\n", "not Redis'" },
    ["bytes"] = { "\\0\\0\\0\\n\\r", "not Redis'" },
    ["a list without an end"] = { "*1000000000\\r\\n", "not asked for" },
    ["a list in a list"] = { "*1\\r\\n*1\\r\\n$1\\r\\nx\\r\\n", "not asked for" },
    ["text of a length that is never reached"] = { "$999999999\\r\\nx", "in time" },
    ["a negative length"] = { "$-7\\r\\n", "not Redis'" },
    ["too many answers"] = { "many 9 +PONG\\r\\n", "nobody asked" },
    ["nothing"] = { "", "in time" },
    ["the end"] = { "hang up", "onnection" },
    ["a line without an end"] = { "many 2000000 +", "too long" },
  } do
    it("a server that answers with " .. name, function()
      local port = other.port
      other:stop()
      other = Redis.liar(lie[1], port)
      local store = new(other:url(nil, QUICK))
      for _ = 1, 2 do
        local record, err = store:get "k"
        assert.is_nil(record)
        assert.matches(lie[2], tostring(err), 1, true)
      end
      local fresh = cloud()
      call(fresh)
      assert.equal(1, fresh:stats().token_fetches)
    end)
  end

  it("whose values are lies", function()
    for _, value in ipairs { "+PONG\\r\\n", ":1\\r\\n" } do
      local liar = Redis.liar(value)
      local store = new(liar:url(nil, QUICK))
      assert.is_nil((store:get "k"))
      assert.is_nil((store:lease("k", "me", 1)) or nil)
      liar:stop()
    end
  end)

  it("a name that is not found, a socket that is not there", function()
    assert.matches("name is not found", tostring(select(2, new("redis://no.such.host.invalid:1"):get "k")))
    assert.matches("No such file", tostring(select(2, new("redis+unix:///no/such/socket"):get "k")))
    assert.matches("too long", tostring(select(2, new("redis+unix:///" .. ("x"):rep(200)):get "k")))
  end)

  it("and a task that waits for it can be cancelled", function()
    local store = new(other:url(nil, "/0?timeout=20"))
    assert.is_nil((store:get "k"))
    other:freeze()
    local begun, err
    local task = fogcloud.spawn(function()
      begun = true
      err = select(2, store:get "k")
    end)
    support.serve_until(function() return begun end)
    task:cancel()
    assert(task:wait(5))
    assert.equal("cancelled", err.kind)
  end)
end)
