-- SPDX-License-Identifier: MIT

-- What the scheduler does in one turn; what tasks are to their users is in task_spec.
local Scheduler = require "fogcloud.task.scheduler"
local protect = require "fogcloud.task.protect"

describe("the scheduler", function()
  local now, scheduler, polled, reports, log

  before_each(function()
    now, polled, reports, log = 0, {}, {}, {}
    scheduler = Scheduler.new(function() return now end, function(timeout)
      polled[#polled + 1] = timeout or "for ever"
      now = now + (timeout or 0)
    end, function(message) reports[#reports + 1] = message:match("^[^\n]*") end)
  end)
  after_each(function() protect.take_interrupt() end)

  local function note(name) log[#log + 1] = name end

  local function sleeper(name, seconds, internal)
    return scheduler:spawn(function()
      scheduler:sleep(seconds)
      note(name)
    end, internal or false)
  end

  describe("waits", function()
    it("until the deadline, for ever without one", function()
      scheduler:turn(5, true)
      scheduler:turn(3, true) -- which is over
      scheduler:turn(nil, true)
      assert.same({ 5, 0, "for ever" }, polled)
    end)

    it("until the first timer, where that is before the deadline", function()
      sleeper("later", 4)
      sleeper("first", 2)
      scheduler:turn(10, true)
      for _ = 1, 3 do scheduler:turn(10, true) end
      assert.same({ 0, 2, 2, 6 }, polled) -- the first starts them
      assert.same({ "first", "later" }, log)
    end)

    it("not while something is ready; a user's task is not where only the library's are served", function()
      scheduler:spawn(note, false, false, "user")
      scheduler:turn(5, false)
      scheduler:spawn(note, true, false, "library")
      scheduler:turn(10, false)
      assert.same({ { 5, 0 }, { "library" } }, { polled, log })
      scheduler:turn(10, true)
      assert.same({ { 5, 0, 0 }, { "library", "user" } }, { polled, log })
    end)
  end)

  it("lets the library's tasks go first, and what they start later", function()
    scheduler:spawn(note, false, false, "user")
    scheduler:spawn(function()
      note "library"
      scheduler:spawn(note, true, false, "next turn")
    end, true)
    scheduler:turn(0, true)
    assert.same({ "library", "user" }, log)
    scheduler:turn(0, true)
    assert.same({ "library", "user", "next turn" }, log)
  end)

  it("is busy with what is counted until that is done", function()
    scheduler:spawn(note, false, true, "uncounted")
    scheduler:spawn(note, true, false, "internal")
    assert.is_false(scheduler:busy())
    local task = sleeper("counted", 1)
    assert.is_true(scheduler:busy())
    while not task.done do scheduler:turn(nil, true) end
    assert.is_false(scheduler:busy())
    assert.same({ "internal", "uncounted", "counted" }, log)
  end)

  it("knows whether a task runs, also in a coroutine of one", function()
    assert.is_false(scheduler:in_task())
    scheduler:spawn(function()
      note(scheduler:in_task())
      coroutine.wrap(function() note(scheduler:in_task()) end)()
      scheduler:sleep(1)
    end, false)
    scheduler:turn(0, true)
    assert.same({ true, true }, log)
    assert.is_false(scheduler:in_task())
  end)

  it("leaves a task in a yield of the program's own to the program", function()
    local co, waiter = nil, scheduler:waiter()
    scheduler:spawn(function()
      co = coroutine.running()
      note(waiter:wait(1))
      coroutine.yield "the program's"
      note "resumed"
    end, false)
    scheduler:turn(0, true)
    scheduler:turn(1, true)
    waiter:signal() -- of the wait that is over
    for _ = 1, 3 do scheduler:turn(0, true) end
    assert.same({ false }, log)
    if protect.must_try then return end -- Lua 5.1: it is a coroutine further in
    coroutine.resume(co)
    assert.same({ false, "resumed" }, log)
  end)

  it("blocks in a task where Lua cannot yield, and serves the library's tasks meanwhile", function()
    sleeper("library", 1, true)
    sleeper("user", 1)
    scheduler:spawn(function()
      table.sort({ 2, 1 }, function(a, b)
        if #log == 0 then scheduler:sleep(2) end
        note "sorted"
        return a < b
      end)
    end, false)
    scheduler:turn(0, true)
    assert.same({ 2, "library", "sorted" }, { now, log[1], log[2] })
    for i = 3, #log do assert.equal("sorted", log[i]) end
    scheduler:turn(now, true)
    scheduler:turn(now, true)
    assert.equal("user", log[#log])
  end)

  it("stops at a budget of time, and the rest has its turn in the next", function()
    for i = 1, 3 do
      scheduler:spawn(function()
        note(i)
        now = now + 1
      end, false)
    end
    scheduler:turn(now, true, { used = 0, until_ = 2 })
    assert.same({ 1, 2 }, log)
    assert.is_false(scheduler:spent()) -- it was that turn's
    scheduler:turn(now, true)
    assert.same({ 1, 2, 3 }, log)
  end)

  it("raises the Ctrl-C that a task died of, and lets the others go on after that", function()
    scheduler:spawn(function() error("interrupted!", 0) end, false)
    scheduler:spawn(note, false, false, "behind")
    local ok, err = pcall(scheduler.turn, scheduler, 0, true)
    assert.same({ false, "interrupted!", 0 }, { ok, err, #log })
    scheduler:turn(0, true)
    assert.same({ { "behind" }, {} }, { log, reports })
  end)

  it("reports a task that fails, and that nobody waits for", function()
    scheduler:spawn(function() error("gone", 0) end, false)
    scheduler:turn(0, true)
    assert.same({ "fogcloud: error in a task: gone" }, reports)
  end)
end)
