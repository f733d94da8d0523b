-- SPDX-License-Identifier: MIT

-- The lease over a dictionary in Lua; spec/host/openresty_lead_spec.lua has it in nginx.
local Lease = require "fogcloud.store.lease"
local core = require "fogcloud.core"

-- What the lease uses of an ngx.shared dictionary, with so many entries at most. Nothing of it evicts another entry.
local function dictionary(room)
  local entries, dict = {}, {}
  local function count()
    local n = 0
    for _ in pairs(entries) do n = n + 1 end
    return n
  end
  function dict.get(_, key) return entries[key] end
  function dict.delete(_, key) entries[key] = nil end
  function dict.safe_add(_, key, value)
    if entries[key] ~= nil then return nil, "exists" end
    return dict:safe_set(key, value)
  end
  function dict.safe_set(_, key, value)
    if entries[key] == nil and count() >= room then return nil, "no memory" end
    entries[key] = value
    return true
  end
  return dict, entries
end

describe("a lease", function()
  it("has one holder, until it is given up", function()
    local dict = dictionary(10)
    local one, other = Lease.new(dict, "x"), Lease.new(dict, "x")
    assert.is_true(one:hold())
    assert.is_true(one:hold())
    assert.same({ false, nil }, { other:hold() })
    other:release() -- not its own
    assert.is_false(other:hold())
    one:release()
    assert.is_true(other:hold())
  end)

  it("is taken from a holder that is dead, by one", function()
    local dict, entries = dictionary(10)
    local one, other = Lease.new(dict, "x"), Lease.new(dict, "x")
    entries["lease x"] = "999999999 table: 0 1"
    assert.is_false(core.alive(999999999))
    assert.is_true(one:hold())
    assert.is_false(other:hold())
  end)

  it("says when the dictionary has no room, and takes nobody else's", function()
    local dict, entries = dictionary(1)
    entries["token"] = "x"
    assert.same({ false, "no memory" }, { Lease.new(dict, "x"):hold() })
    assert.equal("x", entries["token"])
  end)
end)
