-- SPDX-License-Identifier: MIT

-- The sandbox seen through curl, so that our client and our server cannot share a misunderstanding of the API page.
local cjson = require "cjson"
local support = require "spec.support.sandbox"

describe("the sandbox's API, by curl", function()
  local sandbox, token

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function curl(args)
    local text, status = support.shell(("curl -sS -w '\\n%%{http_code}' %s"):format(args))
    assert.equal(0, status, text)
    local body, code = text:match("^(.*)\n(%d+)$")
    return tonumber(code), body
  end

  local function call(method, path, args, bearer)
    local code, body = curl(("-X %s %s %s%s%s"):format(method, args,
      bearer and ("-H 'Authorization: Bearer " .. bearer .. "' ") or "", sandbox.url, path))
    return code, cjson.decode(body), body
  end

  local LOGIN = "-d grant_type=client_credentials -d client_id=sandbox-key-id -d client_secret="

  before_each(function()
    sandbox:reset()
    local _, reply = call("POST", "/v3/open_api/token/", LOGIN .. "sandbox-key-secret ")
    token = reply.data.access_token
  end)

  it("gives a token", function()
    local code, reply = call("POST", "/v3/open_api/token/", LOGIN .. "sandbox-key-secret ")
    assert.equal(200, code)
    assert.same({ code = 0, message = "token info" }, reply.meta)
    assert.same({ "Bearer", 604800, "read write groups" },
      { reply.data.token_type, reply.data.expires_in, reply.data.scope })
  end)

  it("refuses a wrong secret, and what is missing by name", function()
    local code, reply, body = call("POST", "/v3/open_api/token/", LOGIN .. "wrong ")
    assert.same({ 400, 10000 }, { code, reply.meta.code })
    assert.matches('"data":{}', body)
    code, reply = call("POST", "/v3/open_api/token/", "-d grant_type=client_credentials -d client_id=x ")
    assert.same({ 400, 10000 }, { code, reply.meta.code })
    assert.matches("client_secret", reply.meta.message)
  end)

  it("takes JSON, forms, and for DELETE the query too", function()
    local json = [[-H 'Content-Type: application/json' -d '{"app_id":"sandbox-app"}' ]]
    local code, reply = call("POST", "/v3/open_api/mqtt/client/", json, token)
    assert.same({ 200, "mqtt info" }, { code, reply.meta.message })
    local pair = ("-d client_id=%s -d device_id=dev1 "):format(reply.data.clientid)
    code, reply = call("POST", "/v3/open_api/mqtt/permission/", pair, token)
    assert.same({ 200, "create permission ok", "dev1" }, { code, reply.meta.message, reply.data.device_id })
    code, reply = call("DELETE", "/v3/open_api/mqtt/permission/?device_id=dev1\\&client_id=" .. reply.data.client_id, "", token)
    assert.same({ 200, "delete permission ok" }, { code, reply.meta.message })
    assert.same({}, sandbox:state().grants)
  end)

  it("lists products", function()
    local code, reply = call("GET", "/v3/open_api/product/ids/", "", token)
    assert.same({ 200, "product id list", 2 }, { code, reply.meta.message, #reply.data })
  end)

  it("refuses a wrong and an expired token in the API page's words", function()
    local code, reply = call("GET", "/v3/open_api/product/ids/", "", "nonsense")
    assert.equal(401, code)
    assert.same({ code = 10101, message = "token is error" }, reply.meta)
    sandbox:advance(604801)
    local _
    _, reply = call("GET", "/v3/open_api/product/ids/", "", token)
    assert.same({ code = 10100, message = "token is expired" }, reply.meta)
    sandbox:advance(-604801)
    code = call("GET", "/v3/open_api/product/ids/", "", token)
    assert.equal(200, code)
  end)

  it("answers 404 and 405 elsewhere, and bears its marker everywhere", function()
    for _, case in ipairs {
      { "GET", "/nowhere", 404 }, { "GET", "/v3/open_api/token/", 405 }, { "GET", "/v3/open_api/product/ids", 404 },
    } do
      local code = curl(("-X %s %s%s"):format(case[1], sandbox.url, case[2]))
      assert.equal(case[3], code)
    end
    for _, path in ipairs { "/", "/_sandbox/health", "/v3/open_api/product/ids/" } do
      local _, headers = curl(("-D - -o /dev/null %s%s"):format(sandbox.url, path))
      assert.matches("[Xx]%-[Ff]ogcloud%-[Ss]andbox: 1", headers)
    end
  end)

  it("keeps accounts apart", function()
    sandbox:add { accounts = { { client_id = "other", client_secret = "other-secret", apps = { "other-app" }, products = {},
      devices = { { id = "other-dev", password = "x" } } } } }
    local code, reply = call("POST", "/v3/open_api/mqtt/client/", "-d app_id=other-app ", token)
    assert.same({ 400, 10000 }, { code, reply.meta.code })
    local _
    _, reply = call("POST", "/v3/open_api/mqtt/client/", "-d app_id=sandbox-app ", token)
    code, reply = call("POST", "/v3/open_api/mqtt/permission/",
      ("-d client_id=%s -d device_id=other-dev "):format(reply.data.clientid), token)
    assert.same({ 400, 10000 }, { code, reply.meta.code })
  end)

  it("keeps no secret in the clear", function()
    local _, reply = call("POST", "/v3/open_api/mqtt/client/", "-d app_id=sandbox-app ", token)
    local dump = cjson.encode(sandbox:state())
    assert.is_nil(dump:find(reply.data.password, 1, true))
    assert.is_nil(dump:find("sandbox-key-secret", 1, true))
    assert.is_nil(dump:find("dev1-secret", 1, true))
    assert.is_nil(dump:find(token, 1, true))
    assert.is_nil(cjson.encode(sandbox:journal()):find("sandbox-key-secret", 1, true))
  end)

  it("bounds the body", function()
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write(("x"):rep(2000000))
    file:close()
    local code, body = curl(("-H 'Expect:' --data-binary @%s %s/v3/open_api/token/"):format(path, sandbox.url))
    os.remove(path)
    assert.equal(400, code)
    assert.matches("too large", body)
  end)

  describe("with faults", function()
    local function products(args) return curl((args or "") .. (" -H 'Authorization: Bearer %s' "):format(token)
      .. sandbox.url .. "/v3/open_api/product/ids/") end

    local function broken(expected)
      local command = "curl -sS -m 5 -H 'Authorization: Bearer %s' %s/v3/open_api/product/ids/"
      local _, status = support.shell(command:format(token, sandbox.url))
      assert.equal(expected, status)
    end

    it("answers with a code, a status, a body, a content type", function()
      sandbox:fail { endpoint = "products", code = 10050 }
      local code, body = products()
      assert.same({ 500, 10050 }, { code, cjson.decode(body).meta.code })
      sandbox:fail { status = 418, body = "teapot", content_type = "text/plain" }
      code, body = products "-D -"
      assert.equal(418, code)
      assert.matches("text/plain", body)
      assert.matches("teapot", body)
      assert.equal(200, (products()))
    end)

    it("truncates, and grows too large", function()
      sandbox:fail { truncate = 10 }
      local _, body = products()
      assert.equal(10, #body)
      sandbox:fail { size = 3000000 }
      _, body = products()
      assert.equal(3000000, #body)
    end)

    it("cuts the connection before, during and after, and loses the reply of what it did", function()
      sandbox:fail { cut = "before" }
      broken(52) -- curl: empty reply
      sandbox:fail { cut = "during" }
      broken(18) -- curl: partial file
      sandbox:fail { endpoint = "create_client", lost = true }
      local _, status = support.shell(("curl -sS -H 'Authorization: Bearer %s' -d app_id=sandbox-app %s/v3/open_api/mqtt/client/")
        :format(token, sandbox.url))
      assert.equal(52, status)
      assert.equal(1, #sandbox:state().clients)
      sandbox:fail { endpoint = "create_client", cut = "before" }
      support.shell(("curl -sS -H 'Authorization: Bearer %s' -d app_id=sandbox-app %s/v3/open_api/mqtt/client/")
        :format(token, sandbox.url))
      assert.equal(1, #sandbox:state().clients)
    end)

    it("asks to come back later, in seconds, as a date, and in nonsense", function()
      for _, status in ipairs { 429, 503 } do
        for _, text in ipairs { "7", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", "-1" } do
          sandbox:fail { status = status, retry_after = text }
          local code, headers = products "-D -"
          assert.equal(status, code)
          assert.is_truthy(headers:find("Retry-After: " .. text .. "\r\n", 1, true), headers)
        end
      end
    end)

    -- Seconds that one request after another takes, and curl's exit codes.
    local function durations(n)
      local times, codes = {}, {}
      for i = 1, n do
        local text, status = support.shell(("curl -sS -o /dev/null -w '%%{time_total}' -m 20 -H 'Authorization: Bearer %s' %s%s")
          :format(token, sandbox.url, "/v3/open_api/product/ids/"))
        times[i], codes[i] = tonumber(text), status
      end
      return times, codes
    end

    it("holds a reply back while others are answered", function()
      sandbox:fail { endpoint = "products", delay = 30, count = 2 }
      local command = "curl -sS -m %s -H 'Authorization: Bearer %s' %s/v3/open_api/product/ids/"
      local _, status = support.shell(command:format("1", token, sandbox.url))
      assert.equal(28, status) -- curl: time-out
      support.shell(("(%s &) >/dev/null 2>&1"):format(command:format("20", token, sandbox.url)))
      local deadline = os.time() + 20
      repeat until sandbox:count { endpoint = "products" } == 2 or os.time() > deadline
      assert.equal(200, (products "-m 5"))
    end)

    it("draws the time from a range", function()
      sandbox:fail { endpoint = "products", delay = 0.3, delay_max = 1.5, count = 6 }
      local times, codes = durations(6)
      table.sort(times)
      assert.same({ 0, 0, 0, 0, 0, 0 }, codes)
      assert.is_true(times[1] >= 0.3, times[1])
      assert.is_true(times[6] - times[1] > 0.05, times[6] - times[1]) -- six draws so close to each other: 1 in 10^6
    end)

    it("trickles one reply while others go out at once", function()
      sandbox:fail { endpoint = "products", trickle_ms = 1000 }
      local path = os.tmpname()
      local pid = support.shell(("curl -sS -N -m 60 -H 'Authorization: Bearer %s' %s/v3/open_api/product/ids/ >%s 2>&1 & echo $!")
        :format(token, sandbox.url, path)):match("%d+")
      local deadline = os.time() + 20
      repeat support.shell "sleep 0.02" until #io.open(path):read("*a") > 0 or os.time() > deadline
      assert.equal(200, (products "-m 5"))
      assert.is_true(#io.open(path):read("*a") < 50) -- the trickled one is far from its end
      support.shell("kill " .. pid)
      os.remove(path)
    end)

    it("trickles", function()
      sandbox:fail { trickle_ms = 10 }
      local times = durations(1)
      sandbox:fail { trickle_ms = 1 }
      local code, body = products()
      assert.equal(200, code)
      assert.equal(2, #cjson.decode(body).data)
      assert.is_true(times[1] >= 0.9 * #body * 0.010, times[1])
    end)

    it("meets only the endpoint and as many requests as asked, with a probability", function()
      sandbox:fail { endpoint = "grant", code = 10050 }
      sandbox:fail { endpoint = "products", code = 10050, count = 2 }
      local codes = {}
      for i = 1, 3 do codes[i] = products() end
      assert.same({ 500, 500, 200 }, codes)
      sandbox:heal()
      sandbox:fail { endpoint = "products", code = 10050, count = 0, probability = 0.5 }
      local failed = 0
      for _ = 1, 60 do
        if products() == 500 then failed = failed + 1 end
      end
      assert.is_true(failed > 5 and failed < 55, failed .. " of 60 failed")
    end)

    it("refuses faults it does not know", function()
      assert.has_error(function() sandbox:fail { codde = 1 } end)
      assert.has_error(function() sandbox:fail { endpoint = "tokens" } end)
      assert.has_error(function() sandbox:fail { cut = "sometimes" } end)
    end)
  end)
end)
