-- SPDX-License-Identifier: MIT

-- Found by fuzz/params.lua: a reply cut to 1.5 bytes ended the sandbox's worker with an error of string.sub.
local Faults = require "fogcloud.sandbox.faults"

describe("a fault whose numbers make no sense", function()
  it("is refused with the field named", function()
    for _, field in ipairs { "count", "code", "status", "truncate", "size", "trickle_ms" } do
      for _, value in ipairs { 200.5, -1, 1 / 0, 0 / 0, 1e300, "200" } do
        local ok, why = Faults.check { [field] = value }
        assert.is_nil(ok)
        assert.truthy(why:find(("field '%s' must be a whole number"):format(field), 1, true), why)
      end
      assert.is_true(Faults.check { [field] = 200 })
    end
    for _, field in ipairs { "probability", "delay", "delay_max" } do
      for _, value in ipairs { -0.1, 1 / 0, 0 / 0, 1e9 } do assert.is_nil((Faults.check { [field] = value })) end
      assert.is_true(Faults.check { [field] = 0.5 })
    end
  end)
end)
