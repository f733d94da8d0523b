-- SPDX-License-Identifier: MIT

-- The router and the topic rules against an implementation that is not ours: libmosquitto's, over pseudo-random pairs.
local Router = require "fogcloud.mqtt.router"
local generator = require("spec.support.random").new
local topic_rules = require "fogcloud.mqtt.topic"

local PAIRS = 20000
local TOPIC_LEVELS = { "", "a", "b", "ab", "$", "$SYS" }
local FILTER_LEVELS = { "", "a", "b", "ab", "$", "$SYS", "+", "+", "+", "#", "a+", "#b" }

local function some_levels(random, levels)
  local parts = {}
  for i = 1, random(4) do parts[i] = levels[random(#levels)] end
  return table.concat(parts, "/")
end

local function make_pairs(seed)
  local random, cases = generator(seed), {}
  while #cases < PAIRS do
    local filter, topic = some_levels(random, FILTER_LEVELS), some_levels(random, TOPIC_LEVELS)
    -- One topic in ten may hold wildcards, so that the checks have something to refuse.
    if random(10) == 1 then topic = some_levels(random, FILTER_LEVELS) end
    if filter ~= "" and topic ~= "" then cases[#cases + 1] = { filter = filter, topic = topic } end
  end
  return cases
end

-- Adds to each case what libmosquitto says.
local function ask_mosquitto(cases)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  for _, case in ipairs(cases) do file:write(case.filter, "\n", case.topic, "\n") end
  file:close()
  local pipe = assert(io.popen("luajit spec/support/mosquitto_match.lua <" .. path))
  local answers = 0
  for line in pipe:lines() do
    answers = answers + 1
    local matches, filter, topic = line:match("^(%d)%s(%d)%s(%d)$")
    local case = cases[answers]
    case.matches, case.valid_filter, case.valid_topic = matches == "1", filter == "1", topic == "1"
  end
  pipe:close()
  os.remove(path)
  assert.equal(#cases, answers)
end

local function text(case) return ("%q on %q"):format(case.filter, case.topic) end

describe("beside libmosquitto", function()
  local cases = make_pairs(20261123)
  setup(function() ask_mosquitto(cases) end)

  it("the checks agree on what is valid", function()
    local refused = 0
    for _, case in ipairs(cases) do
      assert.equal(case.valid_filter, topic_rules.valid_filter(case.filter) == true, case.filter)
      assert.equal(case.valid_topic, topic_rules.valid_topic(case.topic) == true, case.topic)
      if not case.valid_filter then refused = refused + 1 end
    end
    assert.is_true(refused > PAIRS / 10 and refused < PAIRS, "only " .. refused .. " filters were refused")
  end)

  it("a router of one filter agrees on each pair", function()
    local matching = 0
    for _, case in ipairs(cases) do
      if case.valid_filter and case.valid_topic then
        local router = Router.new()
        router:add(case.filter, "handler")
        local _, n = router:match(case.topic)
        assert.equal(case.matches and 1 or 0, n, text(case))
        matching = matching + n
      end
    end
    assert.is_true(matching > PAIRS / 50, "only " .. matching .. " pairs matched")
  end)

  it("a router of all filters gives each pair that matches, and removal takes it away", function()
    local router, tokens = Router.new(), {}
    for i, case in ipairs(cases) do
      if case.valid_filter then tokens[i] = router:add(case.filter, i) end
    end
    for i = 1, #cases, 100 do
      local case = cases[i]
      if case.valid_filter and case.valid_topic then
        local found = false
        for _, handler in ipairs((router:match(case.topic))) do found = found or handler == i end
        assert.equal(case.matches, found, text(case))
      end
    end
    for _, token in pairs(tokens) do router:remove(token) end
    assert.equal(0, router.count)
    assert.is_nil(next(router.root.edges))
  end)
end)
