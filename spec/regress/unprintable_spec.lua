-- SPDX-License-Identifier: MIT

-- A foreign value whose __tostring throws ended whatever made text of it: the scheduler with all its tasks, a log entry
-- with the call that wrote it, an error message that should have named an option.
local Scheduler = require "fogcloud.task.scheduler"
local errors = require "fogcloud.errors"
local fogcloud = require "fogcloud"
local log = require "fogcloud.log"

local boom = setmetatable({}, { __tostring = function() error "boom" end })
local TEXT = "%(a table that cannot be shown as text%)"

describe("an error object that cannot be printed", function()
  local function scheduler()
    local now, lines = 0, {}
    local self = Scheduler.new(function() return now end, function(timeout) now = now + (timeout or 0) end)
    self.report = function(line) lines[#lines + 1] = line end
    return self, lines
  end

  it("ends its own task alone, and is reported", function()
    local self, lines = scheduler()
    local went_on = 0
    self:spawn(function() error(boom) end, false)
    self:spawn(function()
      self:sleep(1)
      went_on = went_on + 1
    end, false)
    for _ = 1, 5 do self:turn(self.now() + 1, true) end
    assert.equal(1, went_on)
    assert.equal(1, #lines)
    assert.matches("error in a task: " .. TEXT, lines[1])
    assert.is_false(self:busy())
  end)

  it("is what the task's waiter gets, as it is", function()
    local self = scheduler()
    local task, result = self:spawn(function() error(boom) end, false), nil
    self:spawn(function() result = { task:wait() } end, false)
    for _ = 1, 3 do self:turn(self.now() + 1, true) end
    assert.is_nil(result[1])
    assert.equal(boom, result[2])
  end)

  it("ends a cancelled task as any other does", function()
    local self, lines = scheduler()
    local task = self:spawn(function()
      self:sleep(10)
      error(boom)
    end, false)
    self:turn(self.now(), true)
    task:cancel()
    for _ = 1, 3 do self:turn(self.now() + 1, true) end
    assert.is_true(task.done)
    assert.equal(1, #lines)
  end)

  it("can be told to a log", function()
    local seen
    local logger = log.new(function(level, message, fields) seen = { level, message, fields } end)
    assert.is_true(logger:write("warn", "x", { err = boom }))
    assert.matches(TEXT, seen[3].err)
    assert.matches("err=" .. TEXT, log.format("warn", "x", { err = boom }))
    assert.is_string(log.format("warn", "x", { [boom] = 1 }))
  end)

  it("is named where it stands for an option, a value or a label", function()
    for _, call in ipairs {
      function() fogcloud.new { [boom] = 1 } end,
      function() fogcloud.step(boom) end,
      function() errors.new(boom) end,
      function() require("fogcloud.metrics").render { [boom] = {} } end,
    } do
      local ok, why = pcall(call)
      assert.is_false(ok)
      assert.equal("string", type(why))
      assert.is_nil(why:find("boom", 1, true), why)
    end
  end)
end)
