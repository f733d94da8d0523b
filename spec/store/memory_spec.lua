-- SPDX-License-Identifier: MIT

local Memory = require "fogcloud.store.memory"
local virtual = require "spec.support.virtual"

describe("the memory store", function()
  local host, store

  before_each(function()
    host = virtual.host()
    store = Memory.new(host)
  end)

  it("keeps copies", function()
    local record = { value = "a", n = 1 }
    assert(store:set("k", record))
    record.value = "changed"
    local got = store:get("k")
    got.n = 2
    assert.same({ value = "a", n = 1 }, store:get("k"))
    assert.is_nil(store:get("other"))
  end)

  it("forgets by value", function()
    assert(store:set("k", { value = "new" }))
    assert.is_true(store:delete("k", { value = "old" }))
    assert.equal("new", store:get("k").value)
    assert.is_true(store:delete("k", { value = "new" }))
    assert.is_nil(store:get("k"))
    assert.is_true(store:delete("k"))
  end)

  describe("has a lock that", function()
    it("goes round in turn", function()
      local order = {}
      for i = 1, 5 do
        host.spawn_task(function()
          local unlock = assert(store:lock("k", math.huge))
          order[#order + 1] = i
          host.sleep(1)
          order[#order + 1] = i
          unlock()
          unlock()
        end)
      end
      host.run()
      assert.same({ 1, 1, 2, 2, 3, 3, 4, 4, 5, 5 }, order)
      assert.is_nil(next(store.queues))
    end)

    it("goes on to the next when one that waits is ended by an error", function()
      local unlock = assert(store:lock("k", math.huge))
      local waiter, got = host.waiter, nil
      local task = host.spawn_task(function()
        host.waiter = function()
          local one = waiter()
          one.wait = function() host.sleep(1) error("a hook", 0) end
          return one
        end
        store:lock("k", math.huge)
      end)
      host.spawn_task(function()
        host.sleep(0.5)
        host.waiter = waiter
        got = store:lock("k", math.huge)
      end)
      assert.matches("a hook", select(2, task:wait()))
      unlock()
      host.run()
      assert.is_function(got)
    end)

    it("is waited for until the deadline, and not by a task that was cancelled", function()
      local unlock = assert(store:lock("k", math.huge))
      local got = {}
      host.spawn_task(function() got[1] = { store:lock("k", host.now() + 1) } end)
      local task = host.spawn_task(function() got[2] = { store:lock("k", math.huge) } end)
      host.spawn_task(function() got[3] = { store:lock("k", math.huge) } end)
      host.spawn_task(function()
        host.sleep(2)
        task:cancel()
        host.sleep(1)
        unlock()
      end)
      host.run()
      assert.same({ "timeout", "cancelled" }, { got[1][2].kind, got[2][2].kind })
      assert.is_function(got[3][1])
    end)
  end)
end)
