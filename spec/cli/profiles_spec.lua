-- SPDX-License-Identifier: MIT

-- Two clouds, a profile of each and a client of each: every command speaks with the cloud that is meant.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud with two profiles", function()
  local clouds, cli, bare

  setup(function()
    clouds = { staging = support.start(), prod = support.start() }
    cli = Cli.new(clouds.staging)
    bare = ("HOME=%s XDG_CONFIG_HOME=%s/config XDG_STATE_HOME=%s/state"):format(cli.home, cli.home, cli.home)
    for name, sandbox in pairs(clouds) do
      local login = ("--profile %s login --base-url %s --access-key %s --app %s --ca-file %s"):format(name, sandbox.url,
        sandbox.account.client_id, sandbox.app_id, sandbox.ca_file)
      assert.equal(0, select(2, cli:run(login, bare .. " FOGCLOUD_CLIENT_SECRET=" .. sandbox.account.client_secret)))
    end
  end)
  teardown(function()
    cli:close()
    for _, sandbox in pairs(clouds) do sandbox:stop() end
  end)

  local function run(arguments, environment) return cli:run(arguments, bare .. " " .. (environment or "")) end

  it("finds no client of another cloud", function()
    assert.equal(0, select(2, run "--profile staging client create --name s"))
    for _, arguments in ipairs { "pub x y", "sub x", "watch dev1", "bench receive x" } do
      local _, code, said = run("--profile prod " .. arguments)
      assert.equal(2, code, said)
      assert.truthy(said:find("no client of this account", 1, true), said)
    end
  end)

  it("uses the client of the profile that a flag, a variable or the person's choice names", function()
    assert.equal(0, select(2, run "--profile prod client create --name p"))
    assert.equal(0, select(2, run "--profile prod --quiet permission grant dev1"))
    local device = assert(clouds.prod:device "dev1")
    local heard = {}
    device:on_command(function(value) heard[#heard + 1] = value end)
    local function publish(n, arguments, environment)
      local _, code, said = run(("%s pub -q 1 --device dev1 commands %d"):format(arguments, n), environment)
      assert.equal(0, code, said)
      support.serve_until(function() return heard[n] == n end)
    end
    publish(1, "--profile prod")
    publish(2, "", "FOGCLOUD_PROFILE=prod")
    assert.equal(0, select(2, run "profile use prod"))
    publish(3, "")
    publish(4, "", "FOGCLOUD_BASE_URL=" .. clouds.prod.url .. " FOGCLOUD_PROFILE=staging FOGCLOUD_CLIENT_ID="
      .. clouds.prod.account.client_id .. " FOGCLOUD_CA_FILE=" .. clouds.prod.ca_file)
    device:close()
  end)

  it("trusts the authorities of the flag, the variable, the profile, in this order", function()
    local wrong = "spec/support/other_ca.pem"
    assert.equal(0, select(2, run("--profile prod pub -q 0 x y --ca-file " .. clouds.prod.ca_file, "FOGCLOUD_CA_FILE=" .. wrong)))
    assert.equal(4, select(2, run("--profile prod pub -q 0 x y", "FOGCLOUD_CA_FILE=" .. wrong)))
    assert.equal(4, select(2, run("--profile staging pub -q 0 x y --client s --ca-file " .. wrong)))
    assert.equal(0, select(2, run "--profile staging pub -q 0 x y"))
  end)

  it("examines the same client as it uses", function()
    for profile, name in pairs { staging = "s", prod = "p" } do
      local out, code = run(("--profile %s --json doctor"):format(profile))
      assert.equal(0, code, out)
      local client = cjson.decode((out:match('[^\n]*"MQTT client"[^\n]*')))
      local kept = cjson.decode((run(("--profile %s --json client list"):format(profile))))
      assert.same({ kept.clientid, name }, { client.detail, kept.name })
    end
  end)
end)
