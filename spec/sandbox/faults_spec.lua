-- SPDX-License-Identifier: MIT

-- Faults on HTTP, each seen from outside: by curl, and by bare sockets where curl cannot do it.
local cjson = require "cjson"
local socket = require "socket"
local support = require "spec.support.sandbox"

local EMPTY, PARTIAL, TIMED_OUT = 52, 18, 28 -- curl's exit codes
local PRODUCTS, CLIENT, TOKEN = "/v3/open_api/product/ids/", "/v3/open_api/mqtt/client/", "/v3/open_api/token/"

describe("a fault, by curl,", function()
  local sandbox, token

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function command(path, args)
    return ("curl -sS -m 60 -H 'Authorization: Bearer %s' %s %s%s"):format(token or "", args or "", sandbox.url, path)
  end

  -- What curl printed and its exit code.
  local function curl(path, args) return support.shell(command(path, args)) end

  local function begin()
    sandbox:reset()
    local reply = curl(TOKEN, "-d grant_type=client_credentials -d client_id=sandbox-key-id -d client_secret=sandbox-key-secret")
    token = cjson.decode(reply).data.access_token
  end

  before_each(begin)

  local function create() return curl(CLIENT, "-d app_id=sandbox-app") end

  local function clients() return #sandbox:state().clients end

  -- The seconds until curl had everything, and its exit code.
  local function seconds(args)
    local text, status = curl(PRODUCTS, "-o /dev/null -w '%{time_total}' " .. (args or ""))
    return tonumber(text), status
  end

  describe("cuts the connection", function()
    it("before: nothing is done, and nothing comes", function()
      sandbox:fail { endpoint = "create_client", cut = "before" }
      assert.same({ EMPTY, 0 }, { select(2, create()), clients() })
    end)

    it("after: the reply is whole, and the connection does not serve another request", function()
      local url = sandbox.url .. PRODUCTS
      local function twice()
        local text, status = curl(PRODUCTS, ("-D - -w '[%%{http_code} %%{num_connects}]' -o /dev/null -o /dev/null '%s'"):format(url))
        assert.equal(0, status, text)
        local said = {}
        for found in text:gmatch("%[(.-)%]") do said[#said + 1] = found end
        return said, text
      end
      assert.same({ "200 1", "200 0" }, (twice()))
      sandbox:fail { endpoint = "products", cut = "after" }
      local said, headers = twice()
      assert.same({ "200 1", "200 1" }, said)
      assert.is_nil(headers:lower():find("connection: close", 1, true))
      sandbox:fail { endpoint = "create_client", cut = "after" }
      local reply, status = create()
      assert.equal(0, status)
      assert.equal(sandbox:state().clients[1].clientid, cjson.decode(reply).data.clientid)
    end)

    it("during, whatever the body", function()
      for _, fault in ipairs { {}, { body = "" }, { body = "x" }, { truncate = 1 }, { status = 503 }, { status = 503, truncate = 0 } } do
        fault.cut = "during"
        sandbox:fail(fault)
        local said, status = curl(PRODUCTS)
        assert.equal(PARTIAL, status, said)
      end
    end)

    it("with the reply lost: it is done all the same", function()
      sandbox:fail { endpoint = "create_client", lost = true }
      assert.same({ EMPTY, 1 }, { select(2, create()), clients() })
    end)
  end)

  describe("answers", function()
    it("a status alone with a page that is no envelope, and does nothing", function()
      for _, code in ipairs { 429, 503, 200, 404 } do
        sandbox:fail { endpoint = "create_client", status = code }
        local text, status = curl(CLIENT, "-d app_id=sandbox-app -w '\\n%{http_code} %{content_type}'")
        assert.same({ 0, 0 }, { status, clients() })
        assert.matches("\n" .. code .. " text/plain", text)
        assert.is_nil(text:find("{", 1, true))
      end
      assert.equal(4, sandbox:count { endpoint = "create_client" })
    end)

    it("a status with a code with the envelope, and does nothing", function()
      sandbox:fail { endpoint = "create_client", status = 503, code = 10050 }
      local text = curl(CLIENT, "-d app_id=sandbox-app -w '\\n%{http_code} %{content_type}'")
      local body, rest = text:match("^(.*)\n(.-)$")
      assert.equal("503 application/json", rest)
      assert.equal(10050, cjson.decode(body).meta.code)
      assert.equal(0, clients())
    end)

    it("when to come back, in every form, for 429 and 503", function()
      for _, code in ipairs { 429, 503 } do
        for _, after in ipairs { "7", "Fri, 31 Dec 2027 23:59:59 GMT", "in a while" } do
          sandbox:fail { status = code, retry_after = after }
          local text = curl(PRODUCTS, "-D -")
          assert.matches("HTTP/1.1 " .. code, text)
          assert.is_truthy(text:find("Retry-After: " .. after .. "\r\n", 1, true), text)
        end
      end
    end)

    it("a request with a bad body too", function()
      sandbox:fail { endpoint = "create_client", code = 10050 }
      local bad = "-H 'Content-Type: application/json' -d '{'"
      assert.equal(10050, cjson.decode((curl(CLIENT, bad))).meta.code)
      assert.equal(10000, cjson.decode((curl(CLIENT, bad))).meta.code)
    end)
  end)

  describe("takes time", function()
    it("before the reply", function()
      sandbox:fail { delay = 30 }
      assert.equal(TIMED_OUT, select(2, seconds "-m 1"))
      sandbox:fail { delay = 0.3, delay_max = 0.5 }
      local took, status = seconds()
      assert.equal(0, status)
      assert.is_true(took >= 0.3, took)
    end)

    it("drawn from a range", function()
      local met, least = 0, 1
      for _ = 1, 6 do -- below a tenth of it six times: once in a million
        sandbox:fail { delay_max = 1 }
        local took = seconds()
        if took >= 0.1 then met = met + 1 end
        least = math.min(least, took)
      end
      assert.is_true(met > 0)
      assert.is_true(least < 1, least)
    end)

    it("between the bytes", function()
      sandbox:fail { body = ("x"):rep(21), trickle_ms = 20 }
      local took, status = seconds()
      assert.equal(0, status)
      assert.is_true(took >= 0.4, took)
      sandbox:fail { body = ("x"):rep(21), trickle_ms = 1000 }
      assert.equal(TIMED_OUT, select(2, seconds "-m 1"))
    end)

    it("until it is healed: what is held back then goes out", function()
      for _, name in ipairs { "heal", "reset" } do
        for _, fault in ipairs { { delay = 600 }, { trickle_ms = 600000 } } do
          fault.endpoint = "products"
          sandbox:fail(fault)
          local pipe = io.popen(command(PRODUCTS) .. " 2>&1")
          support.serve_until(function() return sandbox:count { endpoint = "products" } == 1 end)
          sandbox[name](sandbox)
          local text = pipe:read("*a")
          pipe:close()
          assert.equal(2, #cjson.decode(text).data, text)
          begin()
        end
      end
    end)
  end)

  it("costs nothing once those who met it have gone", function()
    local port, n = sandbox.url:match(":(%d+)$"), 2100 -- more than the server has connections for
    for _, fault in ipairs { { delay = 600, count = 0 }, { trickle_ms = 600000, count = 0 } } do
      sandbox:fail(fault)
      for _ = 1, n do
        local peer = assert(socket.connect("127.0.0.1", port))
        peer:settimeout(10)
        assert(peer:send(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(PRODUCTS)))
        peer:close()
      end
      assert.is_true(select(2, sandbox:health())) -- its turn comes
      sandbox:heal()
    end
  end)

  it("is refused where it cannot be had", function()
    local function refused(text, fault)
      local ok, why = pcall(sandbox.fail, sandbox, fault)
      assert.is_false(ok)
      assert.is_truthy(why:find(text, 1, true), why)
    end
    refused("field 'code' must be a whole number from 1", { code = 0 })
    refused("field 'status' must be a whole number from 200 to 999", { status = 100 })
    for _, status in ipairs { 204, 304 } do refused("has no body to be cut", { status = status, cut = "during" }) end
    for _, name in ipairs { "content_type", "retry_after" } do
      for _, value in ipairs { "a\r\nb: c", "", " ", ("x"):rep(901) } do
        refused(("field '%s' must be 1 to 900 bytes"):format(name), { [name] = value })
      end
      sandbox:fail { [name] = ("x"):rep(900) }
      assert.is_truthy(curl(PRODUCTS, "-D -"):find(": " .. ("x"):rep(900) .. "\r\n", 1, true))
    end
  end)
end)
