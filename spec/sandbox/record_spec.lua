-- SPDX-License-Identifier: MIT

-- A part of the timeline becomes a test: written for busted, for pytest and for `fogcloud sandbox replay`, run unchanged,
-- and failing where something else happens.
local cjson = require "cjson"
local hints = require "fogcloud.sandbox.hints"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local TOKEN, CLIENT, PERMISSION, PRODUCTS = "token/", "mqtt/client/", "mqtt/permission/", "product/ids/"

describe("a recording", function()
  local sandbox, folder

  before_each(function()
    sandbox = support.start { devices = 30 }
    folder = support.shell("mktemp -d"):match "%S+"
  end)
  after_each(function()
    sandbox:stop()
    support.shell("rm -rf " .. folder)
  end)

  -- A call of the API, by curl: its data.
  local function call(method, path, token, args)
    local said = support.shell(("curl -s -X %s %s %s %s/v3/open_api/%s"):format(method,
      token and ("-H 'Authorization: Bearer %s'"):format(token) or "", args or "", sandbox.url, path))
    local ok, reply = pcall(cjson.decode, said)
    return ok and type(reply) == "table" and reply.data or nil
  end

  local function new_token()
    local form = "-d grant_type=client_credentials -d client_id=sandbox-key-id -d client_secret=sandbox-key-secret"
    return call("POST", TOKEN, nil, form).access_token
  end

  local function new_client(token) return call("POST", CLIENT, token, "-d app_id=sandbox-app") end

  local function permit(method, token, client, device)
    return call(method, PERMISSION, token, ("-d client_id=%s -d device_id=%s"):format(client.clientid, device))
  end

  local function publish(id, login, password, topic, more)
    return support.shell(("mosquitto_pub -h 127.0.0.1 -p %d -i '%s' -u %s -P '%s' -t %s %s"):format(sandbox.mqtt_port, id, login, password,
      topic, more or "-q 1 -m hello"))
  end

  local function device(id, topic, more) return publish("d-" .. id, id, id .. "-secret", topic, more) end

  -- Somebody who listens until `done` is true, in the background: started once the broker has its subscription.
  local function listen(client, filter)
    local before = #sandbox:timeline()
    support.shell(("mosquitto_sub -h 127.0.0.1 -p %d -i %s -u %s -P '%s' -q 1 -t '%s' >/dev/null 2>&1 & echo $! >%s/pid"):format(
      sandbox.mqtt_port, client.clientid, client.loginname, client.password, filter, folder))
    local subscribed
    repeat
      for _, entry in ipairs(sandbox:timeline(before)) do subscribed = subscribed or entry.kind == "subscribe" end
    until subscribed
    return function() support.shell(("kill $(cat %s/pid)"):format(folder)) end
  end

  local function last() return #sandbox:timeline() end

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
    return folder .. "/" .. name
  end

  local PROGRAM = script.interpreter() .. " bin/fogcloud"

  local RUN = {
    busted = function(text)
      return support.shell(("timeout 60 %s /usr/bin/busted %s"):format(script.interpreter(), write("made_spec.lua", text)))
    end,
    pytest = function(text)
      local program = write("fogcloud", "#!/bin/sh\nexec " .. PROGRAM .. ' "$@"\n')
      support.shell("chmod +x " .. program)
      return support.shell(("FOGCLOUD=%s timeout 60 /usr/bin/python3 -B -m pytest -q -p no:cacheprovider %s"):format(program,
        write("test_made.py", text)))
    end,
    json = function(text) return support.shell(("timeout 60 %s sandbox replay %s"):format(PROGRAM, write("made.json", text))) end,
  }

  local function made(after, as) return sandbox:spec(after or 0, nil, as) end

  local function passes(after)
    for _, as in ipairs { "busted", "pytest", "json" } do
      local text = made(after, as)
      local said, code = RUN[as](text)
      assert(code == 0, ("%s\n%s\n%s"):format(as, said, text))
    end
  end

  local function fails(as, pattern, replacement)
    local text, count = made(0, as):gsub(pattern, replacement, 1)
    assert.equal(1, count, text)
    local said, code = RUN[as](text)
    assert.is_true(code ~= 0, said)
  end

  it("does again what was called, taken or refused", function()
    local token = new_token()
    local client = new_client(token)
    permit("POST", token, client, "dev1")
    permit("POST", token, client, "nobody")
    permit("POST", token, { clientid = "nobody" }, "dev1")
    permit("DELETE", token, client, "dev1")
    call("GET", PRODUCTS, token)
    call("GET", PRODUCTS)
    call("GET", PRODUCTS, "nonsense")
    call("GET", "product/ids", token)
    call("PUT", PRODUCTS, token)
    call("POST", CLIENT, token)
    call("POST", CLIENT, token, [[-H 'Content-Type: application/json' -d '{"app_id":5}']])
    call("POST", CLIENT, token, [[-H 'Content-Type: application/json' -d '{"app_id":"sandbox-app"}']])
    call("POST", CLIENT, token, "-H 'Content-Type: application/json' -d '{'")
    call("POST", CLIENT, token, "-d 'app_id=it%27s \"x\" %C3%A4%5C'")
    call("POST", TOKEN, nil, "-d grant_type=client_credentials -d client_id=sandbox-key-id -d client_secret=mistaken")
    call("POST", TOKEN, nil, "-d grant_type=password -d client_id=a -d client_secret=b")
    passes()
    fails("busted", "status = 401", "status = 200")
    fails("pytest", "code=10101", "code=0")
    fails("json", '"code": 10101', '"code": 0')
    local text = made(0, "busted")
    assert.is_truthy(text:find("-- with device_id=dev1 it is taken:\n", 1, true))
    assert.is_truthy(text:find("-- with a parameter app_id it is taken:\n", 1, true))
    assert.is_nil(text:find("mistaken", 1, true))
    assert.is_nil(text:find(token, 1, true))
  end)

  it("with faults, the clock, the life of tokens and switches between", function()
    local token = new_token()
    sandbox:fail { endpoint = "products", code = 10050, count = 2 }
    call("GET", PRODUCTS, token)
    call("GET", PRODUCTS, token)
    call("GET", PRODUCTS, token)
    for _, cut in ipairs { "before", "during", "after" } do
      sandbox:fail { endpoint = "products", cut = cut }
      call("GET", PRODUCTS, token)
    end
    sandbox:fail { endpoint = "create_client", lost = true }
    new_client(token)
    sandbox:fail { status = 503, retry_after = "1", body = "busy" }
    call("GET", PRODUCTS, token)
    sandbox:fail { endpoint = "products", code = 10000, probability = 0.5, count = 0 }
    for _ = 1, 12 do call("GET", PRODUCTS, token) end
    sandbox:heal()
    sandbox:freeze()
    sandbox:advance(604801)
    call("GET", PRODUCTS, token)
    sandbox:freeze(false)
    local second = new_token()
    sandbox:token_life(10)
    sandbox:revoke_token(second)
    call("GET", PRODUCTS, second)
    sandbox:always_200(true)
    call("GET", PRODUCTS, second)
    call("GET", "nowhere")
    passes()
    fails("busted", 'r:control%("POST clock", { advance = 604801 }%)', "")
  end)

  it("with messages, those who get them, and those who do not", function()
    local token = new_token()
    local client = new_client(token)
    permit("POST", token, client, "dev1")
    device("dev1", "d2c/dev1/status", "-q 1 -r -m kept")
    local stop = listen(client, "d2c/+/status")
    device("dev1", "d2c/dev1/status")
    device("dev1", "d2c/dev1/status", "-q 0 -m zero")
    device("dev1", "d2c/dev1/status", "-q 2 -m two")
    device("dev1", "d2c/dev1/other")
    device("dev2", "d2c/dev2/status") -- no permission: withheld
    device("dev2", "d2c/dev1/status", "-q 1 -m forged")
    publish("x", "dev1", "mistaken", "d2c/dev1/status")
    local binary = "printf '\\001\\377\"' | mosquitto_pub -h 127.0.0.1 -p %d -i b -u dev1 -P dev1-secret -t d2c/dev1/status -q 1 -s"
    support.shell(binary:format(sandbox.mqtt_port))
    permit("DELETE", token, client, "dev1")
    device("dev1", "d2c/dev1/status", "-q 1 -m revoked")
    permit("POST", token, client, "dev2")
    device("dev2", "d2c/dev2/status", "-q 1 -m 'it''s \"fine\"'")
    stop()
    publish(client.clientid, client.loginname, client.password, "c2d/dev2/commands")
    passes()
    fails("busted", '"kept" }, ', '"lost" }, ')
    fails("pytest", 'b"zero"%), ', 'b"none"), ')
    fails("json", '"two"%]', '"three"]')
    fails("busted", 'device_id = "dev1" }, status', 'device_id = "dev2" }, status') -- another permission: other messages
  end)

  it("from its middle, with what was there before", function()
    local token = new_token()
    local client = new_client(token)
    permit("POST", token, client, "device7")
    sandbox:add { accounts = { { client_id = "b", client_secret = "s", apps = { "app-b" } } } }
    sandbox:fail { endpoint = "products", code = 10050 }
    local stop = listen(client, "d2c/#")
    local middle = last()
    call("GET", PRODUCTS, token)
    device("device7", "d2c/device7/status")
    permit("POST", token, client, "device8")
    device("device8", "d2c/device8/status")
    stop()
    call("POST", TOKEN, nil, "-d grant_type=client_credentials -d client_id=b -d client_secret=s")
    passes(middle)
    local text = made(middle, "busted")
    assert.is_truthy(text:find('"app-b"', 1, true))
    assert.is_truthy(text:find('"device8"', 1, true))
    assert.is_nil(text:find('"device9"', 1, true)) -- nobody needs it
    sandbox:advance(604801)
    middle = last()
    call("GET", PRODUCTS, token)
    passes(middle)
    token = new_token()
    sandbox:revoke_token()
    middle = last()
    call("GET", PRODUCTS, token)
    passes(middle)
  end)

  it("over a reset, devices that the sandbox played, and messages of the broker's own", function()
    local function control(path, body)
      support.shell(("curl -s -d '%s' %s/_sandbox/%s"):format(cjson.encode(body), sandbox.url, path))
    end
    local client = new_client(new_token())
    control("grants", { client_id = client.clientid, device_id = "dev1" })
    control("play", { device = "dev1" })
    repeat local seen = made(0, "busted"):find('r:subscribe { who = "device1"', 1, true) until seen
    control("publish", { topic = "c2d/dev1/commands", payload = "on" })
    repeat local seen = made(0, "busted"):find('messages = { { "c2d/dev1/commands"', 1, true) until seen
    control("report", { device = "dev1", channel = "status", payload = "off" })
    repeat local seen = made(0):find('"off"', 1, true) until seen
    sandbox:reset()
    call("GET", PRODUCTS, new_token())
    passes()
    fails("busted", "r:expect { who = \"device1\", messages = { { [^}]* } } }", 'r:expect { who = "device1", messages = {} }')
  end)

  it("is written and done again from a shell", function()
    local function shell(arguments)
      return support.shell(("FOGCLOUD_BASE_URL=%s timeout 60 %s sandbox %s"):format(sandbox.url, PROGRAM, arguments))
    end
    new_token()
    local file = folder .. "/recorded.json"
    support.shell(("FOGCLOUD_BASE_URL=%s %s sandbox record -o %s 2>%s/note & pid=$!; until [ -s %s/note ]; do sleep 0.02; done;"
      .. " curl -s %s/v3/open_api/product/ids/ >/dev/null; kill -INT $pid; wait $pid"):format(sandbox.url, PROGRAM, file, folder,
      folder, sandbox.url))
    local said, code = shell("replay " .. file)
    assert.equal(0, code, said)
    assert.matches("ok   call GET /v3/open_api/product/ids/\n", said)
    assert.matches("1 steps, as they were", said)
    said, code = shell "record --all --as busted"
    assert.equal(0, code)
    assert.matches('saves_token = "token1"', said)
    local other = '{"options":{},"steps":[{"op":"call","method":"GET","path":"/x","status":200}]}'
    assert.equal(1, select(2, shell("replay " .. write("other.json", other))))
    assert.equal(2, select(2, shell("replay " .. write("none.json", "{}"))))
    assert.equal(2, select(2, shell "replay /nothing/there"))
    assert.equal(2, select(2, shell "record --as cobol"))
  end)
end)

describe("a hint", function()
  it("names the near call that is taken", function()
    local account = { client_id = "key", apps = { "app" }, devices = { { id = "lamp" } } }
    for message, words in pairs {
      ["parameter device_id is required"] = "a parameter device_id", ["parameter app_id must be a string"] = "a string as app_id",
      ["grant_type must be client_credentials"] = "grant_type=client_credentials", ["app_id is unknown"] = "app_id=app",
      ["client_id or client_secret is wrong"] = "client_id=key and its client_secret", ["device_id is unknown"] = "device_id=lamp",
      ["client_id is unknown"] = "the clientid of a client", ["the body is not a JSON object"] = "a JSON object",
    } do
      local hint = hints.of({ code = 10000, message = message }, account)
      assert.is_truthy(hint and hint:find(words, 1, true), message)
    end
    assert.matches("a token", hints.of({ code = 10101, message = "token is error" }, account))
    assert.matches("fault", hints.of({ code = 10050, message = "x", fault = 1 }, account))
    assert.is_nil(hints.of({ code = 0 }, account))
    assert.is_nil(hints.of({ code = 10050, message = "?" }, { client_id = "key" }))
  end)
end)
