-- SPDX-License-Identifier: MIT

-- `fogcloud sub`, `pub` and `watch`, with each other and with devices of the sandbox.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud", function()
  local sandbox, cli

  Cli.beside_sandbox({ mqtt_faults = true }, function(...)
    cli, sandbox = ...
    assert.equal(0, select(2, cli:run "client create --name gateway"))
    assert.equal(0, select(2, cli:run "--quiet permission grant dev1 dev2"))
    cli:keep_device("dev1", sandbox)
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

  it("prints a message once, however many filters match", function()
    local out = sub("-C 2 -W 20 -q 1 -v 'd2c/dev1/#' d2c/dev1/status -t 'd2c/+/status'",
      pub "-q 1 d2c/dev1/status one" .. "; " .. pub "-q 1 d2c/dev1/other two")
    assert.equal("d2c/dev1/status one\nd2c/dev1/other two\n", out)
  end)

  it("says nothing of a link that it ended itself, and why a message was refused", function()
    local _, code, said = cli:run "pub -q 1 --device dev1 commands on"
    assert.same({ 0, "" }, { code, said })
    _, code, said = cli:run "pub -q 1 c2d/nobodys/commands on"
    assert.equal(1, code)
    assert.truthy(said:find("no permission for this topic", 1, true), said)
    assert.is_nil(said:find("on(", 1, true))
  end)

  it("tells programs of a link that was lost", function()
    local _, code, text = sub("--json -C 1 -W 20 -q 1 d2c/dev1/l",
      ("env %s %s -e 'require(\"fogcloud.sandbox\").attach():kick(\"*\")'"):format(cli.environment, cli.program:match "%S+")
      .. ("; for i in $(seq 200); do grep -q disconnect %s/said && break; sleep 0.05; done; "):format(cli.home)
      .. ("until grep -q '\"connect\"' %s/said; do sleep 0.1; done; "):format(cli.home) .. pub "-q 1 d2c/dev1/l x")
    assert.equal(0, code, text)
  end)

  it("waits for an acknowledgement as long as it is told", function()
    sandbox:fail_mqtt { puback = "swallow" }
    local said, code = support.shell("timeout 15 " .. cli:command "pub --timeout 1 -q 1 --device dev1 commands on")
    sandbox:heal_mqtt()
    assert.equal(4, code, said)
  end)

  it("does not take a file for what it is not", function()
    for _, wrong in ipairs { "pub --file /tmp c2d/dev1/x", "pub --file /nowhere c2d/dev1/x", "pub x y --credentials /tmp" } do
      local _, code, said = cli:run(wrong)
      assert.equal(2, code, said)
      assert.truthy(said:find("^fogcloud: %-%-%l+: /%l+"), said)
    end
  end)

  it("checks device ids as the library does", function()
    for _, wrong in ipairs { "pub --device a/b commands x", "sub --device a/b", "watch a/b", "doctor --device a/b", "watch 'a+'" } do
      local _, code, said = cli:run(wrong)
      assert.equal(2, code)
      assert.truthy(said:find("^fogcloud: device 'a[/+]b?': the id may hold no"), said)
    end
  end)

  it("publishes a line of any length", function()
    local text, code = support.shell("head -c 8000000 /dev/zero | tr '\\0' x | "
      .. cli:command "--json pub -l -q 1 --device dev1 commands")
    assert.equal(0, code, text)
    assert.equal(1, cjson.decode(text).acknowledged)
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

  -- Runs a command, sends SIGINT once `seen` is true of what it said, and gives what it said and its exit code.
  local function interrupted(arguments, seen)
    return support.shell(([[
      rm -f %s/said; %s >%s/said 2>&1 & pid=$!
      for i in $(seq 400); do %s && break; sleep 0.05; done
      kill -INT $pid; wait $pid; code=$?; cat %s/said; exit $code]])
      :format(cli.home, cli:command(arguments):gsub(" timeout 60 ", " "), cli.home, seen, cli.home))
  end
  local function said_so(text) return ("grep -q '%s' %s/said 2>/dev/null"):format(text, cli.home) end

  it("ends cleanly on SIGINT, and says how many", function()
    local said, code = interrupted("sub d2c/dev1/i", said_so "listening")
    assert.equal(0, code, said)
    assert.truthy(said:find("0 messages\n$"), said)
    assert.equal(1, select(2, interrupted("sub -C 10 d2c/dev1/i", said_so "listening")))
  end)

  it("says that it was interrupted, whatever it waited for", function()
    sandbox:fail { endpoint = "products", delay = 20, count = 0 }
    local catches = "grep -q '^SigCgt:.*[4567cdef]...$' /proc/$pid/status" -- SIGTERM, too, which is no habit of lua's
    local said, code = interrupted("product list", catches)
    sandbox:heal()
    assert.same({ "fogcloud: interrupted\n", 1 }, { said, code })
  end)

  it("says on SIGINT that a message is not acknowledged, or that not all was read", function()
    sandbox:fail_mqtt { puback = "swallow" }
    -- The device has the message, so all that is missing is the broker's word.
    local heard = cli.home .. "/heard"
    support.shell(("%s >%s 2>%s.said & %s"):format(
      cli:command(("sub --credentials %s/device.json -C 1 -W 30 c2d/dev1/commands"):format(cli.home)), heard, heard,
      ("for i in $(seq 400); do grep -q listening %s.said && break; sleep 0.05; done"):format(heard)))
    local said, code = interrupted("pub -q 1 --device dev1 commands on", "grep -q on " .. heard)
    sandbox:heal_mqtt()
    assert.equal(1, code, said)
    assert.truthy(said:find("1 published, 0 acknowledged", 1, true) and said:find("interrupted", 1, true), said)
    local fifo = cli.home .. "/fifo"
    support.shell("mkfifo " .. fifo)
    said, code = interrupted(("pub -l --device dev1 commands <>%s"):format(fifo), "echo one >" .. fifo .. " && sleep 1")
    assert.equal(5, code, said)
  end)

  it("watches a device: lines elsewhere, redrawn in place on a terminal", function()
    -- The device counts to 20, and says 20 from then on.
    local path = cli.home .. "/report.lua"
    local file = assert(io.open(path, "w"))
    file:write [[
      local fogcloud = require "fogcloud"
      local device = require("fogcloud.sandbox").attach():device "dev1"
      for watts = 1, 1000 do
        device:report("status", { power = "on", watts = math.min(watts, 20) })
        fogcloud.sleep(0.05)
      end]]
    file:close()
    local reporter = support.shell(("env %s %s %s >/dev/null 2>&1 & echo $!"):format(cli.environment, cli.program:match("%S+"), path))
    local out, code = interrupted("watch dev1", said_so "watts=20")
    assert.equal(0, code, out)
    assert.truthy(out:find("dev1 status power=on  watts=20\n", 1, true), out)
    out = support.shell(("timeout 20 script -qec \"%s\" /dev/null </dev/null"):format(cli:command "watch dev1 dev2 -W 8"))
    assert.truthy(out:find("\27[2A\r\27[K", 1, true), out)
    assert.truthy(out:find("dev1              status        0s    power=on  watts=20", 1, true), out)
    assert.truthy(out:find("dev2              nothing heard yet", 1, true), out)
    out = interrupted("watch --json dev1", said_so "status")
    support.shell("kill " .. reporter)
    assert.equal("status", cjson.decode((out:match("[^\n]+"))).channel)
  end)

  -- Publishes as the device once `watch` hears it, and gives what that printed.
  local function watched(payloads, command)
    local steps = {}
    for i, payload in ipairs(payloads) do steps[i] = pub(("-q 1 -r %s"):format(payload)) end
    return support.shell(table.concat(steps, "; ") .. "; " .. command)
  end

  it("watches values of any kind", function()
    local out, code = watched({ [[d2c/dev1/w1 '{"a":null,"b":1.5,"c":true}']], "d2c/dev1/w2 []", [[d2c/dev1/w3 '{"a":{"b":1e999}}']],
      "d2c/dev1/w4 '[1,2]'", "d2c/dev1/w5 '{}'" }, cli:command "watch dev1 -W 1.5")
    assert.equal(0, code, out)
    for _, line in ipairs { "dev1 w1 a=null  b=1.5  c=true", "dev1 w2 []", 'dev1 w3 {"a":{"b":1e999}}', "dev1 w4 [1,2]",
      "dev1 w5 {}" } do
      assert.truthy(out:find(line .. "\n", 1, true), out)
    end
  end)

  it("draws no higher than the terminal", function()
    local shown = support.shell(("timeout 20 script -qec 'stty rows 4 cols 60; %s' /dev/null </dev/null")
      :format(cli:command "watch dev1 -W 1.5"))
    assert.truthy(shown:find("and 3 more, in a higher terminal", 1, true), shown)
    for up in shown:gmatch("\27%[(%d+)A") do assert.truthy(tonumber(up) <= 3, shown) end
  end)
end)
