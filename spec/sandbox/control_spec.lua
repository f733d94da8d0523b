-- SPDX-License-Identifier: MIT

-- The control API through curl and mosquitto's clients, and the journal: nothing here goes through our own client.
local cjson = require "cjson"
local socket = require "socket"
local support = require "spec.support.sandbox"

describe("the sandbox's control API, by curl", function()
  local sandbox

  setup(function() sandbox = support.start { mqtt_faults = true } end)
  teardown(function() sandbox:stop() end)
  before_each(function() sandbox:reset() end)

  local function curl(args)
    local text, status = support.shell(("curl -sS -m 20 -w '\\n%%{http_code}' %s"):format(args))
    assert.equal(0, status, text)
    local body, code = text:match("^(.*)\n(%d+)$")
    return tonumber(code), body
  end

  local function control(method, path, body)
    local code, text = curl(("-X %s %s '%s/_sandbox/%s'"):format(method, body and ("-d '%s'"):format(body) or "",
      sandbox.url, path))
    return code, cjson.decode(text), text
  end

  local function token(args)
    local form = "-d grant_type=client_credentials -d client_id=sandbox-key-id -d client_secret=sandbox-key-secret"
    local code, body = curl(("%s %s %s/v3/open_api/token/"):format(form, args or "", sandbox.url))
    return code, cjson.decode(body)
  end

  local function products(bearer)
    return (curl(("-H 'Authorization: Bearer %s' %s/v3/open_api/product/ids/"):format(bearer, sandbox.url)))
  end

  local function count(query) return select(2, control("GET", "count?" .. query)).count end

  it("says how it is, and what a program needs", function()
    local code, health = control("GET", "health")
    assert.same({ 200, { http = true, store = true, broker = true } }, { code, health })
    local _, info = control("GET", "info")
    assert.same({ "sandbox-key-id", "localhost", 2 }, { info.client_id, info.mqtt_host, #info.devices })
  end)

  it("moves, freezes and thaws the clock", function()
    local _, reply = token()
    local bearer = reply.data.access_token
    assert.is_true(select(2, control("POST", "clock", '{"freeze":true}')).frozen)
    local _, before = control("POST", "clock", "{}")
    local _, after = control("POST", "clock", '{"advance":604799}')
    assert.equal(604799, after.now - before.now) -- to the second, for it is frozen
    assert.equal(200, products(bearer))
    control("POST", "clock", '{"advance":2}')
    assert.equal(401, products(bearer))
    assert.is_false(select(2, control("POST", "clock", '{"freeze":false}')).frozen)
  end)

  it("sets the life of tokens, and revokes one and all", function()
    local _, set = control("POST", "tokens", '{"life":60}')
    assert.equal(60, set.life)
    local _, one = token()
    local _, two = token()
    assert.equal(60, one.data.expires_in)
    control("POST", "tokens", ('{"revoke":"%s"}'):format(one.data.access_token))
    assert.same({ 401, 200 }, { products(one.data.access_token), products(two.data.access_token) })
    control("POST", "tokens", '{"revoke":"*"}')
    assert.equal(401, products(two.data.access_token))
  end)

  it("answers 200 to everything when told", function()
    control("POST", "switches", '{"always_200":true}')
    assert.equal(200, products("nonsense"))
    assert.equal(200, (curl(sandbox.url .. "/nowhere")))
    control("POST", "switches", '{"always_200":false}')
    assert.equal(401, products("nonsense"))
    assert.equal(404, (curl(sandbox.url .. "/nowhere")))
  end)

  it("stops, kills and starts the broker", function()
    for _, action in ipairs { "stop", "kill" } do
      assert.same({ running = false }, select(2, control("POST", "broker", ('{"action":"%s"}'):format(action))))
      local code, health = control("GET", "health")
      assert.same({ 503, false }, { code, health.broker })
      assert.same({ running = true }, select(2, control("POST", "broker", '{"action":"start"}')))
      assert.equal(200, (control("GET", "health")))
    end
  end)

  it("makes HTTP fail, and MQTT", function()
    control("POST", "faults", '{"endpoint":"token","code":10050,"count":2}')
    assert.equal(500, (token()))
    control("DELETE", "faults")
    assert.equal(200, (token()))
    local publish = ("mosquitto_pub -h localhost -p %d -i d -u dev1 -P dev1-secret -q 1 -t d2c/dev1/x -m x")
      :format(sandbox.mqtt_port)
    control("POST", "mqtt", '{"refuse":true}')
    assert.is_true(select(2, support.shell(publish)) ~= 0)
    control("DELETE", "mqtt")
    assert.equal(0, select(2, support.shell(publish)))
    assert.same({ kicked = 0 }, select(2, control("POST", "mqtt", '{"kick":"nobody"}')))
  end)

  it("adds to the seed, and goes back to it", function()
    local body = '{"accounts":[{"client_id":"sandbox-key-id","client_secret":"sandbox-key-secret",'
      .. '"products":[{"productid":"p3","pname":"Third"}]}]}'
    assert.equal(200, (control("POST", "seed", body)))
    assert.equal(3, #select(2, control("GET", "state")).products)
    assert.equal(200, (control("POST", "reset")))
    assert.equal(2, #select(2, control("GET", "state")).products)
  end)

  it("writes lists as lists, also empty ones", function()
    local _, _, state = control("GET", "state")
    assert.matches('"grants":%[%]', state)
    assert.matches('"devices":%[{', state)
    local _, _, journal = control("GET", "journal")
    assert.matches('"entries":%[%]', journal)
  end)

  it("refuses what it does not know, by name", function()
    for call, bodies in pairs {
      clock = { '{"advnce":5}', '{"freeze":"yes"}', '{"advance":"5"}', '{"advance":1e300}', "advance=5" },
      tokens = { '{"lif":5}', '{"life":"5"}', '{"life":0.5}', '{"revoke":true}' },
      switches = { '{"always_200":"true"}', '{"always":true}' },
      broker = { '{"action":"stopp"}', '{"acton":"stop"}', "{}" },
      reset = { '{"all":true}' },
      faults = { '{"codde":1}' }, mqtt = { '{"refuze":true}' }, seed = { "{}" },
    } do
      for _, body in ipairs(bodies) do
        local code, reply = control("POST", call, body)
        assert.equal(400, code, call .. " " .. body)
        assert.is_string(reply.error)
      end
    end
    assert.equal(404, (control("GET", "nothing")))
    assert.equal(604800, select(2, control("POST", "tokens")).life) -- none of it has counted
  end)

  it("gives nothing to two accounts", function()
    local function add(kind, thing)
      return control("POST", "seed", ('{"accounts":[{"client_id":"thief","client_secret":"x","%s":[%s]}]}'):format(kind, thing))
    end
    for kind, thing in pairs {
      devices = '{"id":"dev1","password":"mine"}', apps = '"sandbox-app"', products = '{"productid":"prod-lamp","pname":"x"}',
    } do
      local code, reply = add(kind, thing)
      assert.equal(400, code, kind)
      assert.matches("belongs to account sandbox%-key%-id", reply.error)
    end
    assert.equal(1, #select(2, control("GET", "state")).accounts) -- nothing of such a seed gets in
    for _, id in ipairs { "a/b", "+", "#", ("x"):rep(129), "" } do
      assert.equal(400, (add("devices", ('{"id":"%s","password":"x"}'):format(id))), id)
    end
  end)

  describe("journal", function()
    it("finds what a fault answered, by code and by status", function()
      control("POST", "faults", '{"code":10050}')
      token()
      assert.same({ 1, 1 }, { count "code=10050", sandbox:count { code = 10050 } })
      control("POST", "faults", '{"status":418,"body":"{}"}')
      token()
      token()
      assert.same({ 1, 3, 1 }, { count "status=418", count "endpoint=token", count "status=200" })
      assert.equal(1, sandbox:count { status = 418 })
      assert.equal(1, #sandbox:journal { status = 418 })
    end)

    it("refuses a filter it does not know", function()
      assert.equal(400, (control("GET", "count?endpont=token")))
      assert.equal(400, (control("GET", "journal?params=x")))
      assert.has_error(function() sandbox:count { endpont = "token" } end)
    end)

    it("finds any request id", function()
      token("-H 'X-Request-Id: a&b+c%41'")
      assert.equal(1, sandbox:count { request_id = "a&b+c%41" })
      assert.equal(0, sandbox:count { request_id = "a&b+cA" })
    end)

    it("keeps no secret, however it is nested and spelt", function()
      token "-d Client_Secret=SEEN"
      local url = sandbox.url .. "/v3/open_api/token/"
      curl(("-H 'Content-Type: application/json' -d '%s' %s"):format(
        '{"auth":{"client_secret":"SEEN","list":[{"Password":"SEEN"}]}}', url))
      local _, journal, text = control("GET", "journal")
      assert.equal(2, journal.count)
      assert.is_nil(text:find("SEEN", 1, true))
      assert.equal("[redacted]", journal.entries[2].params.auth.list[1].Password)
    end)

    it("cuts long values", function()
      token(("-d long=%s"):format(("x"):rep(100000)))
      local _, journal = control("GET", "journal")
      assert.is_true(#journal.entries[1].params.long < 10000)
      assert.matches("^xxx", journal.entries[1].params.long)
    end)

    it("is not spoilt by a request", function()
      local path = os.tmpname()
      local function send(body)
        local file = io.open(path, "w")
        file:write(body)
        file:close()
        curl(("-H 'Content-Type: application/json' -d @%s %s/v3/open_api/token/"):format(path, sandbox.url))
      end
      for _, body in ipairs {
        '{"x":NaN}', '{"x":-Infinity}', '{"x":1e999}', '{"x":' .. ("["):rep(998) .. ("]"):rep(998) .. "}",
        ('{"x":'):rep(99) .. "1" .. ("}"):rep(99), "[1,2]", '{"x":null}', '{"x":"\\u0000"}',
      } do send(body) end
      os.remove(path)
      local code, journal = control("GET", "journal")
      assert.same({ 200, 8 }, { code, journal.count })
      assert.equal(8, #sandbox:journal())
    end)
  end)

  it("names a parameter of a wrong type", function()
    local _, reply = token()
    local _, body = curl(("-H 'Content-Type: application/json' -H 'Authorization: Bearer %s' -d '{\"app_id\":5}' %s%s")
      :format(reply.data.access_token, sandbox.url, "/v3/open_api/mqtt/client/"))
    assert.equal("parameter app_id must be a string", cjson.decode(body).meta.message)
  end)

  it("revokes on a live connection", function()
    local _, reply = token()
    local headers = ("-H 'Authorization: Bearer %s'"):format(reply.data.access_token)
    local api = sandbox.url .. "/v3/open_api/mqtt"
    local _, made = curl(("%s -d app_id=sandbox-app %s/client/"):format(headers, api))
    local client = cjson.decode(made).data
    local pair = ("%s -d client_id=%s -d device_id=dev1 %s/permission/"):format(headers, client.clientid, api)
    curl(pair)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local where = "-h localhost -p %d"
    local pid = support.shell(("mosquitto_sub %s -i %s -u %s -P '%s' -t d2c/dev1/# >%s 2>&1 & echo $!"):format(
      where:format(sandbox.mqtt_port), client.clientid, client.loginname, client.password, path)):match("%d+")
    local function publish(text)
      local _, status = support.shell(("mosquitto_pub %s -i d -u dev1 -P dev1-secret -q 1 -t d2c/dev1/x -m %s"):format(
        where:format(sandbox.mqtt_port), text))
      assert.equal(0, status)
    end
    local function received() return io.open(path):read("*a") end
    local deadline = socket.gettime() + 20
    repeat publish "before" until received():find "before" or socket.gettime() > deadline
    assert.matches("before", received())
    curl("-X DELETE " .. pair)
    publish "between"
    curl(pair) -- so that what comes next shows that what came before had its time
    repeat publish "after" until received():find "after" or socket.gettime() > deadline
    support.shell("kill " .. pid)
    assert.matches("after", received())
    assert.is_nil(received():find "between")
  end)
end)

describe("the API over TLS, by curl", function()
  it("is trusted by the sandbox's CA only", function()
    local sandbox = support.start { tls = true }
    finally(function() sandbox:stop() end)
    local url = sandbox.url .. "/_sandbox/health"
    assert.matches("^https://localhost:", url)
    local text, status = support.shell(("curl -sS --cacert %s %s"):format(sandbox.ca_file, url))
    assert.equal(0, status, text)
    assert.is_true(cjson.decode(text).http)
    assert.equal(60, select(2, support.shell(("curl -sS --cacert spec/support/other_ca.pem %s"):format(url))))
  end)
end)
