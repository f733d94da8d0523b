-- SPDX-License-Identifier: MIT

-- fleet_spec.lua has processes that are killed and stopped with a journal.
local journals = require "fogcloud.fleet.journals"
local support = require "spec.support.sandbox"

describe("the journal of a slot", function()
  local folder, fleet

  before_each(function()
    folder = support.shell("mktemp -d"):match "%S+"
    fleet = { journal = folder, name = "orders" }
  end)
  after_each(function() support.shell("rm -rf " .. folder) end)

  it("is nobody's where the fleet has none", function()
    local path, let_go = journals.take({ name = "orders" }, 1)
    assert.is_nil(path)
    let_go()
    assert.is_false(journals.has({ name = "orders" }, 1))
  end)

  it("is one process's at a time; another one has another", function()
    local first, let_go_first = journals.take(fleet, 3)
    assert.equal(folder .. "/orders.3.journal", first)
    local second, let_go_second = journals.take(fleet, 3)
    assert.equal(folder .. "/orders.3.2.journal", second)
    assert.equal(folder .. "/orders.4.journal", (journals.take(fleet, 4)))
    let_go_first()
    let_go_first()
    assert.equal(first, (journals.take(fleet, 3)))
    let_go_second()
  end)

  it("is known once it is there, in whichever place", function()
    assert.is_false(journals.has(fleet, 3))
    support.shell(("touch %s/orders.3.5.journal"):format(folder))
    assert.is_true(journals.has(fleet, 3))
    assert.is_false(journals.has(fleet, 5))
  end)

  it("is left to the session to complain about, where the folder is not there", function()
    local path, let_go = journals.take({ journal = "/no/such/folder", name = "orders" }, 1)
    assert.equal("/no/such/folder/orders.1.journal", path)
    let_go()
  end)
end)
