-- SPDX-License-Identifier: MIT

local url = require "fogcloud.store.redis_url"

describe("a URL of Redis", function()
  local GOOD = {
    ["redis://h"] = { host = "h", port = "6379", tls = false },
    ["redis://h:1/"] = { host = "h", port = "1", tls = false },
    ["redis://h:65535/15"] = { host = "h", port = "65535", tls = false, database = "15" },
    ["rediss://h"] = { host = "h", port = "6380", tls = true },
    ["redis://:pass@h"] = { host = "h", port = "6379", tls = false, password = "pass" },
    ["redis://me:p%40s%3As%2F@h:7/0"] = { host = "h", port = "7", tls = false, user = "me", password = "p@s:s/", database = "0" },
    ["redis://me:a@b@h"] = { host = "h", port = "6379", tls = false, user = "me", password = "a@b" },
    ["redis://[::1]"] = { host = "::1", port = "6379", tls = false },
    ["redis://me:x@[fe80::1]:8/2?timeout=0.5"] = {
      host = "fe80::1", port = "8", tls = false, user = "me", password = "x", database = "2", timeout = 0.5,
    },
    ["rediss://h?ca_file=/a%20b&cert_file=/c&key_file=/k"] = {
      host = "h", port = "6380", tls = true, ca_file = "/a b", cert_file = "/c", key_file = "/k",
    },
    ["redis+unix:///run/redis.sock"] = { path = "/run/redis.sock", tls = false },
    ["redis+unix://:p@/run/r.sock?timeout=60"] = { path = "/run/r.sock", tls = false, password = "p", timeout = 60 },
  }

  it("says where and as whom", function()
    for text, expected in pairs(GOOD) do assert.same(expected, assert(url.parse(text)), text) end
  end)

  it("is refused with the part that is wrong, and without its password", function()
    for text, why in pairs {
      ["redis://"] = "a host", ["redis://:1"] = "a host", ["redis://h:0"] = "a port", ["redis://h:65536"] = "a port",
      ["redis://h:x"] = "a host", ["redis://:s3cret@"] = "a host", ["redis://s3cret@h"] = "a password",
      ["redis://me:@h"] = "a password", ["redis://:s3cret@h/x"] = "database", ["redis://h/1/2"] = "database",
      ["redis://h/-1"] = "database", ["redis://h?x=1"] = "a parameter", ["redis://h?timeout=0"] = "timeout",
      ["redis://h?timeout=61"] = "timeout", ["redis://h?timeout=nan"] = "timeout", ["redis://h?timeout=x"] = "timeout",
      ["redis://h?ca_file=/x"] = "rediss", ["rediss://h?cert_file=/x"] = "both or none", ["redis://a%00b"] = "NUL",
      ["redis+unix://run/r"] = "a path", ["redis+unix://"] = "a path", ["redis+unix:///r?ca_file=/x"] = "rediss",
    } do
      local place, wrong = url.parse(text)
      assert.is_nil(place, text)
      assert.matches(why, wrong, 1, true)
      assert.is_nil(wrong:find("s3cret", 1, true))
    end
  end)

  it("of something else is none", function()
    for _, text in ipairs { "redis", "redis:h", "http://h", "rediss+unix:///x", "redisx://h", "" } do
      assert.same({}, { url.parse(text) })
    end
  end)

  it("is shown without what nobody should see", function()
    assert.equal("h:7/0", url.name(assert(url.parse "redis://me:pass@h:7/0?timeout=1")))
    assert.equal("[::1]:6379", url.name(assert(url.parse "redis://[::1]")))
    assert.equal("/run/r", url.name(assert(url.parse "redis+unix://:p@/run/r")))
  end)
end)
