-- SPDX-License-Identifier: MIT

local deadline = require "fogcloud.task.deadline"

describe("a deadline", function()
  it("is now and the seconds, or the default", function()
    assert.equal(110, deadline.after(100, 10, 30))
    assert.equal(130, deadline.after(100, nil, 30))
    assert.equal(100, deadline.after(100, 0, 30))
  end)

  it("is finite for those who would wait for ever", function()
    local far = deadline.after(100, math.huge, 30)
    assert.is_true(far > 100 + 86400 * 300 and far < math.huge)
  end)

  it("refuses what is no time, at the caller", function()
    for _, bad in ipairs { -1, 0 / 0, "5", false, {} } do
      local ok, err = pcall(function() return (deadline.after(100, bad, 30, 1)) end)
      assert.is_false(ok)
      assert.matches("deadline_spec.lua.*timeout: a number of seconds", err)
    end
  end)

  it("leaves no negative time", function()
    assert.equal(5, deadline.left(105, 100))
    assert.equal(0, deadline.left(95, 100))
  end)
end)
