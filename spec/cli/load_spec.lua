-- SPDX-License-Identifier: MIT

-- `fogcloud bench` and `fogcloud simulate`: what they do and count, not how fast.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud", function()
  local sandbox, cli

  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    cli:run "client create"
    cli:run "permission grant dev1"
    support.shell(("umask 077; echo '%s' > %s/device.json"):format(cjson.encode {
      clientid = "device-dev1", loginname = "dev1", password = "dev1-secret", mqtthost = "localhost", sslport = sandbox.tls_port,
    }, cli.home))
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  local function scenario(text)
    local path = cli.home .. "/scenario.lua"
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return path
  end

  it("bench call makes the calls that it counts", function()
    local before = sandbox:count { endpoint = "products" }
    local out, code = cli:run "--json bench call --count 300 --concurrency 8"
    assert.equal(0, code)
    local summary = cjson.decode(out)
    assert.same({ 300, 0 }, { summary.count, summary.failed })
    assert.equal(300, sandbox:count { endpoint = "products" } - before)
    local ms = summary.latency_ms
    assert.truthy(ms.p50 > 0 and ms.p50 <= ms.p90 and ms.p90 <= ms.p99 and ms.p99 <= ms.p999 and ms.p999 <= ms.max)
    out = cli:run "bench call --count 10"
    assert.truthy(out:find("^10 calls in [%d.]+ s: %d+/s\nlatency in ms: p50 [%d.]+, p90"), out)
  end)

  it("bench publish and receive count the same messages, and time them", function()
    local command = ("%s & sub=$!; for i in $(seq 100); do grep -q listening %s/said && break; sleep 0.05; done; %s; wait $sub")
      :format(cli:command "bench receive d2c/dev1/b --count 2000 --seconds 20 -q 1" .. (" 2>%s/said"):format(cli.home), cli.home,
      cli:command(("bench publish d2c/dev1/b --count 2000 --size 100 -q 1 --credentials %s/device.json"):format(cli.home)))
    local out = support.shell(command)
    local _, lines = out:gsub("2000 messages in [%d.]+ s: %d+/s, [%d.]+ MB/s\n", "")
    assert.equal(2, lines, out)
    assert.truthy(out:find("latency in ms: p50 [%d.]+, p90 "), out)
    out = cli:run(("--json bench publish d2c/dev1/b --count 50 --rate 100 -q 1 --credentials %s/device.json"):format(cli.home))
    local summary = cjson.decode(out)
    assert.equal(50, summary.count)
    assert.truthy(summary.seconds >= 0.45, "it keeps the rate")
  end)

  it("bench ends with its summary on SIGINT", function()
    local out, code = support.shell("timeout --preserve-status -s INT 2 "
      .. (cli:command "--quiet bench receive d2c/dev1/b --seconds 60":gsub(" timeout 60 ", " ")))
    assert.equal(0, code, out)
    assert.truthy(out:find("^0 messages in "), out)
  end)

  it("simulate runs a scenario for each device, which obeys commands", function()
    local path = scenario [[
      local fogcloud = require "fogcloud"
      return { run = function(device)
        device:on_command(function(command) device:report("status", { power = command.power }) end)
        for i = 1, 5 do device:report("count", { i = i }) end
        fogcloud.sleep(60)
      end }]]
    support.shell(("for i in 1 2 3; do %s >/dev/null; done"):format(cli:command "permission grant dev1"))
    local run = ("%s >%s/simulated & sim=$!; sleep 1.5; %s; %s; wait $sim; echo code $?; cat %s/simulated"):format(
      cli:command(("--json simulate %s -N 30 -W 4"):format(path)), cli.home, cli:command "--quiet permission grant simulated7",
      cli:command "pub -q 1 --device simulated7 commands '{\"power\":\"on\"}'", cli.home)
    local out = support.shell(run)
    local code, json = out:match("code (%d+)\n(.*)")
    assert.equal("0", code, out)
    local summary = cjson.decode(json)
    assert.same({ 30, 30, 0, 0, 1, 151 },
      { summary.devices, summary.up, summary.failed, summary.broken, summary.commands, summary.reports })
  end)

  it("simulate says what is wrong with a scenario, or with its devices", function()
    assert.equal(2, select(2, cli:run "simulate /nowhere"))
    assert.equal(2, select(2, cli:run("simulate " .. scenario "return {")))
    assert.equal(2, select(2, cli:run("simulate " .. scenario "return {}")))
    local _, code, said = cli:run(("simulate %s -N 3 -W 10"):format(scenario "return { run = function() error 'oh no' end }"))
    assert.equal(5, code, said)
    assert.truthy(said:find("oh no", 1, true), said)
    _, code, said = cli:run(("simulate %s -N 2 -W 10"):format(scenario(([[return {
      credentials = function() return { clientid = "x", loginname = "l", password = "p", mqtthost = "localhost", sslport = %d } end,
      run = function() end }]]):format(sandbox.tls_port))))
    assert.equal(3, code, said)
  end)
end)
