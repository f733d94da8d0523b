-- SPDX-License-Identifier: MIT

-- Found by fuzz/seed.lua: an app that is a number became "1.0" in the store, one that is an object became NULL.
local seed = require "fogcloud.sandbox.seed"

describe("a seed with ids that are no strings", function()
  local function check(account)
    account.client_id, account.client_secret = "id", "secret"
    return seed.check { accounts = { account } }
  end

  it("is refused with the account named", function()
    for _, account in ipairs {
      { apps = { 1 } }, { apps = { {} } }, { apps = { "" } }, { devices = { { id = "", password = "x" } } },
      { products = { { productid = "", pname = "x" } } },
    } do
      local ok, why = check(account)
      assert.is_nil(ok)
      assert.truthy(why:find("account 1", 1, true), why)
    end
    assert.is_true(check { apps = { "app" }, devices = { { id = "d", password = "" } } })
  end)
end)
