-- SPDX-License-Identifier: MIT

local envelope = require "fogcloud.api.envelope"

local function open(status, body, endpoint) return envelope.open({ status = status, body = body }, endpoint) end

local function wrapped(code, message, data)
  return ('{"meta":{"message":"%s","code":%s},"data":%s}'):format(message, code, data or "{}")
end

describe("an envelope", function()
  it("gives its data, unknown fields too, whole numbers as such", function()
    local data = assert(open(200, wrapped(0, "ok", '{"a":[1,{"b":"c"}],"port":1883,"half":0.5}')))
    assert.same({ a = { 1, { b = "c" } }, port = 1883, half = 0.5 }, data)
    assert.equal("1883 1", ("%s %s"):format(data.port, data.a[1]))
  end)

  it("decides by meta.code whatever the status", function()
    assert.is_table(open(500, wrapped(0, "ok")))
    for status, retryable in pairs { [200] = true, [500] = true } do
      local none, err = open(status, wrapped(10050, "oops"))
      assert.is_nil(none)
      assert.same({ "api", 10050, status, retryable }, { err.kind, err.code, err.status, err.retryable })
    end
  end)

  it("speaks of the user's problem", function()
    local CASES = {
      { 10000, "token", "auth", "access key id or secret is wrong", false },
      { 10000, "grant", "api", "a parameter is wrong: the cloud's words", false },
      { 10050, "grant", "api", "internal error", true },
      { 10100, "grant", "auth", "expired", false },
      { 10101, "grant", "auth", "refuses the access token", false },
      { 12345, "grant", "api", "refuses the call: the cloud's words", false },
    }
    for _, case in ipairs(CASES) do
      local _, err = open(400, wrapped(case[1], "the cloud's words"), case[2])
      assert.same({ case[3], case[5] }, { err.kind, err.retryable })
      assert.is_truthy(tostring(err):find(case[4], 1, true), tostring(err))
      assert.is_truthy(tostring(err):find("the cloud's words", 1, true))
    end
  end)

  it("keeps what the server says on one line and short", function()
    local _, err = open(400, wrapped(10000, "a\\r\\nb" .. ("x"):rep(10000)))
    assert.is_nil(err.message:find("%c"))
    assert.is_true(#err.message < 400)
  end)

  it("must have what each call needs", function()
    local client = '{"clientid":"c","loginname":"l","password":"p","mqtthost":"h","mqttport":1,"sslport":%s}'
    local CASES = {
      { "token", "{}", "access_token" }, { "token", '{"access_token":5}', "access_token" },
      { "token", '{"access_token":""}', "access_token" }, { "grant", "null", "data" }, { "products", "7", "data" },
      { "create_client", client:format('"1884"'), "sslport" }, { "create_client", client:format("null"), "sslport" },
    }
    for _, case in ipairs(CASES) do
      local _, err = open(200, wrapped(0, "ok", case[2]), case[1])
      assert.equal("protocol", err.kind)
      assert.matches("no usable '" .. case[3], err.message)
    end
    assert.is_table(open(200, wrapped(0, "ok", client:format("1884")), "create_client"))
  end)

  it("must have a token that a header can carry", function()
    local function token(value) return open(200, wrapped(0, "ok", ('{"access_token":"%s"}'):format(value)), "token") end
    for _, good in ipairs { "a", "a b/+=~", ("k"):rep(8000) } do assert.equal(good, assert(token(good)).access_token) end
    for _, bad in ipairs { "a\\nb", "a\\u0000b", "\\u007f", "\195\164", ("k"):rep(8001) } do
      local none, err = token(bad)
      assert.is_nil(none)
      assert.same({ "protocol", false }, { err.kind, err.retryable })
      assert.matches("no usable 'access_token'", err.message)
    end
  end)

  it("must have credentials that a session can use", function()
    local GOOD = { clientid = '"c"', loginname = '"l"', password = '"p/+="', mqtthost = '"h"', mqttport = "1883", sslport = "1884" }
    local function client(name, value)
      local fields = {}
      for field, good in pairs(GOOD) do fields[#fields + 1] = ('"%s":%s'):format(field, field == name and value or good) end
      return open(200, wrapped(0, "ok", "{" .. table.concat(fields, ",") .. "}"), "create_client")
    end
    assert.is_table(client())
    for name in pairs(GOOD) do
      local bad = name:find("port") and { '"1883"', "0", "-1", "65536", "1.5", "1e300", "null" }
        or { "5", "null", '""', '"a\\nb"', '"a\\u0000b"', '"\255"', ('"%s"'):format(("x"):rep(65536)) }
      for _, value in ipairs(bad) do
        local none, err = client(name, value)
        assert.is_nil(none)
        assert.equal("protocol", err.kind)
        assert.matches("no usable '" .. name .. "'", err.message)
      end
    end
  end)

  it("never raises, whatever the body", function()
    local BODIES = {
      "", " ", "{", "}", "null", "[]", "5", '"x"', "{}", '{"meta":5}', '{"meta":{}}', '{"meta":{"code":"0"}}',
      '{"meta":{"code":null},"data":{}}', '{"meta":{"code":0}}', '{"meta":{"code":1.5}}', '{"meta":{"code":1e300}}',
      "\0\1\255", ("["):rep(10000), ('{"a":'):rep(10000), '{"meta":{"code":-0,"message":{}},"data":5}', "<html>",
    }
    for _, body in ipairs(BODIES) do
      for _, status in ipairs { 200, 302, 400, 404, 429, 503 } do
        local data, err = open(status, body, "grant")
        assert.is_nil(data)
        assert.is_truthy(#tostring(err) > 10)
      end
    end
  end)
end)

describe("a body that is no envelope", function()
  it("is judged by its status", function()
    local CASES = {
      { 301, "http", false }, { 400, "http", false }, { 401, "auth", false }, { 404, "http", false },
      { 429, "http", true }, { 500, "http", true }, { 503, "http", true },
    }
    for _, case in ipairs(CASES) do
      local _, err = open(case[1], "<html>")
      assert.same({ case[2], case[3], case[1] }, { err.kind, err.retryable, err.status })
    end
  end)

  it("may be asked for again when it was cut off, not when it is another's", function()
    local CASES = { [""] = true, ['{"meta":{"mess'] = true, ["<html>hello"] = false, ['["a"]'] = false, ["{}"] = false }
    for body, retryable in pairs(CASES) do
      local _, err = open(200, body)
      assert.same({ "protocol", retryable }, { err.kind, err.retryable }, body)
    end
  end)

  it("is not quoted when it may hold a secret", function()
    local SECRET = {
      '{"meta":{"code":0,"message":"mqtt info"},"data":{"password":"hush', '\239\187\191{"access_token":"hush","x":1}',
      '[{"access_token":"hush","x":1', ")]}',\n{\"access_token\":\"hush\"}", '"{\\"password\\":\\"hush\\"', "'hush", "=hush",
      'callback({"access_token":"hush"})', 'while(1);["hush"]', "access_token=hush&x=1", "access_token: hush", "\0hush",
      '<p>{"access_token":"hush"}',
    }
    for _, body in ipairs(SECRET) do
      local _, err = open(200, body)
      assert.equal("protocol", err.kind)
      assert.is_nil(tostring(err):find("hush", 1, true), tostring(err))
    end
    for body, quoted in pairs {
      ["<html><title>Log in</title>"] = "Log in", ["Bad gateway\n"] = "begins: Bad gateway",
      ['<!DOCTYPE html PUBLIC "x">'] = "begins: <!DOCTYPE html PUBLIC",
    } do
      local _, err = open(200, body)
      assert.is_truthy(tostring(err):find(quoted, 1, true), tostring(err))
    end
  end)

  it("and an envelope quote nothing of what is hidden, wherever they are cut", function()
    local redactor = require("fogcloud.errors").redactor()
    redactor:hide("0123456789=abc")
    for before = 0, 210 do
      local text = ("x"):rep(before) .. "0123456789=abc"
      for _, body in ipairs { wrapped(7, text), "<p>" .. text } do
        local _, err = envelope.open({ status = 200, body = body }, "grant", redactor)
        assert.is_nil(err.message:find("0", 1, true), err.message)
      end
    end
  end)
end)
