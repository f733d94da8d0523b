-- SPDX-License-Identifier: MIT

local Timers = require "fogcloud.task.timers"

describe("timers", function()
  it("fire in the order of their time, and only when due", function()
    local timers, fired = Timers.new(), {}
    local function note(name) fired[#fired + 1] = name end
    for _, at in ipairs { 5, 1, 4, 2, 3 } do timers:add(at, note, at) end
    assert.equal(1, timers:next())
    timers:fire(3)
    assert.same({ 1, 2, 3 }, fired)
    timers:fire(10)
    assert.same({ 1, 2, 3, 4, 5 }, fired)
    assert.is_nil(timers:next())
  end)

  it("leave the cancelled alone", function()
    local timers, fired = Timers.new(), 0
    local entry = timers:add(1, function() fired = fired + 1 end)
    timers:cancel(entry)
    timers:cancel(entry)
    timers:fire(2)
    assert.equal(0, fired)
    assert.is_nil(timers:next())
  end)

  it("keep no more of the cancelled than of the others, and call none of these twice", function()
    local timers, fired = Timers.new(), {}
    local function note(at) fired[#fired + 1] = at end
    for i = 1, 10 do timers:add(i, note, i) end
    for i = 1, 10000 do
      timers:cancel(timers:add(1000 + i % 7, note, 0))
      assert.is_true(timers.n < 200)
    end
    timers:fire(5)
    timers:cancel(timers:add(6, note, 0))
    timers:fire(20000)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, fired)
    assert.is_nil(timers:next())
  end)

  it("say when the next is due, which may be the time of one that was cancelled", function()
    local timers = Timers.new()
    assert.is_nil(timers.due)
    timers:add(7, print)
    local first = timers:add(3, print)
    assert.equal(3, timers.due)
    timers:cancel(first)
    assert.equal(3, timers:next())
    timers:fire(3)
    assert.equal(7, timers:next())
  end)

  it("may be added and cancelled by what they call", function()
    local timers, fired, last = Timers.new(), {}, nil
    local function note(name) fired[#fired + 1] = name end
    timers:add(1, function()
      note "first"
      timers:add(1, note, "at once")
      timers:add(0, note, "overdue")
      timers:add(9, note, "later")
      timers:cancel(last)
    end)
    last = timers:add(2, note, "cancelled")
    timers:fire(5)
    assert.same({ "first", "overdue", "at once" }, fired)
    assert.equal(9, timers:next())
  end)

  it("are called again when one of them threw, and none is lost", function()
    local timers, fired = Timers.new(), {}
    local function note(name) fired[#fired + 1] = name end
    local thrown = false
    timers:add(1, note, "before")
    timers:add(2, function()
      if not thrown then
        thrown = true
        error "a hook"
      end
      note "thrown once"
    end)
    timers:add(3, note, "behind")
    assert.is_false(pcall(timers.fire, timers, 5))
    timers:fire(5)
    assert.same({ "before", "thrown once", "behind" }, fired)
    assert.same({ 0, 0 }, { timers.n, timers.unwanted })
    assert.is_nil(next(timers.wanted))
  end)

  it("are made anew from what is wanted where a change was torn", function()
    local timers, fired = Timers.new(), {}
    local function note(name) fired[#fired + 1] = name end
    local entries = {}
    for i = 1, 20 do entries[i] = timers:add(i, note, i) end
    timers:cancel(entries[3])
    timers.torn, timers.heap, timers.n = true, { entries[20], entries[3], entries[20] }, 17
    assert.equal(1, timers:next())
    timers:fire(6)
    assert.same({ 1, 2, 4, 5, 6 }, fired)
    timers.torn, timers.heap = true, {}
    timers:add(6.5, note, 6.5)
    timers:fire(7)
    assert.same({ 6.5, 7 }, { fired[6], fired[7] })
    assert.equal(13, timers.n)
  end)
end)
