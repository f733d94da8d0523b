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

describe("a foreign value", function()
  local function shown_as(fn) return setmetatable({}, { __tostring = fn }) end

  it("becomes text as it says", function()
    assert.same({ "a", "nil", "true", "12" }, { errors.text("a"), errors.text(nil), errors.text(true), errors.text(12) })
    assert.equal("mine", errors.text(shown_as(function() return "mine" end)))
    assert.matches("^table: ", errors.text({}))
    assert.matches("^thread: ", errors.text(coroutine.create(function() end)))
    assert.equal("mqtt", errors.text(errors.new("mqtt")))
  end)

  it("ends nothing where it cannot be shown", function()
    local function deeper() return "" .. tostring(shown_as(deeper)) end -- no tail call, which would go on for ever
    local hostile = {
      function() error("boom") end, function() error(setmetatable({}, { __tostring = error })) end, function() end,
      function() return {} end, function() coroutine.yield("out") end, deeper,
    }
    for _, fn in ipairs(hostile) do
      local value, text = shown_as(fn), nil
      local co = coroutine.create(function() text = errors.text(value) end)
      assert(coroutine.resume(co))
      assert.equal("dead", coroutine.status(co))
      assert.equal("(a table that cannot be shown as text)", text)
      assert.equal(text, errors.one_line(value))
      assert.equal("why: " .. text, errors.new("mqtt", "why: ") .. value)
      assert.equal(text, errors.redactor():one_line(value))
    end
  end)
end)

describe("foreign text", function()
  it("becomes one line that a terminal can show", function()
    assert.equal("a b c", errors.one_line("a\r\n\27b\0\0c\n"))
    assert.equal(("x"):rep(200) .. "...", errors.one_line(("x"):rep(5000)))
    local cut = errors.one_line(("\229\186\134"):rep(100), 100)
    assert.equal(("\229\186\134"):rep(33) .. "...", cut)
  end)

  it("turns no direction and moves no cursor, by C1 controls either", function()
    local obeyed = { "\194\155", "\194\133", "\226\128\174", "\226\129\166", "\226\128\168", "\226\128\143", "\216\156" }
    for _, one in ipairs(obeyed) do assert.equal("a b", errors.one_line("a" .. one .. "b")) end
    local shown = "\194\160\195\164\226\128\166\226\129\160\216\167\229\186\134"
    assert.equal(shown, errors.one_line(shown))
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
    assert.equal("x=[redacted]&y", redactor:clean("x=a%2fb%2bc%20d%3d&y"))
    assert.equal("x=[redacted]&y", redactor:clean("x=a%2fb%2bc+d%3d&y"))
    assert.equal('{"s":"[redacted]"}', redactor:clean('{"s":"a\\/b+c d="}'))
    assert.equal('{"s":"[redacted]"}', redactor:clean('{"s":"quo\\"te\\\\d"}'))
  end)

  it("takes out every occurrence, short secrets and patterns too", function()
    local redactor = errors.redactor()
    redactor:hide("%a+")
    redactor:hide("x1")
    assert.equal("[redacted][redacted] abc [redacted]", redactor:clean("%a+x1 abc %a+"))
  end)

  it("leaves words alone that merely contain a short one", function()
    local redactor = errors.redactor()
    redactor:hide("key")
    redactor:hide("p1")
    for _, word in ipairs { "keyboard monkey whiskeys", "p12 xp1", "schl\195\188key", "keys\195\164" } do
      assert.equal(word, redactor:clean(word))
    end
    assert.equal("[redacted] ([redacted]), secret=[redacted]&x=%3D[redacted]%26", redactor:clean("key (p1), secret=key&x=%3Dkey%26"))
    redactor:hide("longer-than-a-word")
    assert.equal("x[redacted]y", redactor:clean("xlonger-than-a-wordy"))
  end)

  it("ignores what is no secret", function()
    local redactor = errors.redactor()
    redactor:hide(nil)
    redactor:hide("")
    redactor:hide(5)
    assert.equal("nil 5", redactor:clean("nil 5"))
  end)

  it("takes the longest of those that begin at one place", function()
    local redactor = errors.redactor()
    redactor:hide("abcdefgh", "token")
    redactor:hide("abcdefghijk")
    assert.equal("[redacted]l [redacted]i", redactor:clean("abcdefghijkl abcdefghi"))
  end)

  it("hides nothing within its own word, whatever the secrets are, and however often it looks", function()
    local redactor = errors.redactor()
    for letter in ("edctarx"):gmatch "." do redactor:hide(letter, "token") end
    local text = ("r e a d t-h-e c/a/r/d "):rep(20)
    local clean = redactor:clean(text)
    assert.is_true(#clean <= 10 * #text)
    assert.is_nil(clean:gsub("%[redacted%]", ""):find("[edctarx]"))
    assert.equal(clean, redactor:clean(clean))
  end)

  it("looks for secrets before it cuts", function()
    local redactor = errors.redactor()
    redactor:hide("0123456789")
    for before = 185, 205 do
      local line = redactor:one_line(("x"):rep(before) .. "0123456789")
      assert.is_nil(line:find("%d"), line)
      assert.is_true(#line <= 203)
    end
    assert.equal("a b [redacted] c", redactor:one_line("a\r\nb 0123456789 c"))
  end)

  it("makes little of a text without end", function()
    local redactor = errors.redactor()
    redactor:hide(("a"):rep(7999) .. "b", "token")
    local since = os.clock()
    assert.equal(203, #redactor:one_line(("a"):rep(4e6)))
    assert.is_true(os.clock() - since < 1)
  end)

  it("cleans a copy of a table, and leaves what is no text", function()
    local redactor = errors.redactor()
    redactor:hide("hush")
    local given = { reason = "a hush b", n = 5, pairs = { { "x", "hush" } } }
    assert.same({ reason = "a [redacted] b", n = 5, pairs = { { "x", "[redacted]" } } }, redactor:clean_copy(given))
    assert.equal("a hush b", given.reason)
    assert.is_nil(redactor:clean_copy(nil))
  end)

  it("forgets tokens after dozens of others, passwords after hundreds, lasting secrets never", function()
    local redactor = errors.redactor()
    redactor:hide("lasting")
    redactor:hide("password", "password")
    for i = 1, 1000 do redactor:hide(("token<%d>"):format(i), "token") end
    assert.equal("[redacted] [redacted] token<1> [redacted]", redactor:clean("lasting token<1000> token<1> password"))
    for i = 1, 1000 do redactor:hide(("pass<%d>"):format(i), "password") end
    assert.equal("[redacted] [redacted] pass<1> [redacted] [redacted]",
      redactor:clean("lasting token<1000> pass<1> pass<900> pass<1000>"))
  end)

  it("shows nothing to whoever looks into it", function()
    local redactor = errors.redactor()
    redactor:hide("top-secret")
    assert.is_nil(tostring(redactor):find("top", 1, true))
    for _, value in pairs(redactor) do assert.equal("function", type(value)) end
  end)
end)
