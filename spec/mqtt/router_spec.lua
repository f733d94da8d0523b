-- SPDX-License-Identifier: MIT

local Router = require "fogcloud.mqtt.router"

local function matches(filter, topic)
  local router = Router.new()
  router:add(filter, "h")
  local _, n = router:match(topic)
  return n == 1
end

-- The examples of MQTT 3.1.1, 4.7.1.2, 4.7.1.3, 4.7.2 and 4.7.3.
local MATCHING = {
  { "sport/tennis/player1/#", "sport/tennis/player1" },
  { "sport/tennis/player1/#", "sport/tennis/player1/ranking" },
  { "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon" },
  { "sport/#", "sport" },
  { "#", "a" }, { "#", "a/b" }, { "#", "/" },
  { "sport/tennis/+", "sport/tennis/player1" },
  { "sport/+", "sport/" },
  { "+/+", "/finance" }, { "/+", "/finance" },
  { "+", "a" },
  { "$SYS/#", "$SYS/a" }, { "$SYS/monitor/+", "$SYS/monitor/Clients" },
  { "a//b", "a//b" }, { "a/+/b", "a//b" },
  { "$share/g/a/+", "a/b" },
}

local NOT_MATCHING = {
  { "sport/tennis/+", "sport/tennis/player1/ranking" },
  { "sport/+", "sport" },
  { "+", "/finance" },
  { "#", "$SYS/a" }, { "+/monitor/Clients", "$SYS/monitor/Clients" }, { "+", "$SYS" },
  { "ACCOUNTS", "Accounts" },
  { "a", "/a" }, { "a", "a/" },
  { "a/#", "b/a" }, { "a/b", "a" },
}

describe("the router", function()
  it("matches as MQTT says", function()
    for _, case in ipairs(MATCHING) do
      assert.is_true(matches(case[1], case[2]), case[1] .. " should match " .. case[2])
    end
    for _, case in ipairs(NOT_MATCHING) do
      assert.is_false(matches(case[1], case[2]), case[1] .. " should not match " .. case[2])
    end
  end)

  it("gives all handlers in the order of adding", function()
    local router = Router.new()
    router:add("a/#", 1)
    router:add("a/b", 2)
    router:add("+/b", 3)
    router:add("a/b", 4)
    router:add("c", 5)
    local handlers, n = router:match("a/b")
    assert.same({ 1, 2, 3, 4 }, handlers)
    assert.equal(4, n)
  end)

  it("forgets what is removed, and leaves a match in hand alone", function()
    local router = Router.new()
    local first = router:add("a/+", 1)
    router:add("a/b", 2)
    local in_hand = router:match("a/b")
    router:remove(first)
    router:remove(first)
    assert.same({ 1, 2 }, in_hand)
    assert.same({ 2 }, (router:match("a/b")))
    assert.equal(1, router.count)
  end)

  it("prunes what is empty", function()
    local router = Router.new()
    for _ = 1, 3 do
      local tokens = {}
      for i = 1, 100 do tokens[i] = router:add("a/" .. i .. "/+", i) end
      for i = 1, 100 do router:remove(tokens[i]) end
    end
    assert.is_nil(next(router.root.edges))
  end)

  it("bounds its memory of topics", function()
    local router, long = Router.new(), ("x"):rep(60000)
    router:add("#", 1)
    collectgarbage()
    local before = collectgarbage("count")
    for i = 1, 1000 do router:match(i .. long) end -- 60 MB
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 16 * 1024)
  end)

  it("remembers the topics of ten thousand devices", function()
    local router, lists = Router.new(), {}
    router:add("d2c/+/status", 1)
    for i = 1, 10000 do lists[i] = router:match("d2c/device-" .. i .. "/status") end
    for i = 1, 10000 do assert.equal(lists[i], (router:match("d2c/device-" .. i .. "/status"))) end
  end)

  it("still remembers what is used when others come and go", function()
    local router = Router.new()
    router:add("#", 1)
    local list = router:match("used")
    for i = 1, 50000 do
      router:match("t/" .. i)
      if i % 1000 == 0 then assert.equal(list, (router:match("used"))) end
    end
  end)

  it("walks few nodes however many filters there are", function()
    local router = Router.new()
    for i = 1, 10000 do router:add("d2c/dev" .. i .. "/status", i) end
    router:add("d2c/+/status", "all")
    local steps = 0
    debug.sethook(function() steps = steps + 1 end, "", 100)
    local handlers = router:match("d2c/dev5000/status")
    debug.sethook()
    assert.same({ 5000, "all" }, handlers)
    assert.is_true(steps < 50, "took some " .. steps * 100 .. " instructions")
  end)
end)
