-- SPDX-License-Identifier: MIT

local check = require "fogcloud.check"

describe("a value is checked for", function()
  local ROWS = {
    -- what is expected, what is right, what is wrong and why
    { "string", { "", "x" }, { { 5, "string expected, got number" }, { {}, "string expected, got table" } } },
    { "string or table", { "x", {} }, { { true, "string or table expected, got boolean" } } },
    { "any", { 1, "x", false }, {} },
    { "number", { 0, -1.5, 0 / 0 }, { { "1", "number expected, got string" } } },
    { "whole", { 0, -3, 2 ^ 40 }, { { 1.5, "a whole number" }, { 0 / 0, "a whole number" }, { "1", "number expected" } } },
    { { "whole", 1, 65535 }, { 1, 65535 }, {
      { 0, "a whole number from 1 to 65535 expected, got 0" }, { 65536, "from 1 to 65535" }, { 1.5, "got 1.5" },
      { 0 / 0, "a whole number" }, { "1", "number expected, got string" },
    } },
    { { "number", 0, math.huge }, { 0, 0.5, math.huge }, { { -1, "a number from 0 expected, got -1" }, { 0 / 0, "a number" } } },
    { function(value) return value ~= 7 and "seven expected" or nil end, { 7 }, { { 8, "seven expected" } } },
  }
  for i, row in ipairs(ROWS) do
    it("what row " .. i .. " says", function()
      for _, value in ipairs(row[2]) do assert.is_nil(check.value(row[1], value)) end
      for _, wrong in ipairs(row[3]) do
        local why = check.value(row[1], wrong[1])
        assert.is_string(why)
        assert.matches(wrong[2], why, 1, true)
      end
    end)
  end
end)

describe("a table of options", function()
  local SPEC = { name = "string", count = { "whole", 1, 9 } }

  it("may hold what its spec has", function()
    assert.is_nil(check.options(SPEC, {}, "test"))
    assert.is_nil(check.options(SPEC, { name = "x", count = 9 }, "test"))
  end)

  it("is refused with the field named", function()
    assert.equal("test options: table expected, got number", check.options(SPEC, 5, "test"))
    assert.equal("test options: table expected, got nil", check.options(SPEC, nil, "test"))
    assert.equal("unknown test option 'nmae'", check.options(SPEC, { nmae = "x" }, "test"))
    assert.equal("unknown test option '1'", check.options(SPEC, { "x" }, "test"))
    assert.equal("test option 'name': string expected, got boolean", check.options(SPEC, { name = true }, "test"))
    assert.equal("test option 'count': a whole number from 1 to 9 expected, got 0", check.options(SPEC, { count = 0 }, "test"))
  end)

  it("is refused in the words of its place", function()
    assert.equal("'will': no 'x'", check.fields(SPEC, { x = 1 }, "'will': no '%s'", "'will': %s: %s"))
    assert.equal("'will': name: string expected, got number", check.fields(SPEC, { name = 1 }, "'will': no '%s'", "'will': %s: %s"))
    local once = "unknown or wrong '%s'"
    assert.equal("unknown or wrong 'name'", check.fields(SPEC, { name = 1 }, once, once))
  end)
end)
