-- SPDX-License-Identifier: MIT

local journal = require "fogcloud.journal"
local journals = require "spec.support.journal"
local script = require "spec.support.script"

describe("fogcloud.journal", function()
  teardown(journals.clean)

  local function numbers(list)
    local found = {}
    for i, message in ipairs(list) do found[i] = message.number end
    return found
  end

  it("tells what waits in one, and in what state", function()
    local opened = assert(journal.open(journals.make(5)))
    local list = assert(opened:list())
    assert.same({ 1, 2, 3, 4, 5 }, numbers(list))
    assert.same({
      number = 1, state = "sent", topic = "c2d/dev1/commands", qos = 1, retained = false, size = 9, accepted = 1700000001,
      packet_id = 11,
    }, list[1])
    assert.same({ "released", 12 }, { list[2].state, list[2].packet_id })
    assert.same({ "set aside", 0x99, "payload format invalid" }, { list[3].state, list[3].reason, list[3].why })
    assert.same({ "queued", 1700000064 }, { list[4].state, list[4].expires })
    assert.equal("payload 4", assert(opened:list { after = 3, count = 1, payloads = true })[1].payload)
    local counts = opened:counts()
    assert.same({ 4, 2, 1 }, { counts.waiting, counts.in_flight, counts.set_aside })
    opened:close()
  end)

  it("gives portions of a thousand at most", function()
    local opened = assert(journal.open(journals.make(1500)))
    local list = assert(opened:list())
    assert.equal(1000, #list)
    assert.equal(500, #assert(opened:list { after = list[1000].number }))
    assert.same({}, assert(opened:list { after = 1500 }))
    opened:close()
  end)

  it("removes, and queues again behind all others, for whoever opens it next", function()
    local path = journals.make(5)
    local opened = assert(journal.open(path))
    assert.is_true(opened:remove(1))
    assert.equal(6, opened:resend(3))
    opened:close()
    opened:close()
    opened = assert(journal.open(path))
    local list = assert(opened:list())
    assert.same({ 2, 4, 5, 6 }, numbers(list))
    assert.same({ "queued", "c2d/dev1/commands", 1 }, { list[4].state, list[4].topic, list[4].qos })
    opened:close()
  end)

  it("says what there is not", function()
    local path = journals.make(5)
    local opened = assert(journal.open(path))
    for _, call in ipairs { "remove", "resend" } do
      local ok, err = opened[call](opened, 77)
      assert.is_nil(ok)
      assert.matches("has no message 77", tostring(err))
    end
    local ok, err = opened:resend(1)
    assert.is_nil(ok)
    assert.matches("is sent, not set aside", tostring(err))
    opened:close()
    assert.has_error(function() opened:list() end, "the journal is closed")
  end)

  it("opens no file that is not there, nothing else, and none that is in use", function()
    local path = journals.make(3)
    local opened = assert(journal.open(path))
    for _, wrong in ipairs { path .. ".absent", "/etc/passwd", "/tmp", path } do
      local none, err = journal.open(wrong)
      assert.is_nil(none)
      assert.equal("protocol", err.kind)
      assert.truthy(err.message:find(wrong, 1, true), err.message)
    end
    assert.is_nil(io.open(path .. ".absent"))
    local said = script.run(([[
      local _, err = require("fogcloud.journal").open(%q)
      print(err)
    ]]):format(path))
    assert.matches("in use by process " .. require("fogcloud.core").pid(), said)
    opened:close()
  end)

  it("raises at wrong use", function()
    local opened = assert(journal.open(journals.make(3)))
    for _, call in ipairs {
      function() journal.open(5) end, function() journal.open("a\0b") end, function() opened:list(5) end,
      function() opened:list { count = 0 } end, function() opened:list { count = 1001 } end,
      function() opened:list { afer = 1 } end, function() opened:remove("1") end, function() opened:resend(1.5) end,
    } do
      local ok, why = pcall(call)
      assert.is_false(ok)
      assert.matches("^spec/journal_spec%.lua:%d+: ", why)
    end
    opened:close()
  end)
end)
