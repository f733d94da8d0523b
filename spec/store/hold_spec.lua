-- SPDX-License-Identifier: MIT

-- One session at a time has a kept client, over each store; spec/host/openresty_hold_spec.lua has the workers of nginx.
local Redis = require "spec.support.redis"
local core = require "fogcloud.core"
local dictionary = require "spec.support.dictionary"
local fogcloud = require "fogcloud"
local hold = require "fogcloud.store.hold"
local holders = require "fogcloud.store.holder"
local process = require "fogcloud.sandbox.core"
local runtime = require "fogcloud.runtime"
local script = require "spec.support.script"
local stores = require "fogcloud.store"
local support = require "spec.support.sandbox"
local virtual = require "spec.support.virtual"

local KEY = "client x"
local LIFE = hold.LIFE

-- The mark of a process of this machine, or of one of another, which nobody can see.
local function mark_of(pid, began, elsewhere)
  local _, start, place, host, rest = holders.new():match "^(%d+) (%S+) (%S+) (%S+) (.*)$"
  return table.concat({ pid, began or start, elsewhere and "other-boot/1" or place, elsewhere or host, rest }, " ")
end

-- name -> a function that gives a store, one more, a function that puts a holder's mark there, and one that gives it.
local STORES = {
  ["a shared dictionary"] = function()
    local host = virtual.host()
    local dict = dictionary.new(host)
    rawset(_G, "ngx", { shared = { fogcloud = dict } })
    local function new() return stores.resolve("shdict:fogcloud", host) end
    return new(), new(), function(mark) dict:safe_set("hold " .. KEY, mark, 30) end,
      function() return dict:get("hold " .. KEY) end, host.advance
  end,
  Redis = function(redis)
    local function new() return stores.resolve(redis:url(nil, "/0?timeout=2"), runtime.host()) end
    return new(), new(), function(mark) redis:cli(("set 'fogcloud:hold %s' '%s' px 30000"):format(KEY, mark)) end,
      function()
        local mark = redis:cli(("get 'fogcloud:hold %s'"):format(KEY))
        return mark ~= "" and mark or nil
      end,
      function(seconds) fogcloud.sleep(seconds) end
  end,
}

for name, make in pairs(STORES) do
  describe("a hold", function()
  it("is not refused by a word of the store's that is older than the holder's goodbye", function()
    local gone, asked = holders.new(), 0
    local function claim()
      asked = asked + 1
      if asked > 1 then return true end
      holders.give_up(gone)
      holders.give_up(gone, true) -- and the store has it no more, while its reply is on the way
      return false, gone
    end
    local host = { waiter = function() return { signal = function() end } end, spawn = function() end }
    assert.is_function((hold.take { host = host, claim = claim, give_up = function() end }))
    assert.equal(2, asked)
  end)
end)

describe("a holder's place", function()
  -- Text that programs of several Luas compare; on 32 bits lua_Integer of Lua 5.1 is too small for it.
  it("names the space of processes as the system does", function()
    assert.equal(support.shell "readlink /proc/self/ns/pid":match "%d+", ("%.0f"):format(core.space()))
  end)
end)

