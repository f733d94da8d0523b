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
    local CASES = {
      { "token", "{}", "access_token" }, { "token", '{"access_token":true}', "access_token" },
      { "token", '{"access_token":""}', "access_token" }, { "grant", "null", "data" }, { "products", "7", "data" },
      { "create_client", "null", "data" }, { "create_client", "[]", "" },
    }
    for _, case in ipairs(CASES) do
      local _, err = open(200, wrapped(0, "ok", case[2]), case[1])
      assert.equal("protocol", err.kind)
      assert.matches("no usable '" .. case[3], err.message)
    end
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

  local CLIENT = { clientid = '"c"', loginname = '"l"', password = '"p/+="', mqtthost = '"h"', mqttport = "1883", sslport = "1884" }

  -- What is made of a client with one field in another way.
  local function client(name, value)
    local fields = {}
    for field, good in pairs(CLIENT) do fields[#fields + 1] = ('"%s":%s'):format(field, field == name and value or good) end
    return open(200, wrapped(0, "ok", "{" .. table.concat(fields, ",") .. "}"), "create_client")
  end

  it("must have credentials that a session can use", function()
    assert.is_table(client())
    for _, name in ipairs { "clientid", "loginname", "mqtthost" } do
      for _, value in ipairs { "null", "true", "[]", '""', '"a\\nb"', '"a\\u0000b"', '"\255"', ('"%s"'):format(("x"):rep(65536)) } do
        local none, err = client(name, value)
        assert.is_nil(none)
        assert.equal("protocol", err.kind)
        assert.matches("no usable '" .. name .. "'", err.message)
        assert.equal("p/+=", err.data.password) -- which can be had nowhere else
        assert.is_nil(tostring(err):find("p/+=", 1, true), tostring(err))
        assert.matches(name == "mqtthost" and "clientid c" or "mqtthost h", tostring(err))
      end
    end
    for _, value in ipairs { "null", "true", '""', '"a\\u0000b"' } do
      local _, err = client("password", value)
      assert.matches("no usable 'password'", err.message)
      assert.equal("c", err.data.clientid)
    end
    assert.equal("a\255\nb", assert(client("password", '"a\255\\nb"')).password) -- of MQTT it is bytes
  end)

  it("is not thrown away over something harmless", function()
    local PORTS = { ['"1884"'] = 1884, ['" 1884 "'] = 1884, ["1884.0"] = 1884, ['"x"'] = "x", ["0"] = 0, ["70000"] = 70000 }
    for value, taken in pairs(PORTS) do
      assert.equal(taken, assert(client("sslport", value)).sslport)
      assert.equal(taken, assert(client("mqttport", value)).mqttport)
    end
    assert.is_nil(assert(client("sslport", "null")).sslport)
    assert.equal("1884", tostring(assert(client("sslport", '"1884"')).sslport))
    for _, name in ipairs { "clientid", "loginname", "password", "mqtthost" } do
      for _, number in ipairs { "5", "1618065507111835497", "-1.50", "1e3" } do
        assert.equal(number, assert(client(name, number))[name])
      end
    end
    local MORE = '{"clientid":"c","loginname":"l","password":"p","mqtthost":"h","more":{"a":[1,null],"b":null}}'
    local data = assert(open(200, wrapped(0, "ok", MORE), "create_client"))
    assert.same({ a = { 1, require("cjson").null } }, data.more)
    assert.is_nil(data.sslport)
  end)

  it("loses no digit, wherever a number stands", function()
    for before = 0, 40 do
      local text = ('{"a":"%s","b":%%s,"c":"%s"}'):format(("x"):rep(before), ("y"):rep(before % 7))
      for _, number in ipairs { "9007199254740993", "-9007199254740993", "123456789012345678901234567890" } do
        assert.equal(number, assert(open(200, wrapped(0, "ok", text:format(number)))).b)
      end
      assert.equal(9007199254740992, assert(open(200, wrapped(0, "ok", text:format "9007199254740992"))).b)
      assert.equal(123456789012345, assert(open(200, wrapped(0, "ok", text:format "123456789012345"))).b)
    end
  end)

  it("has ids as texts, the first or a later one of that name", function()
    local GRANT = '{"x":{"client_id":"c"},"client_id" :\t5,"device_id":"client_id"}'
    local data = assert(open(200, wrapped(0, "ok", GRANT), "grant"))
    assert.same({ "c", "5", "client_id" }, { data.x.client_id, data.client_id, data.device_id })
  end)

  it("is read behind a byte order mark", function()
    assert.equal("c", assert(open(200, "\239\187\191" .. wrapped(0, "ok", '{"a":"c"}'))).a)
  end)

  it("is read with half of a surrogate pair in one name", function()
    local function name(text)
      return assert(open(200, wrapped(0, "ok", ('[{"productid":"p","pname":"%s"}]'):format(text)), "products"))[1].pname
    end
    local LOST = "\239\191\189"
    assert.equal("a" .. LOST .. "b", name "a\\ud83db")
    assert.equal(LOST, name "\\uDE00")
    assert.equal(LOST .. LOST, name "\\uD83D\\ud83d")
    assert.equal(LOST .. "\240\159\152\128", name "\\ud83d\\ud83d\\ude00")
    assert.equal("\\ud83d" .. LOST, name "\\\\ud83d\\ude00")
    assert.equal("x" .. LOST .. "y", name "x\255y")
    assert.equal(LOST .. LOST, name "\228\186")
  end)

  it("of products is a list of them, as they were sent", function()
    local function products(text) return open(200, wrapped(0, "ok", text), "products") end
    local list = assert(products '[{"productid":1618065507111835497,"pname":null},{"productid":0.50,"pname":7,"x":1}]')
    assert.same({ "1618065507111835497", nil }, { list[1].productid, list[1].pname })
    assert.same({ "0.50", "7", 1 }, { list[2].productid, list[2].pname, list[2].x })
    assert.equal('a "productid": 5', assert(products '[{"productid":"p","pname":"a \\"productid\\": 5"}]')[1].pname)
    assert.same({}, products "[]")
    for text, why in pairs {
      ["[null]"] = "entry 1", ['[{"productid":"p"},5]'] = "entry 2", ['[{"pname":"n"}]'] = "entry 1", ['[{"productid":""}]'] = "entry 1",
      ['{"total":2,"list":[]}'] = "no list", ["{}"] = "no list", ['"x"'] = "'data'", ["[[1]]"] = "entry 1",
    } do
      local none, err = products(text)
      assert.is_nil(none)
      assert.same({ "protocol", false }, { err.kind, err.retryable })
      assert.is_truthy(err.message:find(why, 1, true), err.message)
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

  it("is broken JSON, and not cut off, when all of it came", function()
    local BROKEN = '{"meta":{"code":0,"message":"m"},"data":{"password":"hush","x":NaN}}'
    for _, way in ipairs {
      { head = "HTTP/2 200\r\n", headers = {} }, { head = "HTTP/1.1 200 OK\r\n", headers = { ["content-length"] = "9" } },
      { head = "HTTP/1.1 200 OK\r\n", headers = { ["transfer-encoding"] = "chunked" } },
    } do
      local reply = { status = 200, body = BROKEN, head = way.head, headers = way.headers }
      local _, err = envelope.open(reply, "products")
      assert.same({ "protocol", false }, { err.kind, err.retryable })
      assert.matches("no valid JSON: .* at character %d+$", err.message)
      assert.is_nil(err.message:find("hush", 1, true))
      assert.is_nil(err.data)
      _, err = envelope.open(reply, "create_client")
      assert.equal("hush", err.data.password)
      assert.is_nil(tostring(err):find("hush", 1, true))
    end
    local _, err = envelope.open({ status = 200, body = BROKEN, head = "HTTP/1.1 200 OK\r\n", headers = {} }, "products")
    assert.same({ "the reply is broken JSON: it was cut off on the way", true }, { err.message, err.retryable })
  end)

  it("tells what may pass from what does not, and a proxy from a server", function()
    local CASES = {
      { 304, "http", false, "nothing has changed" }, { 407, "http", false, "proxy" }, { 408, "http", true, "gave up waiting" },
      { 421, "http", true, "not in charge" }, { 425, "http", true, "so early" }, { 302, "http", false, "redirects" },
      { 308, "http", false, "redirects" }, { 306, "http", false, "refuses" }, { 418, "http", false, "refuses" },
    }
    for _, case in ipairs(CASES) do
      local _, err = open(case[1], "", "grant")
      assert.same({ case[2], case[3], case[1] }, { err.kind, err.retryable, err.status })
      assert.is_truthy(err.message:find(case[4], 1, true), err.message)
    end
  end)

  it("is about the token only where the server says so", function()
    local function refused(challenge, endpoint)
      local reply = { status = 401, body = "", headers = { ["www-authenticate"] = challenge } }
      return select(2, envelope.open(reply, endpoint or "grant")).token_refused
    end
    for _, challenge in ipairs { 'Bearer error="invalid_token"', "bearer", 'Basic realm="x", Bearer realm="y"' } do
      assert.is_true(refused(challenge))
    end
    assert.is_true(refused(nil))
    for _, challenge in ipairs { 'Basic realm="bearer-less"', "Negotiate", 'Basic realm="forbearer"' } do
      assert.is_nil(refused(challenge), challenge)
    end
    assert.is_nil(refused("Bearer", "token"))
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
