-- SPDX-License-Identifier: MIT

-- `fogcloud doctor` against what is well and against what is not.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud doctor", function()
  local sandbox, cli

  Cli.beside_sandbox({ tls = true }, function(...)
    cli, sandbox = ...
    cli:run "client create --name gateway"
    cli:run "permission grant dev1"
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
      "fogcloud", "libcurl", "OpenSSL", "lua-cjson", "file", "configuration", "API TCP", "API TLS", "API token",
      "API products", "clock", "API DNS",
      "MQTT DNS", "MQTT client", "MQTT TCP", "MQTT TLS", "MQTT plain port", "MQTT login", "MQTT permission",
    } do
      assert.truthy(found[name], name .. " was not checked")
      assert.equal("ok", found[name].status, name)
    end
    local out
    out, code = cli:run "doctor"
    assert.equal(0, code)
    assert.truthy(out:find("\nok    MQTT TLS           trusted, for this host, until 2%d%d%d%-"), out)
    local shown = support.shell(("TERM=xterm timeout 60 script -qec \"%s\" /dev/null </dev/null"):format(cli:command "doctor"))
    assert.truthy(shown:find("\27[32mok  \27[0m  MQTT TLS", 1, true), shown)
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
    failing("API TLS", "ca_file", "", cli.environment .. " FOGCLOUD_CA_FILE=/nowhere")
    failing("API TLS", "certificate", "", cli.environment .. " FOGCLOUD_CA_FILE=spec/support/other_ca.pem")
    failing("API TLS", "the connection was closed", "", cli.environment
      .. (" FOGCLOUD_BASE_URL=https://localhost:%d"):format(sandbox.mqtt_port))
    failing("API token", "client_id or client_secret is wrong", "", cli.environment .. " FOGCLOUD_CLIENT_SECRET=x")
    failing("MQTT permission", "no permission", "--device dev2")
    failing("MQTT client", "no client 'nobody'", "--client nobody")
    support.shell(("umask 077; echo '[1]' >%s/list.json"):format(cli.home))
    failing("MQTT client", "field 'mqtthost' must be", ("--credentials %s/list.json"):format(cli.home))
    assert.truthy(doctor("", cli.environment .. " FOGCLOUD_CA_FILE=/nowhere")["API TLS"].remedy:find("PEM", 1, true))
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

  it("notices files that cannot be used, and certificates that end soon", function()
    support.shell(("chmod 644 %s/state/fogcloud/clients.json"):format(cli.home))
    local out, code = cli:run "--json doctor"
    support.shell(("chmod 600 %s/state/fogcloud/clients.json"):format(cli.home))
    assert.equal(1, code)
    assert.truthy(out:find("chmod 600", 1, true), out)
    local kept = cli.home .. "/state/fogcloud"
    local function odd(change, pattern, remedy, back)
      support.shell(change)
      local said, status = cli:run "--json doctor"
      support.shell(back)
      assert.equal(1, status, said)
      local line = cjson.decode((said:match('[^\n]*"fail"[^\n]*')))
      assert.truthy(line.check == "file" and line.detail:find(pattern) and line.remedy:find(remedy, 1, true), said)
    end
    cli:run "token"
    odd(("chmod 644 %s/token*.json"):format(kept), "token.*others may read", "remove it", ("chmod 600 %s/token*.json"):format(kept))
    odd("chmod 777 " .. kept, "fogcloud cannot be used: others", "700 for a folder", "chmod 700 " .. kept)
    odd(("cp -p %s/clients.json %s/good; echo nonsense >%s/clients.json"):format(kept, kept, kept), "holds no JSON object", "correct it",
      ("mv %s/good %s/clients.json"):format(kept, kept))
    local other = support.start { tls = true, cert_days = 3 }
    local theirs = Cli.new(other)
    out, code = theirs:run "doctor"
    assert.equal(0, code)
    assert.truthy(out:find("warn  API TLS            valid until %S+ only\n      %-> have it renewed"), out)
    theirs:close()
    other:stop()
  end)

  it("tells nothing more after SIGINT, above all nothing wrong", function()
    local silent = support.start { tls = true }
    local theirs = Cli.new(silent)
    silent:fail { endpoint = "token", delay = 20, count = 0 }
    local text = support.shell(([[%s >%s/out 2>&1 & pid=$!
      for i in $(seq 400); do grep -q 'API TLS' %s/out && break; sleep 0.05; done
      sleep 0.3; kill -INT $pid; wait $pid; echo code $?; cat %s/out]])
      :format(theirs:command("doctor"):gsub(" timeout 60 ", " "), theirs.home, theirs.home, theirs.home))
    theirs:close()
    silent:stop()
    assert.truthy(text:find("code 1\n", 1, true) and text:find("fogcloud: interrupted\n", 1, true), text)
    assert.is_nil(text:find("FAIL", 1, true))
  end)
end)

describe("what the doctor knows", function()
  local checks = require "fogcloud.cli.checks"

  local function reported(check, ...)
    local found = {}
    check({ add = function(_, name, status, detail, remedy) found[name] = { status, detail, remedy } end }, ...)
    return found
  end

  it("of versions", function()
    local function statuses(more)
      local info = { fogcloud = "1", lua = "Lua", curl = "8.5.0", tls = "OpenSSL/3.0.2", cjson = "2.1.0" }
      info.async_dns = true
      for name, value in pairs(more) do info[name] = value end
      local list = {}
      for name, line in pairs(reported(checks.versions, info)) do
        if line[1] ~= "ok" then list[#list + 1] = name .. " " .. line[1] end
      end
      return table.concat(list, ", ")
    end
    assert.equal("", statuses {})
    assert.equal("libcurl fail", statuses { curl = "7.67.0" })
    assert.equal("libcurl DNS warn", statuses { async_dns = false })
    assert.equal("OpenSSL warn", statuses { tls = "OpenSSL/1.0.2" })
    assert.equal("lua-cjson warn", statuses { cjson = "2.0.9" })
  end)

  it("of clocks", function()
    local function status(seconds)
      local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds)
      return reported(checks.clock, date).clock[1]
    end
    assert.equal("ok", status(0))
    assert.equal("ok", status(-30))
    assert.equal("warn", status(3600))
    assert.equal("warn", status(-3600))
    assert.same({}, reported(checks.clock, nil))
    assert.same({}, reported(checks.clock, "yesterday"))
  end)
end)
