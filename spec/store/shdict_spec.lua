-- SPDX-License-Identifier: MIT

local dictionary = require "spec.support.dictionary"
local stores = require "fogcloud.store"
local virtual = require "spec.support.virtual"

describe("the shared dictionary's store", function()
  local host, dict, saved

  before_each(function()
    host = virtual.host()
    dict = dictionary.new(host)
    saved = rawget(_G, "ngx")
    rawset(_G, "ngx", { shared = { fogcloud = dict } })
  end)
  after_each(function() rawset(_G, "ngx", saved) end)

  local function new() return stores.resolve("shdict:fogcloud", host, function() return 0.5 end) end

  it("must be there", function()
    local ok, err = pcall(stores.resolve, "shdict:gone", host)
    assert.is_false(ok)
    assert.matches("lua_shared_dict gone 1m", err)
    rawset(_G, "ngx", nil)
    assert.has_error(function() new() end)
  end)

  it("keeps records and forgets them by value", function()
    local store, other = new(), new()
    assert.is_nil((store:get("k")))
    assert(store:set("k", { value = "a/b", n = 1.5 }))
    assert.same({ value = "a/b", n = 1.5 }, other:get("k"))
    assert(store:delete("k", { value = "older" }))
    assert.equal("a/b", store:get("k").value)
    assert(store:delete("k", { value = "a/b" }))
    assert.is_nil((store:get("k")))
  end)

  it("reports a damaged entry and a full dictionary", function()
    local store = new()
    dict:safe_set("k", "{")
    local none, err = store:get("k")
    assert.is_nil(none)
    assert.matches("damaged", tostring(err))
    dict.room = 1
    none, err = store:set("other", { value = "x" })
    assert.is_nil(none)
    assert.matches("no memory", tostring(err))
    none, err = store:lock("other", host.now())
    assert.is_nil(none)
    assert.matches("no memory", tostring(err))
  end)

  it("keeps numbers with all their digits, whatever a program sets in its cjson", function()
    local cjson = require "cjson"
    cjson.encode_number_precision(3)
    cjson.decode_max_depth(1)
    local store, record = new(), { value = "v", wall = 1701234567.8901234, port = 1883, third = 1 / 3 }
    local kept, err = store:set("k", record)
    local got, why = store:get("k")
    cjson.encode_number_precision(14)
    cjson.decode_max_depth(1000)
    assert(kept, err)
    assert.same(record, got, why)
    assert.equal("1883", tostring(got.port))
    assert.matches("the shared dictionary 'fogcloud' at 'k'", store:where("k"), 1, true)
  end)

  it("has a lock among workers, that expires with a worker that died", function()
    local store, other = new(), new()
    local unlock = assert(store:lock("k", math.huge))
    local none, err = other:lock("k", host.now() + 1)
    assert.is_nil(none)
    assert.equal("timeout", err.kind)
    unlock()
    local second = assert(other:lock("k", host.now()))
    unlock() -- late, and not its own any more
    assert.is_nil((store:lock("k", host.now())))
    host.advance(61)
    local third = assert(store:lock("k", host.now()))
    second()
    assert.is_nil((other:lock("k", host.now())))
    third()
  end)

  it("gives all workers one token", function()
    local server, done = virtual.server(host), 0
    for _ = 1, 8 do
      local cloud = virtual.cloud(server, { store = "shdict:fogcloud" })
      for _ = 1, 10 do
        host.spawn_task(function()
          assert(cloud:products())
          done = done + 1
        end)
      end
    end
    host.run()
    assert.same({ 80, 1 }, { done, server:count("token") })
  end)
end)
