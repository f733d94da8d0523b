-- SPDX-License-Identifier: MIT

local errors = require "fogcloud.errors"

describe("an error", function()
  it("tells in one line what happened, and what a person would report", function()
    local err = errors.new("api", "a parameter is wrong", {
      code = 10000, status = 400, endpoint = "grant", attempts = 2, elapsed = 0.31, request_id = "ab12",
    })
    assert.equal("grant: a parameter is wrong (code 10000, HTTP 400, 2 attempts in 0.3 s, request ab12)", tostring(err))
    assert.equal("the line: grant: a", ("the line: " .. err):sub(1, 18))
    assert.equal("closed", tostring(errors.new("closed")))
  end)

  it("survives numbers that no integer holds", function()
    assert.is_string(tostring(errors.new("api", "x", { code = 1e300, status = 1.5 })))
  end)

  it("knows its kind, and itself", function()
    assert.has_error(function() errors.new("weird", "x") end)
    assert.is_true(errors.is(errors.new("tls", "x")))
    assert.is_false(errors.is {})
    assert.is_false(errors.is("tls"))
  end)

  it("is copied for each of those who get it", function()
    local first = errors.new("auth", "x", { attempts = 1 })
    local second = errors.copy(first, { attempts = 5 })
    assert.same({ 1, 5, "auth" }, { first.attempts, second.attempts, second.kind })
    assert.is_true(errors.is(second))
  end)
end)

describe("foreign text", function()
  it("becomes one line that a terminal can show", function()
    assert.equal("a b c", errors.one_line("a\r\n\27b\0\0c\n"))
    assert.equal(("x"):rep(200) .. "...", errors.one_line(("x"):rep(5000)))
    local cut = errors.one_line(("\229\186\134"):rep(100), 100)
    assert.equal(("\229\186\134"):rep(33) .. "...", cut)
  end)
end)

describe("a redactor", function()
  it("takes out secrets however they are spelt", function()
    local redactor = errors.redactor()
    redactor:hide("a/b+c d=")
    redactor:hide('quo"te\\d')
    assert.equal("x [redacted] y", redactor:clean("x a/b+c d= y"))
    assert.equal("x=[redacted]&y", redactor:clean("x=a%2Fb%2Bc%20d%3D&y"))
    assert.equal("x=[redacted]&y", redactor:clean("x=a%2Fb%2Bc+d%3D&y"))
    assert.equal('{"s":"[redacted]"}', redactor:clean('{"s":"a\\/b+c d="}'))
    assert.equal('{"s":"[redacted]"}', redactor:clean('{"s":"quo\\"te\\\\d"}'))
  end)

  it("takes out every occurrence, short secrets and patterns too", function()
    local redactor = errors.redactor()
    redactor:hide("%a+")
    redactor:hide("x1")
    assert.equal("[redacted][redacted] abc [redacted]", redactor:clean("%a+x1 abc %a+"))
  end)

  it("ignores what is no secret", function()
    local redactor = errors.redactor()
    redactor:hide(nil)
    redactor:hide("")
    redactor:hide(5)
    assert.equal("nil 5", redactor:clean("nil 5"))
  end)

  it("forgets tokens after dozens of others, lasting secrets never", function()
    local redactor = errors.redactor()
    redactor:hide("lasting")
    for i = 1, 100 do redactor:hide(("token<%d>"):format(i), true) end
    assert.equal("[redacted] [redacted] token<1>", redactor:clean("lasting token<100> token<1>"))
  end)

  it("shows nothing to whoever looks into it", function()
    local redactor = errors.redactor()
    redactor:hide("top-secret")
    assert.is_nil(tostring(redactor):find("top", 1, true))
    for _, value in pairs(redactor) do assert.equal("function", type(value)) end
  end)
end)
