-- SPDX-License-Identifier: MIT

local protect = require "fogcloud.task.protect"

describe("protect", function()
  it("passes yields on and catches errors, in any Lua", function()
    local co = coroutine.wrap(function()
      return protect.call(function(a)
        local b = coroutine.yield(a + 1)
        local inner, err = protect.call(function()
          coroutine.yield("deep")
          error("inside")
        end)
        assert(inner == false and tostring(err):find("inside"))
        return b
      end, 1)
    end)
    assert.equal(2, co())
    assert.equal("deep", co("b"))
    assert.same({ true, "b" }, { co() })
  end)

  it("keeps an error that is not text as it is", function()
    local object = {}
    local ok, err = protect.call(function() error(object) end)
    assert.is_false(ok)
    assert.equal(object, err)
  end)

  it("gives all results, nil among them, and passes all arguments on", function()
    local function count(...) return select("#", ...), ... end
    local function both(run)
      local got = { n = 0 }
      local function keep(...) got = { n = select("#", ...), ... } end
      run(function() keep(protect.call(count, nil, 2, nil)) end)
      assert.same({ n = 5, true, 3, nil, 2, nil }, got)
    end
    both(function(fn) fn() end)
    both(function(fn) coroutine.wrap(fn)() end)
  end)

  it("calls functions in C, inside and outside of coroutines", function()
    local function try()
      assert.same({ true, "1" }, { protect.call(tostring, 1) })
      local ok, err = protect.call(error, "of C", 0)
      assert.is_false(ok)
      assert.matches("^of C", err)
      assert.equal("1", protect.guard(error, tostring, 1))
      assert.is_false((protect.call(nil)))
    end
    try()
    coroutine.wrap(try)()
  end)

  it("puts a traceback behind an error that is text", function()
    for _, run in ipairs { function(fn) return fn() end, function(fn) return coroutine.wrap(fn)() end } do
      run(function()
        local ok, err = protect.call(function() error("boom", 0) end)
        assert.is_false(ok)
        assert.matches("^boom\nstack traceback:\n", err)
      end)
    end
  end)

  describe("with a guard", function()
    local cleaned
    local function cleanup() cleaned = cleaned + 1 end
    before_each(function() cleaned = 0 end)

    it("throws the same when it has cleaned up, and leaves what went well alone", function()
      local object = {}
      for _, run in ipairs { function(fn) fn() end, function(fn) coroutine.wrap(fn)() end } do
        cleaned = 0
        run(function()
          assert.same({ 1, 2 }, { protect.guard(cleanup, function(...) return ... end, 1, 2) })
          assert.equal(0, cleaned)
          local ok, err = pcall(protect.guard, cleanup, error, object)
          assert.is_false(ok)
          assert.equal(object, err)
          assert.equal(1, cleaned)
          assert.equal("text", select(2, pcall(protect.guard, cleanup, error, "text", 0)))
        end)
      end
    end)

    it("passes yields on", function()
      local co = coroutine.wrap(function()
        protect.guard(cleanup, function(a)
          assert(coroutine.yield(a) == "back")
          error("late", 0)
        end, "out")
      end)
      assert.equal("out", co())
      local ok, err = pcall(co, "back")
      assert.is_false(ok)
      assert.matches("late", err)
      assert.equal(1, cleaned)
    end)
  end)

  describe("of Ctrl-C", function()
    after_each(function() protect.take_interrupt() end)

    it("knows the interpreter's text, and no other", function()
      for _, text in ipairs { "interrupted!", "x.lua:1: interrupted!", "interrupted!\nstack traceback:\n\t..." } do
        assert.is_true(protect.is_interrupt(text), text)
      end
      for _, other in ipairs { "interrupted", "interrupted! not", "line\ninterrupted!", "", 5, {}, true } do
        assert.is_false(protect.is_interrupt(other))
      end
      assert.is_false(protect.is_interrupt(nil))
    end)

    it("notes it wherever it is caught, once, without its traceback", function()
      for _, run in ipairs { function(fn) fn() end, function(fn) coroutine.wrap(fn)() end } do
        run(function() protect.call(error, "interrupted!", 0) end)
        assert.equal("interrupted!", protect.take_interrupt())
        assert.is_nil(protect.take_interrupt())
        run(function() protect.call(error, "another", 0) end)
        assert.is_nil(protect.interrupted)
      end
    end)
  end)

  describe("where Lua can yield", function()
    local function in_coroutine(fn) return coroutine.wrap(fn)() end

    it("says so in a coroutine, and behind protect.call in one", function()
      assert.is_true(in_coroutine(function() return (protect.can_yield()) end))
      assert.is_true(in_coroutine(function()
        local _, can = protect.call(function()
          local _, inner = protect.call(function() return (protect.can_yield()) end)
          return inner
        end)
        return can
      end))
    end)

    it("denies it inside functions in C that are in the way", function()
      local seen = {}
      in_coroutine(function()
        table.sort({ 2, 1 }, function(a, b)
          seen[1] = protect.can_yield()
          return a < b
        end)
        string.gsub("x", "x", function() seen[2] = protect.can_yield() end)
        protect.call(function()
          string.gsub("x", "x", function() seen[3] = protect.can_yield() end)
        end)
      end)
      assert.same({ false, false, false }, seen)
    end)
  end)
end)
