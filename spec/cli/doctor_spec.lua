-- SPDX-License-Identifier: MIT

-- `fogcloud doctor` against what is well and against what is not.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud doctor", function()
  local sandbox, cli

  setup(function()
    sandbox = support.start { tls = true }
    cli = Cli.new(sandbox)
    cli:run "client create --name gateway"
    cli:run "permission grant dev1"
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  -- The checks by name, and the exit code.
  local function doctor(arguments, environment)
    local out, code, said = cli:run("--json doctor " .. (arguments or ""), environment)
    local found = {}
    for line in out:gmatch("[^\n]+") do
      local one = cjson.decode(line)
      found[one.check] = one
    end
    return found, code, said
  end

  it("finds nothing wrong where nothing is", function()
    local found, code, said = doctor "--device dev1"
    assert.equal(0, code, said)
    for _, name in ipairs {
      "fogcloud", "libcurl", "Paho MQTT C", "OpenSSL", "lua-cjson", "file", "configuration", "API TCP", "API TLS", "API token",
      "API products", "clock", "MQTT client", "MQTT TCP", "MQTT TLS", "MQTT plain port", "MQTT login", "MQTT permission",
    } do
      assert.truthy(found[name], name .. " was not checked")
      assert.equal("ok", found[name].status, name)
    end
    local out
    out, code = cli:run "doctor"
    assert.equal(0, code)
    assert.truthy(out:find("\nok    MQTT TLS           trusted, for this host, until 2%d%d%d%-"), out)
  end)

  it("names what fails, and what to do", function()
    local function failing(name, pattern, arguments, environment)
      local found, code, said = doctor(arguments, environment)
      assert.equal(1, code, said)
      assert.equal("fail", (found[name] or {}).status, name .. ": " .. said)
      assert.truthy(found[name].detail:find(pattern), found[name].detail)
      assert.truthy(#found[name].remedy > 10)
    end
    failing("configuration", "option 'base_url' is missing", "", "HOME=" .. cli.home .. " XDG_CONFIG_HOME=/nowhere XDG_STATE_HOME=/nowhere")
    failing("API DNS", "^nowhere%.invalid:443: ", "", cli.environment .. " FOGCLOUD_BASE_URL=https://nowhere.invalid")
    failing("API TCP", "Connection refused", "", cli.environment .. " FOGCLOUD_BASE_URL=https://localhost:1")
    failing("API TLS", "certificate", "", cli.environment .. " FOGCLOUD_CA_FILE=spec/support/other_ca.pem")
    failing("API TLS", "the connection was closed", "", cli.environment
      .. (" FOGCLOUD_BASE_URL=https://localhost:%d"):format(sandbox.mqtt_port))
    failing("API token", "client_id or client_secret is wrong", "", cli.environment .. " FOGCLOUD_CLIENT_SECRET=x")
    failing("MQTT permission", "no permission", "--device dev2")
    failing("MQTT client", "no client 'nobody'", "--client nobody")
  end)

  it("tells an expired certificate from one for another host, and a login that is refused", function()
    local cases = { { { cert_days = -1 }, "expired", "clock" }, { { cert_host = "elsewhere" }, "[Hh]ostname mismatch", "by the name" } }
    for _, case in ipairs(cases) do
      local other = support.start(case[1])
      local theirs = Cli.new(other)
      theirs:run "client create"
      local out = theirs:run "--json doctor"
      local tls = cjson.decode((out:match('[^\n]*"MQTT TLS"[^\n]*')))
      assert.truthy(tls.detail:find(case[2]), tls.detail)
      assert.truthy(tls.remedy:find(case[3], 1, true), tls.remedy)
      theirs:close()
      other:stop()
    end
    local path = cli.home .. "/refused.json"
    support.shell(("umask 077; echo '%s' > %s"):format(cjson.encode {
      clientid = "x", loginname = "l", password = "p", mqtthost = "localhost", sslport = sandbox.tls_port }, path))
    local found, code = doctor("--credentials " .. path)
    assert.equal(1, code)
    assert.equal("fail", found["MQTT login"].status)
    assert.truthy(found["MQTT login"].remedy:find("client create", 1, true))
  end)

  it("notices files that others can read, clocks that are off, and certificates that end soon", function()
    support.shell(("chmod 644 %s/state/fogcloud/clients.json"):format(cli.home))
    local out, code = cli:run "--json doctor"
    support.shell(("chmod 600 %s/state/fogcloud/clients.json"):format(cli.home))
    assert.equal(1, code)
    assert.truthy(out:find("chmod 600", 1, true), out)
    local other = support.start { tls = true, cert_days = 3 }
    local theirs = Cli.new(other)
    out, code = theirs:run "doctor"
    assert.equal(0, code)
    assert.truthy(out:find("warn  API TLS            valid until %S+ only\n      %-> have it renewed"), out)
    theirs:close()
    other:stop()
  end)
end)
