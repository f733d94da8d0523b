-- SPDX-License-Identifier: MIT

local errors = require "fogcloud.errors"
local retry = require "fogcloud.api.retry"

local function err(kind, fields, message) return errors.new(kind, message or kind, fields) end

describe("what may be repeated", function()
  -- Rows: the error, whether token, products, grant and revoke may be repeated, whether create_client may.
  local ROWS = {
    { "no connection", err("network", { sent = false }), true, true },
    { "a connection cut after sending", err("network", { sent = true }), true, false },
    { "a time-out before sending", err("timeout", { sent = false }), true, true },
    { "a time-out after sending", err("timeout", { sent = true }), true, false },
    { "a TLS handshake cut off", err("tls", { sent = false }, "SSL_ERROR_SYSCALL"), true, true },
    { "a certificate refused", err("tls", { sent = false }, "SSL certificate problem: self-signed"), false, false },
    { "the wrong host name", err("tls", { sent = false }, "no alternative certificate subject name"), false, false },
    { "a plain port for TLS", err("tls", { sent = false }, "wrong version number"), false, false },
    { "a broken reply", err("protocol", { sent = true, retryable = true }), true, false },
    { "a reply that is not the API's", err("protocol", { sent = true, retryable = false }), false, false },
    { "429", err("http", { sent = true, status = 429, retryable = true }), true, false },
    { "503", err("http", { sent = true, status = 503, retryable = true }), true, false },
    { "404", err("http", { sent = true, status = 404, retryable = false }), false, false },
    { "a redirect", err("http", { sent = true, status = 302, retryable = false }), false, false },
    { "10050", err("api", { sent = true, code = 10050, retryable = true }), true, false },
    { "10000", err("api", { sent = true, code = 10000, retryable = false }), false, false },
    { "10101", err("auth", { sent = true, code = 10101, retryable = false }), false, false },
    { "cancelling", err("cancelled", { sent = true }), false, false },
    { "closing", err("closed", {}), false, false },
    { "too many in flight", err("overflow", { sent = false }), false, false },
  }

  for _, row in ipairs(ROWS) do
    it("after " .. row[1], function()
      for _, endpoint in ipairs { "token", "products", "grant", "revoke" } do
        assert.equal(row[3], retry.may_repeat(endpoint, row[2]), endpoint)
      end
      assert.equal(row[4], retry.may_repeat("create_client", row[2]))
      assert.equal(row[3], retry.may_repeat("create_client", row[2], true), "create_client, when the caller allows it")
    end)
  end
end)

describe("Retry-After", function()
  local WALL = 784111777 -- Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's example

  it("is read as seconds and as a date", function()
    assert.equal(7, retry.after("7", WALL))
    assert.equal(7, retry.after(" 7 ", WALL))
    assert.equal(30, retry.after("Sun, 06 Nov 1994 08:50:07 GMT", WALL))
    assert.equal(86400 * 365, retry.after("Mon, 06 Nov 1995 08:49:37 GMT", WALL))
    assert.equal(86400 * 29, retry.after("Thu, 29 Feb 1996 08:49:37 GMT", WALL + 86400 * 451))
  end)

  it("is read in all three forms of a date", function()
    for _, text in ipairs { "Sun, 06 Nov 1994 08:50:07 GMT", "Sunday, 06-Nov-94 08:50:07 GMT", "Sun Nov  6 08:50:07 1994" } do
      assert.equal(30, retry.after(text, WALL), text)
    end
    assert.equal(86400 * 6, retry.after("Sat Nov 12 08:49:37 1994", WALL))
    -- A year of two digits lies at most 50 years ahead.
    assert.equal(30, retry.after("Tuesday, 06-Nov-44 08:50:07 GMT", retry.http_date("Sun, 06 Nov 2044 08:49:37 GMT", 0)))
    assert.is_nil(retry.after("Tuesday, 06-Nov-95 08:50:07 GMT", retry.http_date("Sun, 06 Nov 2044 08:49:37 GMT", 0)))
  end)

  it("counts from the reply's own date where it has one", function()
    for _, ahead in ipairs { -86400, 0, 86400 } do
      assert.equal(30, retry.after("Sun, 06 Nov 1994 08:50:07 GMT", WALL + ahead, "Sun, 06 Nov 1994 08:49:37 GMT"))
      assert.equal(30, retry.after("Sun Nov  6 08:50:07 1994", WALL + ahead, "Sunday, 06-Nov-94 08:49:37 GMT"))
      assert.equal(7, retry.after("7", WALL + ahead, "Sun, 06 Nov 1994 08:49:37 GMT"))
    end
    assert.equal(30, retry.after("Sun, 06 Nov 1994 08:50:07 GMT", WALL, "yesterday"))
  end)

  it("is ignored when it is negative, past, or nonsense", function()
    local NONSENSE = {
      "-5", "0", "soon", "", "1e9", "0x10", "7.5", "7, 8", "nan", "inf", "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sun, 06 Foo 1994 08:50:07 GMT", "Sunday, 06-Foo-94 08:50:07 GMT", "Sun Foo  6 08:50:07 1994",
      "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun Nov 6 08:50:07 1994 GMT",
    }
    for _, text in ipairs(NONSENSE) do assert.is_nil(retry.after(text, WALL), text) end
    assert.is_nil(retry.after(nil, WALL))
  end)

  it("may be absurd: the deadline will deal with that", function()
    assert.is_true(retry.after(("9"):rep(400), WALL) > 1e9)
  end)
end)

describe("the delay", function()
  it("has full jitter under a bound that doubles up to the cap", function()
    local BOUNDS = { 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10 }
    for attempt, bound in ipairs(BOUNDS) do
      assert.equal(0, retry.delay(attempt, function() return 0 end))
      local most = retry.delay(attempt, function() return 0.999999 end)
      assert.is_true(most < bound and most > 0.99 * bound)
    end
  end)

  it("is never shorter than Retry-After", function()
    assert.equal(5, retry.delay(1, function() return 0.5 end, 5))
    assert.equal(5, retry.delay(7, function() return 0.5 end, 2))
  end)
end)

describe("our randomness", function()
  it("is uniform in [0, 1) and hangs on the seed", function()
    local random, sum, low, high = retry.random(42), 0, 1, 0
    for _ = 1, 10000 do
      local x = random()
      assert.is_true(x >= 0 and x < 1)
      sum, low, high = sum + x, math.min(low, x), math.max(high, x)
    end
    assert.is_true(math.abs(sum / 10000 - 0.5) < 0.02 and low < 0.01 and high > 0.99)
    assert.equal(retry.random(5)(), retry.random(5)())
    assert.is_true(retry.random(1.7e15)() ~= retry.random(1.7e15 + 1)())
  end)
end)

describe("the budget", function()
  it("bounds an outage's traffic to 1.1 of the calls once it is spent", function()
    local budget, repeats = retry.budget(), 0
    while budget:take() do repeats = repeats + 1 end
    assert.equal(10, repeats)
    repeats = 0
    for _ = 1, 1000 do
      budget:earn()
      while budget:take() do repeats = repeats + 1 end
    end
    assert.equal(100, repeats)
  end)

  it("holds no more than ten", function()
    local budget, repeats = retry.budget(), 0
    for _ = 1, 1000 do budget:earn() end
    while budget:take() do repeats = repeats + 1 end
    assert.equal(10, repeats)
  end)
end)
