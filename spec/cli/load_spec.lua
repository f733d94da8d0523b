-- SPDX-License-Identifier: MIT

-- `fogcloud bench` and `fogcloud simulate`: what they do and count, not how fast.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud", function()
  local sandbox, cli

  Cli.beside_sandbox({ mqtt_faults = true }, function(...)
    cli, sandbox = ...
    cli:run "client create"
    cli:run "permission grant dev1"
    cli:keep_device("dev1", sandbox)
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

  it("bench publish times acknowledgements", function()
    local device = ("--credentials %s/device.json"):format(cli.home)
    local out, code = cli:run("--json bench publish d2c/dev1/b --count 200 --rate 400 -q 1 " .. device)
    assert.equal(0, code, out)
    local ms = cjson.decode(out).latency_ms
    assert.truthy(ms.p50 > 0 and ms.p50 <= ms.p90 and ms.p90 <= ms.p99 and ms.p99 <= ms.p999 and ms.p999 <= ms.max, out)
    out = cli:run("--json bench publish d2c/dev1/b --count 50 " .. device)
    assert.is_nil(cjson.decode(out).latency_ms) -- of QoS 0 nothing is known
    -- The broker's words are held back, which a time-out of the whole would not show.
    sandbox:fail_mqtt { puback_delay_ms = 300 }
    out = cli:run("--json bench publish d2c/dev1/b --count 5 -q 1 " .. device)
    sandbox:heal_mqtt()
    assert.truthy(cjson.decode(out).latency_ms.p50 >= 300, out)
  end)

  it("bench refuses numbers that make no sense, and says of which option", function()
    for _, wrong in ipairs {
      "call --concurrency 1.5", "call --concurrency 0", "call --concurrency 1e9", "call --count=-1", "call --count x",
      "publish x --size 1e12", "publish x --size 31",
      "publish x --rate=-1", "publish x --rate 1e999", "receive x --seconds 0", "receive x --count 0.5",
    } do
      local _, code, said = cli:run("bench " .. wrong)
      assert.equal(2, code, wrong)
      assert.truthy(said:find("^fogcloud: " .. wrong:match "%-%-%l+":gsub("%-", "%%-") .. ": "), said)
    end
  end)

  it("bench call tells a part from the whole", function()
    sandbox:fail { endpoint = "products", code = 10000, count = 3 }
    assert.equal(5, select(2, cli:run "--json bench call --count 10"))
    sandbox:fail { endpoint = "products", code = 10000, count = 0 }
    assert.equal(1, select(2, cli:run "--json bench call --count 10"))
    sandbox:heal()
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

  it("simulate counts what was delivered, and delivers what was said", function()
    local path, heard = scenario [[
      return { run = function(device)
        for i = 1, 500 do device:report("count", { i = i }) end
        require("fogcloud").sleep(60)
      end }]], cli.home .. "/heard"
    support.shell(("%s >/dev/null"):format(cli:command "--quiet permission grant simulated1"))
    sandbox:fail_mqtt { rate = 10000 } -- so that it takes longer than the simulation
    local subscriber, simulation = cli:command "sub -q 1 d2c/simulated1/# -C 500 -W 20",
      cli:command(("--json simulate %s -N 1 -W 1"):format(path))
    local out = support.shell(([[%s >%s 2>%s.said &
      for i in $(seq 400); do grep -q listening %s.said && break; sleep 0.05; done; %s; wait]])
      :format(subscriber, heard, heard, heard, simulation))
    sandbox:heal_mqtt()
    assert.equal(500, cjson.decode((out:match "{[^\n]*}")).reports)
    assert.equal("500\n", (support.shell("grep -c . " .. heard)))
  end)

  it("simulate ends when a scenario's credentials throw or make no sense", function()
    for _, wrong in ipairs { "error 'no such device'", "return nil", "return {}", "return 5",
      "return { clientid = 'x', loginname = 'a/b', password = 'p', mqtthost = 'localhost', sslport = 1 }" } do
      local _, code, said = cli:run(("simulate %s -N 3 -W 30 --timeout 2"):format(
        scenario("return { credentials = function() " .. wrong .. " end, run = function() end }")))
      assert.truthy(code == 1 or code == 4, said)
      assert.is_nil(said:find("traceback", 1, true), said)
    end
    for _, wrong in ipairs { "-N 0", "-N 1.5", "-W 0", "-N x" } do
      local _, code, said = cli:run(("simulate %s %s"):format(scenario "return { run = function() end }", wrong))
      assert.equal(2, code)
      assert.truthy(said:find("^fogcloud: %-%-%l+: "), said)
    end
  end)

  it("works without the sandbox's rock, and says where that is needed", function()
    local tree = cli.home .. "/tree"
    support.shell(([[mkdir -p %s/lua %s/bin && cp -r lua/fogcloud %s/lua/ && cp bin/fogcloud %s/bin/ &&
      rm -r %s/lua/fogcloud/sandbox %s/lua/fogcloud/cli/sandbox.lua]]):format(tree, tree, tree, tree, tree, tree))
    local function run(arguments)
      -- The paths of the checkout have the sandbox.
      local environment = cli.environment .. " LUA_PATH=';;' LUA_CPATH=';;' FOGCLOUD_BUILD=" .. os.getenv("FOGCLOUD_BUILD")
      return support.shell((cli:command(arguments, environment):gsub("bin/fogcloud", tree .. "/bin/fogcloud")))
    end
    assert.equal(0, select(2, run "product list"))
    for _, arguments in ipairs { "sandbox", "sandbox --port 1", "simulate " .. scenario "return { run = function() end }" } do
      local said, code = run(arguments)
      assert.equal(2, code, said)
      assert.truthy(said:find("sandbox", 1, true) and not said:find("no field package", 1, true), said)
    end
    assert.truthy((run "sandbox"):find("rock fogcloud-sandbox", 1, true))
  end)
end)
