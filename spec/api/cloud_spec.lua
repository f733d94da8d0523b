-- SPDX-License-Identifier: MIT

local RawServer = require "spec.support.raw_server"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

describe("the five calls", function()
  local sandbox, cloud

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    sandbox:reset()
    cloud = support.cloud(sandbox)
  end)

  for _, encoding in ipairs { "form", "json" } do
    it("do what the API page says, with " .. encoding, function()
      cloud = support.cloud(sandbox, { encoding = encoding })
      assert.equal(30, #assert(cloud:token()))
      assert.same({ { productid = "prod-lamp", pname = "Lamp" },
        { productid = "prod-meter", pname = "\231\148\181\232\161\168" } }, assert(cloud:products()))
      local client = assert(cloud:create_client(sandbox.app_id))
      assert.equal(sandbox.tls_port, client.sslport)
      assert.equal(sandbox.mqtt_port, client.mqttport)
      assert.matches("[+/]", client.password)
      local pair = { client_id = client.clientid, device_id = "dev1" }
      assert.same(pair, assert(cloud:grant(client.clientid, "dev1")))
      assert.same({ { clientid = client.clientid, device_id = "dev1" } }, sandbox:state().grants)
      assert.same(pair, assert(cloud:revoke(client.clientid, "dev1")))
      assert.same({}, sandbox:state().grants)
      assert.equal(1, sandbox:count { endpoint = "token" })
      local expected = encoding == "json" and "application/json" or "application/x-www-form-urlencoded"
      assert.equal(4, sandbox:count { content_type = expected })
    end)

    it("carry values that need escaping as they are, with " .. encoding, function()
      local odd = "a/b+c=d&e f%20\195\164\229\186\134\"\\?#;"
      local device = "d=1&x y+\195\164\"\\%"
      device = device:gsub("%+", "")
      sandbox:add { accounts = { { client_id = odd, client_secret = odd .. "2", apps = { odd }, products = {},
        devices = { { id = device, password = "p" } } } } }
      cloud = support.cloud(sandbox, { client_id = odd, client_secret = odd .. "2", encoding = encoding })
      local client = assert(cloud:create_client(odd))
      assert.equal(device, assert(cloud:grant(client.clientid, device)).device_id)
      assert.equal(device, assert(cloud:revoke(client.clientid, device)).device_id)
    end)
  end

  it("keep fields that the API page does not know", function()
    local body = '{"meta":{"message":"product id list","code":0,"trace":7},"data":[{"productid":"p","pname":"n","colour":"red"}]}'
    sandbox:fail { endpoint = "products", body = body }
    assert.equal("red", assert(cloud:products())[1].colour)
  end)

  it("decide by meta.code whatever the HTTP status", function()
    sandbox:always_200()
    local none, err = cloud:create_client("no-such-app")
    assert.is_nil(none)
    assert.same({ "api", 10000, 200 }, { err.kind, err.code, err.status })
    sandbox:fail { endpoint = "products", status = 503, lost = nil, body = '{"meta":{"message":"ok","code":0},"data":[]}' }
    assert.same({}, assert(cloud:products()))
  end)

  it("give an empty list for an account without products", function()
    sandbox:add { accounts = { { client_id = "poor", client_secret = "poor-secret", apps = {}, products = {}, devices = {} } } }
    assert.same({}, assert(support.cloud(sandbox, { client_id = "poor", client_secret = "poor-secret" }):products()))
  end)

  it("name what is wrong, without secrets", function()
    local function refused(kind, text, ok, err)
      assert.is_nil(ok)
      assert.equal(kind, err.kind, tostring(err))
      assert.matches(text, tostring(err))
      assert.is_nil(tostring(err):find("key-secret", 1, true))
      assert.is_number(err.attempts)
      assert.is_number(err.elapsed)
    end
    refused("auth", "access key id or secret is wrong", support.cloud(sandbox, { client_secret = "wrong-key-secret" }):token())
    refused("api", "app_id is unknown", cloud:create_client("no-such-app"))
    local client = assert(cloud:create_client(sandbox.app_id))
    refused("api", "client_id is unknown", cloud:grant("nobody", "dev1"))
    refused("api", "device_id is unknown", cloud:grant(client.clientid, "dev9"))
    assert.is_nil(tostring(cloud):find("key-secret", 1, true))
  end)

  it("raise on wrong arguments and send nothing", function()
    local function raises(text, fn, ...)
      local ok, err = pcall(fn, ...)
      assert.is_false(ok)
      assert.matches(text, err)
    end
    for _, bad in ipairs { "", "a\r\nb", "a\0b", "\255", 5, false } do
      raises("app_id", cloud.create_client, cloud, bad)
      raises("clientid", cloud.grant, cloud, bad, "dev1")
      raises("device_id", cloud.revoke, cloud, "c", bad)
    end
    raises("app_id: string expected, got nil", cloud.create_client, cloud)
    for _, id in ipairs { "a/b", "+", "a#", ("x"):rep(129) } do raises("device_id", cloud.grant, cloud, "c", id) end
    raises("timeout", cloud.products, cloud, { timeout = -1 })
    raises("unknown call option 'tiemout'", cloud.products, cloud, { tiemout = 1 })
    assert.equal(0, sandbox:count())
  end)

  describe("with a token that is refused", function()
    it("get a new one once and go on, for 10101 and 10100", function()
      assert(cloud:products())
      sandbox:revoke_token()
      assert(cloud:products())
      assert.equal(2, sandbox:count { endpoint = "token" })
      sandbox:advance(8 * 86400)
      assert(cloud:products())
      assert.equal(3, sandbox:count { endpoint = "token" })
      assert.equal(1, sandbox:count { endpoint = "products", code = 10101 })
      assert.equal(1, sandbox:count { endpoint = "products", code = 10100 })
    end)

    it("give up at the second refusal", function()
      sandbox:fail { endpoint = "products", code = 10101, count = 0 }
      local none, err = cloud:products()
      assert.is_nil(none)
      assert.same({ "auth", 10101, 2 }, { err.kind, err.code, err.attempts })
      assert.equal(2, sandbox:count { endpoint = "token" })
    end)
  end)

  describe("repeat", function()
    it("what may be repeated, after 10050, 503, 429 and a cut connection", function()
      for _, fault in ipairs { { code = 10050 }, { status = 503, body = "" }, { status = 429, body = "" }, { cut = "during" },
        { lost = true } } do
        sandbox:reset()
        cloud = support.cloud(sandbox)
        fault.endpoint = "products"
        sandbox:fail(fault)
        assert.equal(2, #assert(cloud:products()))
        assert.equal(2, sandbox:count { endpoint = "products" })
      end
    end)

    it("four times at most", function()
      sandbox:fail { endpoint = "products", code = 10050, count = 0 }
      local none, err = cloud:products()
      assert.is_nil(none)
      assert.same({ "api", 10050, 4, true }, { err.kind, err.code, err.attempts, err.retryable })
      assert.equal(4, sandbox:count { endpoint = "products" })
    end)

    it("never a bad parameter, and never create_client once it may have arrived", function()
      local client = assert(cloud:create_client(sandbox.app_id))
      cloud:grant(client.clientid, "dev9")
      assert.equal(1, sandbox:count { endpoint = "grant" })
      for _, fault in ipairs { { lost = true }, { code = 10050 }, { status = 503, body = "" }, { cut = "during" } } do
        local before = #sandbox:state().clients
        fault.endpoint = "create_client"
        sandbox:fail(fault)
        local none, err = cloud:create_client(sandbox.app_id)
        assert.is_nil(none)
        assert.equal(1, err.attempts)
        assert.is_true(#sandbox:state().clients <= before + 1)
      end
      assert.equal(5, sandbox:count { endpoint = "create_client" })
    end)
  end)

  it("return an error for a token that no header can carry, and keep it nowhere", function()
    for _, value in ipairs { "a\\nb", "a\\u0000b", ("k"):rep(9000) } do
      local body = ('{"meta":{"message":"token info","code":0},"data":{"access_token":"%s","expires_in":600}}'):format(value)
      sandbox:fail { endpoint = "token", body = body, count = 1 }
      cloud = support.cloud(sandbox)
      local none, err = cloud:products()
      assert.is_nil(none)
      assert.same({ "protocol", 1 }, { err.kind, err.attempts })
      assert.same({}, cloud.store.records)
      assert.equal(2, #assert(cloud:products()))
    end
  end)

  it("end by their deadline, whatever the server does", function()
    sandbox:fail { endpoint = "products", delay = 5 }
    assert(cloud:token())
    local none, err = cloud:products { timeout = 0.2 }
    assert.is_nil(none)
    assert.equal("timeout", err.kind)
  end)

  it("block outside a task and overlap in tasks", function()
    assert(cloud:token())
    sandbox:fail { endpoint = "products", delay = 0.3, count = 2 }
    local log = {}
    for i = 1, 2 do
      fogcloud.spawn(function()
        log[#log + 1] = "start" .. i
        assert(cloud:products())
        log[#log + 1] = "end"
      end)
    end
    fogcloud.run()
    assert.same({ "start1", "start2", "end", "end" }, log)
  end)

  it("fetch one token for a hundred tasks", function()
    for _ = 1, 100 do fogcloud.spawn(function() assert(cloud:products()) end) end
    fogcloud.run()
    assert.equal(1, sandbox:count { endpoint = "token" })
    assert.equal(100, sandbox:count { endpoint = "products" })
  end)

  it("are ended by cancelling their task", function()
    assert(cloud:token())
    sandbox:fail { endpoint = "products", delay = 20 }
    local result
    local task = fogcloud.spawn(function() result = { cloud:products() } end)
    fogcloud.spawn(function()
      fogcloud.sleep(0.1)
      task:cancel()
    end)
    fogcloud.run()
    assert.equal("cancelled", result[2].kind)
  end)

  it("open a session in one", function()
    local session, err, credentials = cloud:open { app_id = sandbox.app_id, devices = { "dev1", "dev2" } }
    assert(session, err)
    assert.equal(2, #sandbox:state().grants)
    assert.is_string(credentials.password)
    session:close()
    fogcloud.run()
    local none, why = cloud:open { app_id = "no-such-app" }
    assert.is_nil(none)
    assert.equal("api", why.kind)
  end)

  -- Opens a session with the kept client of a folder, in this process or in another; what came of it as text.
  local function open_kept(folder, name)
    local options = sandbox:options()
    options.store, options.app_id = "file:" .. folder, sandbox.app_id
    return fogcloud.new(options):open { devices = { "dev1" }, keep = name or true }
  end

  it("let one session at a time have a kept client, and say which process has it", function()
    local folder = support.shell("mktemp -d"):match "%S+"
    finally(function() support.shell("rm -rf " .. folder) end)
    local session = assert(open_kept(folder))
    local program = ([[
      local options = { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q, app_id = %q, store = "file:%s" }
      local cloud = require("fogcloud").new(options)
      local session, err = cloud:open { keep = true }
      io.write(session and "opened" or err.kind .. ": " .. err.message, "\n")
      local credentials = assert(cloud:client())
      session, err = cloud:connect(credentials)
      io.write(session and "opened" or err.kind, "\n")
      session = cloud:open { keep = "mine" }
      io.write(session and "opened" or "refused", "\n")
    ]]):format(sandbox.url, sandbox.account.client_id, sandbox.account.client_secret, sandbox.ca_file, sandbox.app_id, folder)
    local said = script.run(program)
    assert.matches(("^mqtt: the kept client is in use by process %d, "):format(require("fogcloud.core").pid()), said)
    assert.matches("\nmqtt\nopened\n$", said)
    local none, err = open_kept(folder)
    assert.is_nil(none)
    assert.matches("in use by another session of this program", err.message)
    assert.is_true(session:finish(5))
    session = assert(open_kept(folder)) -- at once
    session:close()
    session = assert(open_kept(folder))
    session:close()
    assert.equal("opened", script.run(program):match "^%a+")
    fogcloud.run()
  end)

  it("let go of a kept client that could not be connected", function()
    local folder = support.shell("mktemp -d"):match "%S+"
    finally(function() support.shell("rm -rf " .. folder) end)
    local options = sandbox:options()
    options.store, options.app_id = "file:" .. folder, sandbox.app_id
    local own = fogcloud.new(options)
    local wrong = { keep = true, session = { ca_file = "/nowhere" } }
    for _ = 1, 2 do
      local none, err = own:open(wrong)
      assert.is_nil(none)
      assert.equal("tls", err.kind)
    end
    assert.has_error(function() own:open { keep = true, session = { keepalive = -1 } } end)
    local session = assert(own:open { keep = true })
    session:close()
    fogcloud.run()
  end)

  it("let sessions of one program have a client kept in memory one after the other", function()
    local session = assert(cloud:open { app_id = sandbox.app_id, keep = true })
    local none, err = cloud:open { app_id = sandbox.app_id, keep = true }
    assert.is_nil(none)
    assert.matches("another session of this program", err.message)
    session:close()
    assert(cloud:open { app_id = sandbox.app_id, keep = true }):close()
    fogcloud.run()
  end)

  it("work through TLS, with the certificate checked", function()
    local secure = support.start { tls = true }
    finally(function() secure:stop() end)
    assert(support.cloud(secure):products())
    local options = secure:options()
    options.ca_pem = nil
    local none, err = fogcloud.new(options):products()
    assert.is_nil(none)
    assert.same({ "tls", 1 }, { err.kind, err.attempts })
    options.ca_pem = secure.ca
    options.base_url = options.base_url:gsub("localhost", "127.0.0.1")
    assert(fogcloud.new(options):products()) -- the certificate names the address too
  end)

  it("are not made to a host that the certificate does not name", function()
    local other = support.start { tls = true, cert_host = "elsewhere" }
    finally(function() other:stop() end)
    local none, err = support.cloud(other):products()
    assert.is_nil(none)
    assert.same({ "tls", 1 }, { err.kind, err.attempts })
    assert.matches("host name", tostring(err))
    assert.equal(0, other:count())
  end)
end)

describe("a server that is not the API", function()
  local server
  setup(function() server = RawServer.start() end)
  teardown(function() server:stop() end)

  local CASES = {
    html = { "protocol", "not the API's" }, empty = { "protocol", "empty body" }, truncated = { "protocol", "no valid JSON: .* 36" },
    noenvelope = { "protocol", "no envelope" }, redirect = { "http", "redirect" }, cut = { "network", "closed", "bytes missing" },
    close = { "network", "[Ee]mpty reply" }, huge = { "protocol", "larger than the limit" },
  }
  for mode, expected in pairs(CASES) do
    it("gets a clear error: " .. mode, function()
      local cloud = fogcloud.new { base_url = server:url(mode), client_id = "id", client_secret = "the-key-secret" }
      local none, err = cloud:token { timeout = 5 }
      assert.is_nil(none)
      assert.equal(expected[1], err.kind, tostring(err))
      assert.truthy(tostring(err):find(expected[2]) or tostring(err):find(expected[3] or "^$"), tostring(err)) -- libcurl's versions differ
    end)
  end

  it("gets a clear error: slow and down", function()
    local cloud = fogcloud.new { base_url = server:url("slow"), client_id = "id", client_secret = "the-key-secret" }
    local none, err = cloud:token { timeout = 0.2 }
    assert.is_nil(none)
    assert.equal("timeout", err.kind)
    cloud = fogcloud.new { base_url = "http://127.0.0.1:1", client_id = "id", client_secret = "the-key-secret" }
    none, err = cloud:token { timeout = 5 }
    assert.is_nil(none)
    assert.same({ "network", 4 }, { err.kind, err.attempts })
  end)
end)

describe("fogcloud.new", function()
  local GOOD = { base_url = "https://api.example.com/", client_id = "id", client_secret = "secret" }

  local function with(change)
    local options = {}
    for name, value in pairs(GOOD) do options[name] = value end
    for name, value in pairs(change) do options[name] = value end
    return options
  end

  it("refuses wrong options by name", function()
    local cases = {
      { { colour = 1 }, "unknown option 'colour'" }, { { base_url = 5 }, "'base_url': string expected" },
      { { base_url = "ftp://x" }, "https:// expected" }, { { base_url = "example.com" }, "a URL" },
      { { base_url = "http://example.com" }, "allow_insecure_http" }, { { base_url = "https://u:p@x" }, "user name" },
      { { base_url = "http://127.0.0.1.evil.com" }, "allow_insecure_http" }, { { base_url = "https://x/?a" }, "query" },
      { { client_id = "" }, "'client_id' is empty" }, { { client_secret = "a\r\nb" }, "control character" },
      { { client_id = "a\0b" }, "control character" }, { { encoding = "xml" }, "'form' or 'json'" },
    }
    for _, case in ipairs(cases) do
      local ok, err = pcall(fogcloud.new, with(case[1]))
      assert.is_false(ok, case[2])
      assert.is_truthy(err:find(case[2], 1, true), err)
      assert.is_truthy(err:find("spec/api/cloud_spec.lua", 1, true) or err:find("option", 1, true), err)
    end
  end)

  it("takes http to this machine, and elsewhere when told", function()
    for _, url in ipairs { "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80" } do
      assert(fogcloud.new(with { base_url = url }))
    end
    assert(fogcloud.new(with { base_url = "http://example.com", allow_insecure_http = true }))
  end)

  it("finds what is missing in the environment, and says where it looked", function()
    local output = script.run [[
      local ok, err = pcall(require("fogcloud").new)
      io.write(ok and tostring(err) or err:match("set (FOGCLOUD_[%u_]+)"))
    ]]
    assert.equal("FOGCLOUD_BASE_URL", output)
    output = script.run([[io.write(tostring(require("fogcloud").new()))]], "env FOGCLOUD_BASE_URL=https://a.b "
      .. "FOGCLOUD_CLIENT_ID=me FOGCLOUD_CLIENT_SECRET=s3cret " .. script.interpreter())
    assert.equal("fogcloud.Cloud (https://a.b, me)", output)
  end)
end)