describe("a kept client in " .. name .. " is held", function()
    local redis, saved, one, other, put, held, pass, taken

    setup(function()
      if name == "Redis" then redis = Redis.start() end
    end)
    teardown(function()
      if redis then redis:stop() end
    end)
    before_each(function()
      saved = rawget(_G, "ngx")
      if redis then
        redis:cli "flushall"
        hold.LIFE = 0.6
      end
      one, other, put, held, pass = make(redis)
      taken = {}
    end)
    after_each(function()
      for _, let_go in ipairs(taken) do let_go() end
      pass(0.1)
      rawset(_G, "ngx", saved)
      hold.LIFE = LIFE
    end)

    local function take(store, key, lost)
      local let_go, who, err = store:hold(key, lost)
      taken[#taken + 1] = let_go
      return let_go, who, err
    end

    it("by one, until it lets go, and then by the next at once", function()
      local let_go = assert(take(one, KEY))
      assert.same({ nil, "another session of this program" }, { take(other, KEY) })
      assert.is_function((take(other, "client y")))
      let_go()
      local second = assert(take(other, KEY)) -- before anybody could tell the store
      let_go()
      pass(hold.LIFE)
      assert.same({ nil, "another session of this program" }, { take(one, KEY) })
      second()
      pass(0.2)
      assert.is_nil(held())
    end)

    it("for as long as it is used, however long that is", function()
      local let_go = assert(take(one, KEY))
      for _ = 1, 8 do
        pass(hold.LIFE / 4)
        assert.is_string(held())
      end
      let_go()
      assert.is_function((take(other, KEY)))
    end)

    it("no longer than its life by one that is dead, where nobody can see that", function()
      put(mark_of(1, nil, "web-7"))
      local let_go, who, err = take(one, KEY)
      assert.same({ nil, "process 1 on web-7", nil }, { let_go, who, err })
      if redis then redis:cli(("pexpire 'fogcloud:hold %s' 1"):format(KEY)) end
      pass(redis and 0.05 or 31)
      assert.is_function((take(one, KEY)))
    end)

    it("by a process of this machine that is named, and not a moment after its death", function()
      local pid = assert(process.spawn { "/usr/bin/sleep", "30" })
      local file = assert(io.open(("/proc/%d/stat"):format(pid)))
      local began = file:read("*a"):match("^.*%)(.*)$"):match("^" .. ("%s+%S+"):rep(19) .. "%s+(%S+)")
      file:close()
      put(mark_of(pid, began))
      assert.same({ nil, "process " .. pid }, { take(one, KEY) })
      process.kill(pid, 9)
      support.serve_until(function() return holders.is_gone(held()) end) -- it need not be reaped
      local let_go = assert(take(one, KEY))
      assert.same({ nil, "another session of this program" }, { take(other, KEY) })
      let_go()
      process.wait(pid, true)
      put(mark_of(pid, began))
      assert.is_function((take(other, KEY)))
    end)

    it("by nobody whose process id is another process's by now", function()
      put(mark_of(core.pid(), "12345"))
      assert.is_function((take(one, KEY)))
    end)

    it("until another one has it, of which is told once", function()
      local told = {}
      local let_go = assert(take(one, KEY, function(who) told[#told + 1] = who end))
      put(mark_of(17, nil, "web-8"))
      pass(0.4 * hold.LIFE)
      pass(0.4 * hold.LIFE)
      assert.same({ "process 17 on web-8" }, told)
      let_go()
      pass(0.1)
      assert.matches("^17 ", held()) -- it is not given up for the other
    end)

    it("again, by the same one, after the store has lost all", function()
      local told = 0
      local let_go = assert(take(one, KEY, function() told = told + 1 end))
      put "" -- as good as nothing, but for the store
      if redis then redis:cli "flushall" else one:delete("hold " .. KEY) end
      pass(hold.LIFE)
      assert.same({ nil, "another session of this program" }, { take(other, KEY) })
      assert.equal(0, told)
      let_go()
    end)
  end)
end

describe("a kept client in Redis", function()
  local redis, sandbox, logged

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
    logged = {}
    hold.LIFE = 0.6
  end)
  after_each(function()
    redis:thaw()
    hold.LIFE = LIFE
  end)

  local function cloud()
    return support.cloud(sandbox, {
      store = redis:url(nil, "/0?timeout=0.4"), app_id = sandbox.app_id,
      log = function(level, message, fields) logged[#logged + 1] = ("%s: %s %s"):format(level, message, tostring(fields.err)) end,
    })
  end

  local function elsewhere(body)
    local o = sandbox:options()
    return ([[
      local cloud = require("fogcloud").new {
        base_url = %q, client_id = %q, client_secret = %q, ca_file = %q, app_id = %q, store = %q }
      local session, err = cloud:open { keep = true }
      io.write(session and "opened" or err.kind .. ": " .. err.message)
      io.flush()
    ]]):format(o.base_url, o.client_id, o.client_secret, sandbox.ca_file, sandbox.app_id, redis:url(nil, "/0?timeout=2")) .. (body or "")
  end

  it("has one session among processes; the second is told who has it", function()
    local session = assert(cloud():open { keep = true })
    assert.matches("^mqtt: the kept client is in use by process " .. core.pid() .. ", and a second", (script.run(elsewhere())))
    local none, err = cloud():open { keep = true }
    assert.is_nil(none)
    assert.matches("in use by another session of this program", err.message)
    session:close()
    session = assert(cloud():open { keep = true })
    assert.is_true(session:finish(5))
    assert.equal("opened", (script.run(elsewhere())))
  end)

  it("is free at once when its process is killed", function()
    local said, code = script.run(elsewhere "os.execute('kill -9 ' .. require('fogcloud.core').pid())")
    assert.same({ true, true }, { said:find("^opened") ~= nil, code ~= 0 })
    local session = assert(cloud():open { keep = true })
    assert.is_true(session:finish(5))
  end)

  it("ends a session that another one took it from while it was cut off, so that they do not fight", function()
    local session = assert(cloud():open { keep = true, session = { backoff_base = 0.05 } })
    local key = redis:cli "keys 'fogcloud:hold *'"
    assert.matches("^fogcloud:hold client", key)
    redis:cli(("set '%s' '%s' px 30000"):format(key, mark_of(17, nil, "web-8")))
    support.serve_until(function() return session.ended end)
    assert.equal("mqtt", session.ended.kind)
    assert.matches("in use by process 17 on web%-8", session.ended.message)
    support.serve_until(function() return session.state.name == "closed" end)
    assert.matches("^17 ", redis:cli(("get '%s'"):format(key)))
  end)

  it("is used while Redis is away, and held when it is back", function()
    local one = cloud()
    local credentials = assert(one:client())
    redis:freeze()
    local session = assert(one:connect(credentials))
    assert.matches("warn: the kept client is not held yet .*Redis at 127", table.concat(logged, "\n"))
    redis:thaw()
    support.serve_until(function() return redis:cli "keys 'fogcloud:hold *'" ~= "" end)
    assert.is_true(session:connected())
    redis:freeze()
    fogcloud.sleep(1)
    assert.is_true(session:connected())
    redis:thaw()
    assert.is_true(session:finish(5))
  end)
end)
