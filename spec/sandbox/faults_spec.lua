-- SPDX-License-Identifier: MIT

-- Faults on HTTP, each seen from outside: by curl, and by bare sockets where curl cannot do it.
local cjson = require "cjson"
local socket = require "socket"
local support = require "spec.support.sandbox"

local TIMED_OUT = 28 -- curl's exit code
local PRODUCTS, TOKEN = "/v3/open_api/product/ids/", "/v3/open_api/token/"

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

  -- The seconds until curl had everything, and its exit code.
  local function seconds(args)
    local text, status = curl(PRODUCTS, "-o /dev/null -w '%{time_total}' " .. (args or ""))
    return tonumber(text), status
  end

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
        assert(peer:send(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n"):format(PRODUCTS)))
        peer:close()
      end
      assert.is_true(select(2, sandbox:health())) -- its turn comes
      sandbox:heal()
    end
  end)
end)
