-- SPDX-License-Identifier: MIT

local Waiters = require "fogcloud.task.waiters"
local virtual = require "spec.support.virtual"

describe("those that wait for one thing", function()
  local host, waiters

  before_each(function()
    host = virtual.host()
    waiters = Waiters.new(host)
  end)

  it("are all woken by a signal, and have to wait anew for the next", function()
    local woken = 0
    for _ = 1, 3 do
      host.spawn_task(function()
        for _ = 1, 2 do
          assert.is_true((waiters:wait()))
          woken = woken + 1
        end
      end)
    end
    host.spawn_task(function()
      host.sleep(1)
      waiters:signal()
      host.sleep(1)
      assert.equal(3, woken)
      waiters:signal()
    end)
    host.run()
    assert.equal(6, woken)
  end)

  it("wait until their deadline, or until they are cancelled", function()
    local results = {}
    host.spawn_task(function() results[1] = { waiters:wait(host.now() + 2) } end)
    local task = host.spawn_task(function() results[2] = { waiters:wait() } end)
    host.spawn_task(function()
      host.sleep(1)
      task:cancel()
    end)
    host.run()
    assert.is_false(results[1][1])
    assert.is_nil(results[2][1])
    assert.equal("cancelled", results[2][2])
    assert.is_nil(next(waiters.waiting))
  end)

  it("hear nothing of a signal that came before them", function()
    waiters:signal()
    local woken
    host.spawn_task(function() woken = waiters:wait(host.now() + 1) end)
    host.run()
    assert.is_false(woken)
  end)
end)
