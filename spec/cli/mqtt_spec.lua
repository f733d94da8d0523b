-- SPDX-License-Identifier: MIT

-- `fogcloud sub`, `pub` and `watch`, with each other and with devices of the sandbox.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud", function()
  local sandbox, cli

  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    assert.equal(0, select(2, cli:run "client create --name gateway"))
    assert.equal(0, select(2, cli:run "--quiet permission grant dev1 dev2"))
    support.shell(("umask 077; echo '%s' > %s/device.json"):format(cjson.encode {
      clientid = "device-dev1", loginname = "dev1", password = "dev1-secret", mqtthost = "localhost", sslport = sandbox.tls_port,
    }, cli.home))
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  -- Runs `sub` and, once it listens, a script: what it printed, and its exit code.
  local function sub(arguments, script)
    local out, said = cli.home .. "/out", cli.home .. "/said"
    local text = support.shell(([[
      rm -f %s; %s >%s 2>%s & sub=$!
      for i in $(seq 200); do grep -q listening %s && break; sleep 0.05; done
      { %s; } >&2
      wait $sub; echo "code $?"; cat %s]]):format(said, cli:command("sub " .. arguments), out, said, said, script, out))
    local code, printed = text:match("code (%d+)\n(.*)$")
    return printed, tonumber(code), text
  end
  -- As the device publishes.
  local function pub(arguments) return cli:command(("pub --credentials %s/device.json %s"):format(cli.home, arguments)) end

  it("prints messages as mosquitto_sub would, and counts", function()
    local out, code, text = sub("-C 3 -W 20 -q 1 --format '%t|%p|%q|%l|%x' d2c/dev1/a",
      pub "-q 1 d2c/dev1/a one" .. "; " .. pub "-q 1 d2c/dev1/a 'two two'" .. "; " .. pub "-q 1 d2c/dev1/a 3")
    assert.equal(0, code, text)
    assert.equal("d2c/dev1/a|one|1|3|6f6e65\nd2c/dev1/a|two two|1|7|74776f2074776f\nd2c/dev1/a|3|1|1|33\n", out)
    out = sub("-C 1 -W 20 -v --device dev1", pub "-q 1 d2c/dev1/b x")
    assert.equal("d2c/dev1/b x\n", out)
  end)

  it("gives programs an object a line, bytes that are no text in hexadecimal", function()
    local printed = support.shell(("(sleep 1; %s; printf '\\000\\377' | %s) >/dev/null 2>&1 & %s")
      :format(pub "-q 1 d2c/dev1/j '{\"power\":\"on\"}'", pub "-q 1 -f - d2c/dev1/j",
      cli:command "sub --json -C 2 -W 20 -q 1 d2c/dev1/j"))
    local one, two = printed:match("([^\n]+)\n([^\n]+)")
    one, two = cjson.decode(one), cjson.decode(two)
    assert.same({ "d2c/dev1/j", '{"power":"on"}', 1, false }, { one.topic, one.payload, one.qos, one.retained })
    assert.same({ "00ff", nil }, { two.payload_hex, two.payload })
  end)

  it("ends after its time, with 1 when the count was not reached", function()
    assert.equal(1, select(2, cli:run "sub -C 1 -W 0.3 d2c/dev1/never"))
    assert.equal(0, select(2, cli:run "sub -W 0.3 d2c/dev1/never"))
  end)

  it("publishes lines of standard input, in order, all acknowledged", function()
    local out, code, text = sub("-C 500 -W 30 -q 1 d2c/dev1/n", "seq 500 | " .. pub "-q 1 -l d2c/dev1/n")
    assert.equal(0, code, text)
    local expected = {}
    for i = 1, 500 do expected[i] = tostring(i) end
    assert.equal(table.concat(expected, "\n") .. "\n", out)
    local summary = support.shell("seq 20 | " .. pub "--json -q 1 -l d2c/dev1/n")
    assert.same({ published = 20, acknowledged = 20, failed = 0 }, cjson.decode(summary))
    assert.equal(0, select(2, cli:run "pub --device dev1 commands on"))
  end)

  it("retains, and takes away what is retained", function()
    assert.equal(0, select(2, support.shell(pub "-r -q 1 d2c/dev1/kept old")))
    assert.equal("old 1\n", (cli:run "--quiet sub -C 1 -W 10 --format '%p %r' d2c/dev1/kept"))
    assert.equal(1, select(2, cli:run "sub -R -C 1 -W 0.5 d2c/dev1/kept"))
    assert.equal(0, select(2, support.shell(pub "-r -q 1 -n d2c/dev1/kept")))
    assert.equal(1, select(2, cli:run "sub -C 1 -W 0.5 d2c/dev1/kept"))
  end)

  it("refuses wrong use, and says what a broker refuses", function()
    for _, wrong in ipairs {
      "sub", "sub 'a/#/b'", "sub x --format %z", "pub", "pub topic", "pub topic message -n", "pub 'a/+' x", "sub x --client nobody",
      "pub x y --credentials /nowhere", "watch", "sub x -q 3",
    } do
      local _, code, said = cli:run(wrong)
      assert.equal(2, code, wrong .. ": " .. said)
      assert.truthy(said:find("^fogcloud: "), said)
    end
    local _, code, said = cli:run "sub d2c/nobodys/status -W 5"
    assert.equal(1, code, said)
    local credentials = cli.home .. "/credentials.json"
    local function write(port)
      local other = { clientid = "x", loginname = "l", password = "p", mqtthost = "localhost", sslport = port }
      support.shell(("umask 077; echo '%s' > %s"):format(cjson.encode(other), credentials))
    end
    write(sandbox.tls_port)
    _, code, said = cli:run("sub x --credentials " .. credentials)
    assert.equal(3, code, said)
    write(1)
    _, code, said = cli:run("sub x --credentials " .. credentials)
    assert.equal(4, code, said)
  end)

  it("ends cleanly on SIGINT, and says how many", function()
    local said, code = support.shell("timeout --preserve-status -s INT 2 " .. (cli:command "sub d2c/dev1/i":gsub(" timeout 60 ", " ")))
    assert.equal(0, code, said)
    assert.truthy(said:find("0 messages\n$"), said)
  end)

  it("watches a device: lines elsewhere, redrawn in place on a terminal", function()
    local device = assert(sandbox:device "dev1")
    assert(device:report("status", { power = "on", watts = 7 }))
    local report = [[
      local sandbox = require("fogcloud.sandbox").attach()
      local device = sandbox:device "dev1"
      require("fogcloud").spawn(function()
        for i = 1, 20 do device:report("status", { power = "on", watts = i }) require("fogcloud").sleep(0.1) end
        device:close()
      end)
      require("fogcloud").run()]]
    local path = cli.home .. "/report.lua"
    local file = assert(io.open(path, "w"))
    file:write(report)
    file:close()
    device:close()
    local beside_it = ("(sleep 0.5; env %s %s %s) & "):format(cli.environment, cli.program:match("%S+"), path)
    local out, code = support.shell(beside_it .. cli:command "watch dev1 -W 3")
    assert.equal(0, code, out)
    assert.truthy(out:find("dev1 status power=on  watts=20\n", 1, true), out)
    out = support.shell(beside_it .. ("timeout 20 script -qec \"%s\" /dev/null </dev/null"):format(cli:command "watch dev1 dev2 -W 3"))
    assert.truthy(out:find("\27[2A\r\27[K", 1, true), out)
    assert.truthy(out:find("dev1              status        0s    power=on  watts=20", 1, true), out)
    assert.truthy(out:find("dev2              nothing heard yet", 1, true), out)
    out = support.shell(beside_it .. cli:command "watch --json dev1 -W 3")
    assert.equal("status", cjson.decode((out:match("[^\n]+"))).channel)
  end)
end)
