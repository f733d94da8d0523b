-- SPDX-License-Identifier: MIT

-- Tokens, retries and stores against the sandbox: what the virtual clock cannot show.

local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

describe("on the sandbox", function()
  local sandbox, folder

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    sandbox:reset()
    folder = os.tmpname()
    os.remove(folder)
  end)
  after_each(function() os.execute(("rm -rf '%s'"):format(folder)) end)

  -- Runs the code in `n` processes at once; what each printed.
  local function processes(n, code)
    local options = sandbox:options()
    local prologue = ([[
      local fogcloud = require "fogcloud"
      local cloud = fogcloud.new { base_url = %q, client_id = %q, client_secret = %q, store = %q }
    ]]):format(options.base_url, options.client_id, options.client_secret, "file:" .. folder)
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write(prologue, code)
    file:close()
    local pipes, outputs = {}, {}
    for i = 1, n do
      pipes[i] = assert(io.popen(("timeout 60 %s %s 2>&1"):format(script.interpreter(), name)))
    end
    for i = 1, n do
      outputs[i] = pipes[i]:read("*a")
      pipes[i]:close()
    end
    os.remove(name)
    return outputs
  end

  it("a thousand tasks at once on a cold cloud make one token request", function()
    local cloud, done = support.cloud(sandbox), 0
    for _ = 1, 1000 do
      fogcloud.spawn(function()
        assert(cloud:token())
        done = done + 1
      end)
    end
    fogcloud.run()
    assert.equal(1000, done)
    assert.equal(1, sandbox:count { endpoint = "token" })
  end)

  it("eight processes with a shared file store make one token request", function()
    sandbox:fail { endpoint = "token", delay = 0.3 } -- so that all of them ask meanwhile
    local outputs = processes(8, [[io.write(assert(cloud:token()))]])
    for i = 1, 8 do assert.equal(outputs[1], outputs[i]) end
    assert.equal(30, #outputs[1])
    assert.equal(1, sandbox:count { endpoint = "token" })
  end)

  it("eight processes with a shared file store create one client", function()
    local outputs = processes(8, [[io.write(assert(cloud:client("sandbox-app")).clientid)]])
    for i = 1, 8 do assert.equal(outputs[1], outputs[i]) end
    assert.equal(1, sandbox:count { endpoint = "create_client" })
    assert.equal(1, #sandbox:state().clients)
  end)

  it("a lost reply never makes a second client behind the caller's back", function()
    local cloud = support.cloud(sandbox)
    sandbox:fail { endpoint = "create_client", lost = true }
    local none, err = cloud:create_client(sandbox.app_id)
    assert.is_nil(none)
    assert.same({ "network", 1, true }, { err.kind, err.attempts, err.sent })
    assert.equal(1, sandbox:count { endpoint = "create_client" })
    assert.equal(1, #sandbox:state().clients)
    sandbox:fail { endpoint = "create_client", lost = true }
    assert(cloud:create_client(sandbox.app_id, { repeatable = true }))
    assert.equal(3, #sandbox:state().clients)
  end)

  it("a fault of every kind leaves an error of its kind or a result, and the next call works", function()
    local FAULTS = {
      { "api", code = 10000 }, { "api", code = 10050 }, { "auth", code = 10100 }, { "auth", code = 10101 },
      { "api", code = 77777 }, { "http", status = 418, body = "" }, { "http", status = 503, body = "", retry_after = "0" },
      { "http", status = 429, body = "", retry_after = "-1" }, { "http", status = 302, body = "" },
      { "http", status = 503, body = "", retry_after = "Mon, 99 Foo 0000" }, { "protocol", status = 204, body = "" },
      { "network", cut = "before" }, { "network", cut = "during" }, { "network", lost = true }, { "protocol", truncate = 0 },
      { "protocol", truncate = 1 }, { "protocol", truncate = 40 }, { "protocol", body = "<html>" },
      { "protocol", body = "null" }, { "protocol", body = "[]" }, { "protocol", body = "{}" },
      { "protocol", size = 5 * 1024 * 1024 }, { "none", content_type = "text/html" }, { "none", trickle_ms = 1 },
    }
    for i, fault in ipairs(FAULTS) do
      local cloud = support.cloud(sandbox, { random = function() return 0 end }) -- all attempts, without waits
      local expected = table.remove(fault, 1)
      fault.endpoint, fault.count = "products", 0
      sandbox:fail(fault)
      local products, err = cloud:products { timeout = 20 }
      assert.same({ i, expected }, { i, products and "none" or err.kind })
      sandbox:heal()
      assert.equal(2, #assert(cloud:products()))
    end
  end)

  it("cancelling a task ends its request", function()
    local cloud = support.cloud(sandbox)
    assert(cloud:token())
    sandbox:fail { endpoint = "products", delay = 20 }
    local outcome
    local task = fogcloud.spawn(function() outcome = { cloud:products() } end)
    fogcloud.spawn(function()
      while cloud:stats().attempts < 2 do fogcloud.sleep(0.001) end
      task:cancel()
    end)
    fogcloud.run()
    assert.equal("cancelled", outcome[2].kind)
    assert(cloud:products())
  end)

  it("a request id is in the error and in the server's journal", function()
    local cloud = support.cloud(sandbox, { request_id = true })
    local none, err = cloud:create_client("no-such-app")
    assert.is_nil(none)
    assert.equal(1, sandbox:count { request_id = err.request_id })
  end)

  it("grants many devices at once, and shows which were refused", function()
    local devices, ids = {}, {}
    for i = 1, 300 do devices[i], ids[i] = { id = "many" .. i, password = "p" .. i }, "many" .. i end
    sandbox:add { accounts = { { client_id = "bulk", client_secret = "bulk-secret", apps = { "bulk-app" }, products = {},
      devices = devices } } }
    local cloud = support.cloud(sandbox, { client_id = "bulk", client_secret = "bulk-secret" })
    local client = assert(cloud:create_client("bulk-app"))
    sandbox:fail { endpoint = "grant", status = 429, body = "", count = 5 }
    local results = assert(cloud:grant_all(client.clientid, ids))
    assert.equal(300, #results)
    assert.equal(300, #sandbox:state().grants)
    ids[7] = "unknown"
    local none, err = cloud:revoke_all(client.clientid, ids)
    assert.is_nil(none)
    assert.equal(10000, err.results[7].code)
    assert.is_true(err.results[300])
    assert.equal(1, #sandbox:state().grants)
    assert.equal(1, sandbox:count { endpoint = "token" })
  end)

  it("opens a session with a kept client, and with another one after it was refused", function()
    local cloud = support.cloud(sandbox)
    local options = { app_id = sandbox.app_id, devices = { "dev1" }, keep = true }
    local session, err, credentials = cloud:open(options)
    assert(session, err)
    session:close()
    local again, why, same = cloud:open(options)
    assert(again, why)
    assert.equal(credentials.clientid, same.clientid)
    again:close()
    fogcloud.run()
    assert.equal(1, #sandbox:state().clients)
    sandbox:reset() -- the client is gone
    local third, reason, other = cloud:open(options)
    assert(third, reason)
    assert.is_true(other.clientid ~= credentials.clientid)
    assert.same({ { clientid = other.clientid, device_id = "dev1" } }, sandbox:state().grants)
    assert.equal(other.clientid, assert(cloud:client(sandbox.app_id)).clientid)
    third:close()
    fogcloud.run()
    local none, refusal, owned = cloud:open { app_id = sandbox.app_id, devices = { "no-such-device" } }
    assert.is_nil(none)
    assert.equal("api", refusal.kind)
    assert.is_string(owned.password) -- a client was made; the caller gets it
    fogcloud.run()
    for _, wrong in ipairs { { devices = "dev1" }, { colour = 1 }, { app_id = 5 } } do
      assert.has_error(function() cloud:open(wrong) end)
    end
  end)
end)
