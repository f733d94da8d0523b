-- SPDX-License-Identifier: MIT

-- Thirty days of a program that calls every hour, on a sandbox whose clock is moved with ours: renewals, two outages
-- of the token endpoint, an early revocation, a wall clock that jumps, a machine that sleeps, lost replies. No call
-- may fail while any valid token could have been had, and no token request may be one too many.

local Cloud = require "fogcloud.api.cloud"
local shifted = require "spec.support.shifted"
local support = require "spec.support.sandbox"

local HOUR, DAY = 3600, 86400
local ATTEMPTS = 4

describe("thirty days", function()
  local sandbox, host, pump, cloud

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  before_each(function()
    sandbox:reset()
    host, pump = shifted.new()
    local options = sandbox:options()
    options.random = function() return 0 end -- no waits between attempts; renewal at 80 % sharp
    cloud = Cloud.new(options, host, pump)
  end)

  -- Lets a renewal that a call began come to its end.
  local function settle()
    while cloud.access.flight do host.sleep(0.001) end
  end

  local function pass(seconds)
    host.shift, host.wall_shift = host.shift + seconds, host.wall_shift + seconds
    sandbox:advance(seconds)
  end

  local EVENTS = {
    [24 * 5 + 10] = function() sandbox:fail { endpoint = "token", status = 503, body = "", count = 0 } end, -- outage 1:
    [24 * 6 + 12] = function() sandbox:heal() end, --                  over the renewal at 5.6 days, 26 h long
    [24 * 9] = function() sandbox:revoke_token() end, -- early
    [24 * 11] = function() host.wall_shift = host.wall_shift + 400 * DAY end,
    [24 * 12] = function() host.wall_shift = host.wall_shift - 800 * DAY end,
    [24 * 14 + 10] = function() sandbox:fail { endpoint = "token", cut = "before", count = 0 } end, -- outage 2:
    [24 * 15] = function() sandbox:heal() end, --                       over the renewal at 14.6 days
    [24 * 17] = function() sandbox:fail { endpoint = "products", lost = true, count = 3 } end,
    [24 * 18] = function() sandbox:fail { endpoint = "token", lost = true } end, -- met at the next renewal
    [24 * 22] = function() -- the machine sleeps for eight days: the monotonic clock stands still
      host.wall_shift = host.wall_shift + 8 * DAY
      sandbox:advance(8 * DAY)
    end,
  }

  it("pass without a failed call and without a token request too many", function()
    for hour = 0, 30 * 24 - 1 do
      if EVENTS[hour] then EVENTS[hour]() end
      local products, err = cloud:products()
      assert(products, ("hour %d: %s"):format(hour, tostring(err)))
      settle()
      pass(HOUR)
    end
    -- Tokens that came: the first; renewed after outage 1 (day 6.5); revoked (9); renewed after outage 2 (15); at the
    -- next renewal (20.6) two, for the first one's reply was lost; after the sleep (22); renewed at 27.6.
    assert.equal(8, sandbox:count { endpoint = "token", code = 0, status = 200 })
    -- Requests in vain: in the hours of the outages in which the renewal was due, one renewal a call, each with its
    -- repetitions.
    local vain = sandbox:count { endpoint = "token" } - 8
    assert.is_true(vain >= 22 + 10 and vain <= (22 + 10) * ATTEMPTS, vain)
    -- Calls: one an hour, and one more for each token refused and each reply lost.
    assert.equal(30 * 24 + 2 + 3, sandbox:count { endpoint = "products" })
    assert.equal(2, sandbox:count { endpoint = "products", code = 10101 }
      + sandbox:count { endpoint = "products", code = 10100 })
  end)
end)
