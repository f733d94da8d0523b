-- SPDX-License-Identifier: MIT

-- Where a session stands: what may follow what, and who waits for it.
local State = require "fogcloud.mqtt.state"
local errors = require "fogcloud.errors"
local virtual = require "spec.support.virtual"

-- Each row from where, each column to where: what the states' table in state.lua says.
local NAMES = { "connecting", "up", "waiting", "ending", "released", "closed" }
local TABLE = {
  --             con    up     wai    end    rel    clo
  connecting = { false, true,  true,  true,  false, false },
  up         = { false, false, true,  true,  false, false },
  waiting    = { false, true,  true,  true,  false, false },
  ending     = { false, false, false, false, true,  false },
  released   = { false, false, false, false, false, true },
  closed     = { false, false, false, false, false, false },
}

-- How one comes to each.
local WAYS = {
  connecting = {}, up = { "up" }, waiting = { "up", "waiting" }, ending = { "ending" }, released = { "ending", "released" },
  closed = { "ending", "released", "closed" },
}

describe("a session's state", function()
  local host, state

  before_each(function()
    host = virtual.host()
    state = State.new(host)
  end)

  local function go(name)
    local one = State.new(host)
    for _, step in ipairs(WAYS[name]) do one:to(step) end
    return one
  end

  for from, row in pairs(TABLE) do
    for column, allowed in ipairs(row) do
      local to = NAMES[column]
      it(("%s from %s to %s"):format(allowed and "goes" or "cannot go", from, to), function()
        local one = go(from)
        local ok, err = pcall(one.to, one, to)
        assert.equal(allowed, ok)
        assert.equal(allowed and to or from, one.name)
        if not allowed then
          assert.equal(("a session cannot go from %s to %s"):format(from, to), (err:gsub("^.-: ", "")))
        end
      end)
    end
  end

  it("has no other names", function()
    assert.is_false(pcall(state.to, state, "down"))
    assert.is_false(pcall(state.to, state))
    for name in pairs(State.FOLLOWS) do assert.is_table(TABLE[name], name) end
  end)

  it("counts the links that came up, and knows of the first for ever", function()
    assert.same({ false, false, 0 }, { state:is_up(), state:was_up(), state.connects })
    state:to "up"
    assert.same({ true, true, 1 }, { state:is_up(), state:was_up(), state.connects })
    state:to "waiting"
    state:to "waiting"
    assert.same({ false, true, 1 }, { state:is_up(), state:was_up(), state.connects })
    state:to "up"
    assert.equal(2, state.connects)
  end)

  it("refuses for the first reason", function()
    assert.equal("closed", state:closed_error().kind)
    local first = errors.new("auth", "no")
    state:refuse(first)
    state:refuse(errors.new("network", "gone"))
    assert.equal(first, state.ended)
    assert.equal(first, state:closed_error())
    assert.equal("connecting", state.name) -- the decision, and not yet its execution
  end)

  describe("is reached", function()
    it("at once where it is so already, or all is over", function()
      assert.is_true(state:reach("connecting"))
      local closed = go "closed"
      for _, name in ipairs(NAMES) do assert.is_true(closed:reach(name), name) end
      assert.is_nil(next(closed.waiters))
    end)

    it("by all who wait for it, and by nobody sooner", function()
      local log = {}
      for _, name in ipairs { "up", "up", "released" } do
        host.spawn_task(function()
          assert.is_true(state:reach(name))
          log[#log + 1] = name .. " at " .. state.name
        end)
      end
      host.spawn_task(function()
        for _, name in ipairs { "waiting", "up", "ending", "released" } do
          host.sleep(1)
          state:to(name)
        end
      end)
      host.run()
      assert.same({ "up at up", "up at up", "released at released" }, log)
      assert.is_nil(next(state.waiters))
    end)

    it("by who waits for what will never come when the session is closed", function()
      local reached
      host.spawn_task(function() reached = state:reach("up") end)
      host.spawn_task(function()
        for _, name in ipairs { "ending", "released", "closed" } do
          host.sleep(1)
          assert.is_nil(reached)
          state:to(name)
        end
      end)
      host.run()
      assert.is_true(reached)
    end)

    it("not after the deadline, nor by a task that is cancelled", function()
      local late, cancelled
      host.spawn_task(function() late = { state:reach("up", host.now() + 5) } end)
      local task = host.spawn_task(function() cancelled = { state:reach("up") } end)
      host.spawn_task(function()
        host.sleep(1)
        state:to "waiting" -- they look, and wait on
        host.sleep(1)
        task:cancel()
      end)
      local since = host.now()
      host.run()
      assert.is_false(late[1])
      assert.equal(5, host.now() - since)
      assert.is_nil(cancelled[1])
      assert.equal("cancelled", cancelled[2])
      assert.is_nil(next(state.waiters))
    end)
  end)
end)
