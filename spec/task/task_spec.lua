-- SPDX-License-Identifier: MIT

local fogcloud = require "fogcloud"
local Scheduler = require "fogcloud.task.scheduler"
local errors = require "fogcloud.errors"

describe("tasks", function()
  local now, scheduler, reports

  -- A clock that moves when the scheduler waits.
  before_each(function()
    now, reports = 0, {}
    scheduler = Scheduler.new(function() return now end, function(timeout)
      assert(timeout, "waits for ever: nothing could wake it")
      now = now + timeout
    end)
    scheduler.report = function(message) reports[#reports + 1] = message end
  end)

  local function run()
    while scheduler:busy() do scheduler:turn(nil, true) end
  end

  local function spawn(fn, ...) return scheduler:spawn(fn, false, false, ...) end

  it("interleave at their waits", function()
    local log = {}
    for _, name in ipairs { "a", "b" } do
      spawn(function(given)
        for i = 1, 2 do
          log[#log + 1] = given .. i
          scheduler:sleep(1)
        end
      end, name)
    end
    run()
    assert.same({ "a1", "b1", "a2", "b2" }, log)
    assert.equal(2, now)
  end)

  it("keep a signal that comes before the wait, once", function()
    local waiter = scheduler:waiter()
    waiter:signal()
    waiter:signal()
    assert.is_true(waiter:wait(5))
    assert.is_false(waiter:wait(5))
    assert.equal(5, now)
  end)

  it("are woken by a signal before their deadline", function()
    local waiter, result = scheduler:waiter(), nil
    spawn(function() result = { waiter:wait(10), now } end)
    spawn(function()
      scheduler:sleep(3)
      waiter:signal()
    end)
    run()
    assert.same({ true, 3 }, result)
  end)

  it("keep a signal that comes when the deadline has passed, before their turn", function()
    local waiter, result = scheduler:waiter(), nil
    spawn(function() result = { waiter:wait(1), waiter:wait(2), now } end)
    scheduler:spawn(function() -- the library's go first
      scheduler:sleep(1)
      waiter:signal()
    end, true)
    run()
    assert.same({ true, false, 2 }, result)
  end)

  it("are left to the collector when they have ended", function()
    local function kept(count)
      for _ = 1, count do
        spawn(function() scheduler:sleep(0) end)
        run()
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local before = kept(2000)
    assert.is_true(kept(2000) < before + 500, "KB") -- of a KB at least for each of them
  end)

  it("cancel: the wait, and the next one", function()
    local results = {}
    local task = spawn(function()
      results[1] = { scheduler:sleep(100) }
      results[2] = { scheduler:sleep(100) }
    end)
    spawn(function()
      scheduler:sleep(1)
      task:cancel()
      task:cancel()
    end)
    run()
    assert.same({ { nil, "cancelled" }, { nil, "cancelled" } }, results)
    assert.equal(1, now)
  end)

  it("that were cancelled before they began do not run", function()
    local ran = false
    local task = spawn(function() ran = true end)
    task:cancel()
    run()
    assert.is_false(ran)
    assert.same({}, reports)
  end)

  it("that die of being cancelled are not reported, of anything else they are", function()
    local function fail(with)
      local task = spawn(function()
        scheduler:sleep(100)
        error(with, 0)
      end)
      scheduler:turn(now, true)
      task:cancel()
      run()
    end
    fail "cancelled"
    fail(errors.new("cancelled", "the task was cancelled"))
    assert.same({}, reports)
    fail "no file"
    assert.equal(1, #reports)
    assert.matches("no file", reports[1])
  end)

  it("give their results, and their error with a traceback", function()
    local good, bad = spawn(function() return 1, nil, 3 end), spawn(function() error("boom") end)
    local ok, err = bad:wait() -- first: an error that nobody waits for is reported
    assert.same({ true, 1, nil, 3 }, { good:wait() })
    assert.is_nil(ok)
    assert.matches("boom", err)
    assert.matches("traceback", err)
    assert.same({}, reports)
  end)

  it("may be functions in C", function()
    local good, bad = spawn(tostring, 5), spawn(error, "of C", 0)
    local ok, err = bad:wait()
    assert.is_nil(ok)
    assert.matches("of C", err)
    assert.same({ true, "5" }, { good:wait() })
    assert.same({}, reports)
  end)

  it("report an error that nobody waits for", function()
    spawn(function() error("unseen") end)
    run()
    assert.equal(1, #reports)
    assert.matches("unseen", reports[1])
  end)

  it("report an error that comes when nobody waits any longer", function()
    local task = spawn(function()
      scheduler:sleep(2)
      error("too late")
    end)
    assert.same({ nil, "timeout" }, { task:wait(1) })
    local inside
    spawn(function() inside = { task:wait(0.5) } end)
    run()
    assert.same({ nil, "timeout" }, inside)
    assert.equal(1, #reports)
    assert.matches("too late", reports[1])
  end)

  it("remember nobody who no longer waits for them", function()
    local task = spawn(function() scheduler:sleep(100) end)
    for _ = 1, 10 do task:wait(1) end
    spawn(function()
      for _ = 1, 10 do task:wait(1) end
      assert.is_nil(next(task.joiners))
    end)
    run()
    assert.equal(100, now)
    assert.same({}, reports)
  end)

  it("are waited for as long as a number says", function()
    local task = spawn(function() end)
    for _, wrong in ipairs { -1, 0 / 0, "x" } do assert.error_matches(function() task:wait(wrong) end, "timeout: a number") end
    run()
  end)

  it("wait for each other", function()
    local slow = spawn(function()
      scheduler:sleep(2)
      return "done"
    end)
    local seen
    spawn(function() seen = { slow:wait() } end)
    run()
    assert.same({ true, "done" }, seen)
    assert.same({ true, "done" }, { slow:wait() })
  end)

  it("of the library go on in a blocking wait, those of the user do not", function()
    local ran = {}
    scheduler:spawn(function() ran[#ran + 1] = "library" end, true)
    spawn(function() ran[#ran + 1] = "user" end)
    assert.is_false(scheduler:waiter():wait(1))
    assert.same({ "library" }, ran)
    run()
    assert.same({ "library", "user" }, ran)
  end)

  it("stop at the step's budget and go on in the next", function()
    local handled = 0
    spawn(function()
      for _ = 1, 10 do
        handled = handled + 1
        scheduler:pause()
      end
    end)
    scheduler:turn(now, true, { used = 0, events = 4 })
    assert.equal(4, handled)
    scheduler:turn(now, true, { used = 0, events = 4 })
    assert.equal(8, handled)
    run()
    assert.equal(10, handled)
  end)

  it("run in thousands without growing the stack", function()
    local count = 0
    for _ = 1, 5000 do
      spawn(function()
        scheduler:sleep(1)
        count = count + 1
      end)
    end
    run()
    assert.equal(5000, count)
  end)
end)

describe("serving", function()
  it("takes sensible times and budgets only, and says which is wrong", function()
    for text, wrong in pairs {
      ["timeout: a number of seconds"] = { "x" },
      ["timeout: a number of seconds, not negative"] = { -1 },
      ["budget: table expected, got number"] = { 0, 5 },
      ["budget: unknown field 'event'"] = { 0, { event = 1 } },
      ["budget.events: a number, not negative, expected"] = { 0, { events = "many" } },
      ["budget.time: a number, not negative, expected"] = { 0, { time = 0 / 0 } },
    } do
      local ok, err = pcall(fogcloud.step, wrong[1], wrong[2])
      assert.is_false(ok)
      assert.matches(text, err, 1, true)
    end
    assert.error_matches(function() fogcloud.sleep(0 / 0) end, "seconds: number expected, got nan")
    assert.error_matches(function() fogcloud.sleep() end, "seconds: number expected, got nil")
    fogcloud.step(0, { events = 0, time = 0 })
  end)

  it("is refused in a task, and in a coroutine of one", function()
    local said = {}
    local function try()
      for _, name in ipairs { "run", "step" } do said[#said + 1] = select(2, pcall(fogcloud[name])) end
    end
    fogcloud.spawn(function()
      try()
      coroutine.wrap(try)()
    end)
    fogcloud.run()
    assert.equal(4, #said)
    for i, text in ipairs(said) do
      assert.matches(("fogcloud.%s: call it outside of tasks"):format(i % 2 == 1 and "run" or "step"), text, 1, true)
    end
  end)
end)
