-- SPDX-License-Identifier: MIT

-- Nothing to relearn: `fogcloud pub` and `sub` in the place of mosquitto_pub and mosquitto_sub, at a broker of which no
-- account knows.
local Cli = require "spec.support.cli"
local ScriptedBroker = require "spec.support.scripted_broker"
local cjson = require "cjson"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

-- All examples of their manual pages (Debian 12 and 13); what runs here is these, with the program's name changed.
local PUB = {
  [[mosquitto_pub -t sensors/temperature -m 32 -q 1]],
  [[mosquitto_pub -h 192.168.1.1 -p 1885 -t sensors/temperature -m "1266193804 32"]],
  [[mosquitto_pub -r -t switches/kitchen_lights/status -m "on"]],
  [[mosquitto_pub -t my/topic -f ./data]],
  [[mosquitto_pub -t my/topic -s < ./data]],
  [[read_cc128.pl | mosquitto_pub -t sensors/cc128 -l]],
}
local SUB = {
  [[mosquitto_sub -t sensors/temperature -q 1]],
  [[mosquitto_sub -t sensors/machines/+/temperature/+]],
  [[mosquitto_sub -v -t \$SYS/#]],
  [[mosquitto_sub -F '@Y-@m-@dT@H:@M:@S@z : %t : %x' -t '#']],
  [[mosquitto_sub -F '%@s.@N : %r : %q : %m : %l' -q 2 -t '#']],
  [[mosquitto_sub -F '\e[92m%t \e[96m%p\e[0m' -q 2 -t '#']],
}
-- And those among the descriptions of their options.
local OPTIONS = {
  [[mosquitto_sub -t '#' --remove-retained --retained-only]],
  [[mosquitto_sub -t 'bbc/#' -T bbc/bbc1 --remove-retained]],
  [[mosquitto_sub -t bbc/# -T bbc/radio3]],
  [[mosquitto_sub -t sensors/# -U sensors/+/temperature -v]],
}

-- The examples of a manual page on this machine, where its pages are installed.
local function examples_of(name)
  local page = support.shell(("zcat /usr/share/man/man1/%s.1.gz 2>/dev/null"):format(name))
  local chapter, list = page:match '%.SH "EXAMPLES"\n(.-)\n%.SH ', {}
  for block in (chapter or ""):gmatch "%.RS 4\n(.-)\n%.RE" do
    local line = block:match(".*\n%.\\}\n(.*)$"):gsub("\n", " "):gsub("\\%-", "-"):gsub("\\&", "")
    list[#list + 1] = line:gsub("\\%*%(Aq", "'"):gsub("\\e", "\\")
  end
  return list
end

describe("fogcloud in mosquitto's place", function()
  local folder, broker, port, program

  local function shell(command, environment)
    return support.shell(("cd %s && export HOME=$PWD XDG_STATE_HOME=$PWD XDG_CONFIG_HOME=$PWD PATH=$PWD/bin:$PATH %s && %s")
      :format(folder, environment or "", command))
  end

  local function write(name, text, mode)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
    if mode then os.execute(("chmod %s %s/%s"):format(mode, folder, name)) end
  end

  -- Starts a mosquitto with more of a configuration: its process and its port.
  local function start_broker(more)
    local free = support.shell "python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(s.getsockname()[1])'"
    local number = tonumber(free)
    write(("broker%d.conf"):format(number), ("user root\nlistener %d 127.0.0.1\n%s\nsys_interval 1\n"):format(number, more))
    local pid = support.shell(("mosquitto -c %s/broker%d.conf >%s/broker.log 2>&1 & echo $!"):format(folder, number, folder)):match "%d+"
    for _ = 1, 100 do
      if select(2, support.shell(("mosquitto_pub -p %d -t x -n 2>&1 | grep -q refused"):format(number))) ~= 0 then break end
    end
    return pid, number
  end

  setup(function()
    folder = support.shell("mktemp -d"):match "%S+"
    local here = support.shell("pwd"):match "%S+"
    support.shell(("mkdir %s/bin"):format(folder))
    local said, status = support.shell(("${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o %s/local.so spec/support/local_broker.c -ldl")
      :format(folder))
    assert(status == 0, said)
    local preload = os.getenv "FOG_LUA" and "FOG_PRELOAD" or "LD_PRELOAD"
    program = ("#!/bin/sh\nexec env %s=%s/local.so timeout 60 %s %s/bin/fogcloud \"$@\"\n"):format(preload, folder,
      script.interpreter(), here)
    write("bin/fogcloud", program, "755")
    write("bin/read_cc128.pl", "#!/bin/sh\nprintf 'one\\ntwo\\nthree\\n'\n", "755")
    write("data", "line 1\nline 2\n")
    broker, port = start_broker "allow_anonymous true"
  end)
  teardown(function()
    support.shell("kill " .. broker)
    support.shell("rm -rf " .. folder)
  end)

  local function here(command) return (command:gsub("mosquitto_([ps]ub)", "fogcloud %1")) end
  local function at_broker(command) return shell(here(command), "LOCAL_BROKER=" .. port) end

  it("is tried with all examples of the manual pages", function()
    for name, list in pairs { mosquitto_pub = PUB, mosquitto_sub = SUB } do
      for i, example in ipairs(examples_of(name)) do assert.equal(list[i], example) end
      assert.equal(6, #list)
    end
  end)

  -- What is published while a command runs, as `sub -v` prints it; and what the command said, its exit code behind it.
  local function heard(command, count)
    local credentials = { clientid = "listener", mqtthost = "127.0.0.1", mqttport = port }
    local session = assert(fogcloud.connect(credentials, { tls = false }))
    local got = {}
    for _, filter in ipairs { "sensors/#", "switches/#", "my/#" } do
      assert(session:subscribe(filter, 1, function(topic, payload, message)
        if not message.retained then got[#got + 1] = ("%s %s\n"):format(topic, payload) end
      end))
    end
    local said, status = at_broker(command)
    support.serve_until(function() return #got >= count end)
    session:close()
    return table.concat(got), said .. status
  end

  local SENT = {
    "sensors/temperature 32\n", "sensors/temperature 1266193804 32\n", "switches/kitchen_lights/status on\n", "my/topic line 1\nline 2\n\n",
    "my/topic line 1\nline 2\n\n", "sensors/cc128 one\nsensors/cc128 two\nsensors/cc128 three\n",
  }
  for i, example in ipairs(PUB) do
    it("runs " .. example, function()
      local got, said = heard(example, i == 6 and 3 or 1)
      assert.same({ SENT[i], "0" }, { got, said:match "%d+$" })
    end)
  end

  -- Runs an example of `sub` until it has printed something, while retained messages are there.
  local function printed(example, enough)
    return at_broker(([[{ %s >out 2>said & sub=$!
      for i in $(seq 400); do grep -qa '%s' out && break; sleep 0.05; done
      kill -INT $(pgrep -P $sub) $sub 2>/dev/null; wait $sub; cat out; }]]):format(example, enough))
  end

  local LINES = {
    "^21.5\n", "^18\n", "%$SYS/broker/version mosquitto version", "%d+%-%d+%-%d+T%d+:%d+:%d+[+-]%d+ : sensors/temperature : 32312e35\n",
    "\n?%d+%.%d+ : 1 : 1 : %d+ : 4\n", "\27%[92msensors/temperature \27%[96m21.5\27%[0m\n",
  }
  for i, example in ipairs(SUB) do
    it("runs " .. example, function()
      shell(("mosquitto_pub -p %d -r -q 1 -t sensors/temperature -m 21.5"):format(port))
      shell(("mosquitto_pub -p %d -r -t sensors/machines/a/temperature/sda -m 18"):format(port))
      assert.matches(LINES[i], (printed(example, i == 2 and "18" or i == 3 and "broker/version" or i == 4 and "32312e35" or "[42]")))
    end)
  end

  it("runs the examples among the options", function()
    local function keep(...)
      for _, topic in ipairs { ... } do shell(("mosquitto_pub -p %d -r -q 1 -t %s -m kept"):format(port, topic)) end
    end
    local function kept(filter) return support.shell(("mosquitto_sub -p %d -W 1 -v -t '%s'"):format(port, filter)) end
    keep("bbc/bbc1", "bbc/radio3", "bbc/radio4")
    assert.matches("kept\nkept\n", (printed(OPTIONS[2], "kept")))
    assert.matches("^bbc/bbc1 kept\n", (kept "bbc/#"))
    keep("bbc/radio3", "bbc/radio4")
    local out = printed(OPTIONS[3]:gsub("%-t", "-v -t"), "kept")
    assert.is_nil(out:find "radio3")
    assert.matches("bbc/radio4 kept", out)
    assert.matches("sensors/temperature", (printed(OPTIONS[4], "temperature")))
    local timer = ("(sleep 1.5; mosquitto_pub -p %d -t end -m end) & "):format(port)
    local said, status = at_broker("{ " .. timer .. OPTIONS[1] .. "; }")
    assert.equal(0, status, said)
    assert.is_nil(kept("bbc/#"):find "bbc")
  end)

  it("has the options of mosquitto_pub", function()
    for arguments, expected in pairs {
      ["-m -5"] = "-5", ["-m ''"] = "", ["--message=a=b"] = "a=b", ["-m --help"] = "--help", ["-n"] = "", ["-V mqttv311 -m old"] = "old",
      ["-V 5 -m new -D publish user-property a b"] = "new", ["-q 2 -k 10 -i me -M 5 -m x --nodelay"] = "x", ["-I me- -m y"] = "y",
      ["-c -i me -x 60 -m z"] = "z", ["-m w --will-topic sensors/will --will-payload bye --will-qos 1 --will-retain"] = "w",
      ["--repeat 1 -m v --repeat-delay 0.1"] = "v", ["--topic sensors/other --qos 1 --id you --keepalive 20 --message u"] = "u",
    } do
      local topic = arguments:find "%-%-topic" and "" or "-t sensors/other "
      local got, said = heard(("mosquitto_pub -h localhost -p %d %s%s"):format(port, topic, arguments), 1)
      assert.same({ "sensors/other " .. expected .. "\n", "0" }, { got, said:match "%d+$" }, arguments .. said)
    end
    local url = ("mosquitto_pub -L mqtt://localhost:%d/sensors/u -m x --repeat 2"):format(port)
    assert.matches("sensors/u x\nsensors/u x\n", (heard(url, 2)))
  end)

  it("has the options of mosquitto_sub", function()
    shell(("mosquitto_pub -p %d -r -q 1 -t o/a -m one; mosquitto_pub -p %d -r -q 1 -t o/b -m two"):format(port, port))
    local function sub(arguments)
      local text, status = shell(("fogcloud sub -p %d %s 2>/dev/null"):format(port, arguments))
      return text .. status
    end
    assert.equal("one0", sub "-t o/a -C 1 -N")
    assert.equal("o/b two\n0", sub "-v -t 'o/#' -T o/a -C 1")
    assert.equal("27", sub "-t 'o/#' -R -W 1")
    assert.equal("one\n27", sub "-t o/a -W 1")
    assert.equal("0", sub "-t o/a -E")
    assert.equal("  one|one  |o/|003|6f6e65\n0", sub "-t o/a -C 1 -F '%5p|%-5p|%.2t|%03l|%x'")
    assert.equal("a\tb\\@%\n0", sub "-t o/a -C 1 -F 'a\\tb\\\\@@%%'")
    local object = cjson.decode((sub "-t o/a -C 1 -F %j":gsub("%d$", "")))
    assert.same({ "o/a", "one", 0, 1 }, { object.topic, object.payload, object.qos, object.retain })
    local id = ("kept%d"):format(port)
    assert.equal("0", sub(("-c -i %s -q 1 -t o/later -E"):format(id)))
    shell(("mosquitto_pub -p %d -q 1 -t o/later -m waited"):format(port))
    assert.equal("waited\n0", sub(("-c -i %s -q 1 -t o/later -C 1 -W 20"):format(id)))
    assert.equal("0", sub(("-c -i %s -U o/later -E -t o/other"):format(id)))
  end)

  it("is 3.1.1 by itself where a broker has no more, and says so where 5 was asked for", function()
    for _, mode in ipairs { "old", "older" } do
      local scripted = ScriptedBroker.start(mode)
      local said, status = shell(("fogcloud pub -h 127.0.0.1 -p %d -t a -m b"):format(scripted.port))
      assert.equal(0, status, said)
      said, status = shell(("fogcloud pub -h 127.0.0.1 -p %d -t a -m b -V 5 --timeout 5"):format(scripted.port))
      assert.truthy(status > 0, said)
      said, status = shell(("fogcloud sub -h 127.0.0.1 -p %d -t a --retain-as-published -W 1"):format(scripted.port))
      assert.truthy(status > 0, said)
      scripted:stop()
    end
  end)

  it("ends with the reason of a CONNACK that refuses", function()
    write("none", "", "644")
    local pid, closed = start_broker(("allow_anonymous false\npassword_file %s/none"):format(folder))
    for version, code in pairs { ["-V 311"] = 5, ["-V 5"] = 135, [""] = 135 } do
      for _, command in ipairs { "pub -m x", "sub -W 5" } do
        local run = ("fogcloud %s -p %d -t a %s -u somebody"):format(command, closed, version)
        local said, status = shell(run, "FOGCLOUD_MQTT_PASSWORD=wrong")
        assert.equal(code, status, said)
        assert.matches("^fogcloud: .*refused", said)
      end
    end
    support.shell("kill " .. pid)
    assert.equal(4, select(2, shell(("fogcloud pub -p %d -t a -m b"):format(closed))))
  end)

  it("takes no password among the arguments, and says where it belongs", function()
    for _, arguments in ipairs { "-P secret", "--pw secret", "--pw=secret", "-L mqtt://me:secret@localhost/t" } do
      for _, command in ipairs { "pub -m x", "sub" } do
        local said, status = shell(("fogcloud %s -t a -u me %s"):format(command, arguments))
        assert.equal(2, status, said)
        assert.matches("FOGCLOUD_MQTT_PASSWORD", said)
        assert.matches("%-%-password%-file", said)
        assert.is_nil(said:find("secret", 1, true), said)
      end
    end
    for arguments, why in pairs {
      ["-t a --insecure"] = "always checked", ["-t a --psk ff"] = "certificates", ["-t a -D publish"] = "PACKET NAME VALUE",
      ["-t a -V 31"] = "5 or 311", ["-t a -c"] = "needs %-%-id", ["-t a --will-payload x"] = "will%-topic is missing",
      ["-t a -i b -I c"] = "one or the other",
      ["-t a -L http://x"] = "mqtt://", ["-t a --client x"] = "no other broker", ["-t a -D publish nonsense 1"] = "none of these",
      ["-t a -D nonsense a 1"] = "no 'nonsense'", ["-t a -D publish message-expiry-interval x"] = "whole number", [""] = "no topic",
    } do
      local said, status = shell(("fogcloud pub -h localhost -m x %s"):format(arguments))
      assert.equal(2, status, arguments .. said)
      assert.matches(why, said)
    end
  end)

  it("speaks TLS where it is told", function()
    local sandbox = support.start()
    finally(function() sandbox:stop() end)
    write("password", "dev1-secret\n", "600")
    local run = ("fogcloud pub -h localhost -p %d --cafile %s -u dev1 %%s -q 1 -t d2c/dev1/x -m y"):format(sandbox.tls_port,
      sandbox.ca_file)
    local said, status = shell(run:format "--password-file password")
    assert.equal(0, status, said)
    assert.equal(0, select(2, shell(run:format(""), "FOGCLOUD_MQTT_PASSWORD=dev1-secret")))
    assert.equal(135, select(2, shell(run:format(""), "FOGCLOUD_MQTT_PASSWORD=wrong")))
    said, status = shell(((run:format "--password-file password"):gsub("%-%-cafile %S+", "--tls-use-os-certs")))
    assert.equal(4, status, said)
    said, status = shell(run:format "--password-file password --cert /nowhere")
    assert.equal(4, status, said)
    assert.matches("check cert_file", said)
  end)

  it("is told from MQTT 5 by a refused message", function()
    write("acl", "topic read #\n", "644")
    local pid, deaf = start_broker(("allow_anonymous true\nacl_file %s/acl"):format(folder))
    local said, status = shell(("fogcloud pub -p %d -q 1 -t a -m b"):format(deaf))
    support.shell("kill " .. pid)
    assert.equal(1, status, said)
    assert.matches("no permission", said)
  end)

  it("shows what a broker can do", function()
    local said, status = shell(("fogcloud test localhost -p %d"):format(port))
    assert.equal(0, status, said)
    for _, line in ipairs {
      "MQTT 3.1.1 +accepted", "MQTT 5.0 +accepted", "maximum QoS +2", "retained messages +yes", "shared +yes", "topic aliases +%d+",
      "packet size +", "in flight +20 messages", "QoS 0 +there and back", "QoS 1 +there and back", "QoS 2 +there and back",
      "retaining +a message is kept, and taken away", "sharing +a shared subscription works",
    } do
      assert.matches("ok +" .. line, said)
    end
    local scripted = ScriptedBroker.start "old"
    said = shell(("fogcloud test 127.0.0.1 -p %d --timeout 2"):format(scripted.port))
    scripted:stop()
    assert.matches("ok +MQTT 3.1.1 +accepted\nFAIL +MQTT 5.0", said)
    said, status = shell "fogcloud test localhost -p 1 --timeout 2"
    assert.equal(1, status, said)
    assert.equal(2, select(2, shell "fogcloud test a --host b"))
  end)
end)

describe("what fingers type", function()
  local cli
  local sandbox
  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    assert.equal(0, select(2, cli:run "client create"))
    assert.equal(0, select(2, cli:run "--quiet permission grant dev1 dev2"))
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  it("is understood", function()
    for _, arguments in ipairs {
      "publish --device dev1 commands on", "pub -t c2d/dev1/commands -m on", "pub --device dev1 -t commands on",
      "subscribe d2c/dev1/x -W 0.2",
      "help", "help pub", "help client create", "version", "--version", "-V", "pub -h", "sub -h", "publish --help", "client -h",
    } do
      local out, code, said = cli:run(arguments)
      assert.equal(0, code, arguments .. ": " .. out .. said)
    end
    assert.equal(cli:run "client create --help", (cli:run "help client create"))
    assert.equal(cli:run "--help", (cli:run "help"))
    assert.equal(cli:run "pub --help", (cli:run "help publish"))
    assert.equal(cli:run "--version", (cli:run "version"))
    assert.equal(2, select(2, cli:run "help nonsense"))
  end)

  it("publishes to several devices", function()
    local got = {}
    for _, id in ipairs { "dev1", "dev2" } do
      local device = assert(sandbox:device(id))
      finally(function() device:close() end)
      assert(device.session:subscribe(("c2d/%s/commands"):format(id), 1, function(_, payload) got[id] = payload end))
    end
    assert.equal(0, select(2, cli:run "pub -q 1 --device dev1 --device dev2 commands on"))
    support.serve_until(function() return got.dev1 and got.dev2 end)
    assert.same({ dev1 = "on", dev2 = "on" }, got)
  end)

  it("is answered with what to use, where it is not understood", function()
    for arguments, hint in pairs {
      ["watch dev1 --host localhost"] = "%-%-client NAME", ["doctor -u me"] = "%-%-client NAME",
      ["token --password x"] = "FOGCLOUD_MQTT_PASSWORD",
      ["login --secret x"] = "%-%-secret%-file", ["product list --url x"] = "%-%-base%-url", ["product list --output json"] = "%-%-json",
      ["product list -v"] = "FOGCLOUD_LOG=debug", ["permission grant --file x"] = "%-%-devices",
    } do
      local _, code, said = cli:run(arguments)
      assert.equal(2, code)
      assert.matches(hint, said)
    end
  end)
end)
