-- SPDX-License-Identifier: MIT

-- Every option of mosquitto_pub and mosquitto_sub is known: it is taken, or refused with what to do in its place.
local Cli = require "spec.support.cli"
local cjson = require "cjson"
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

-- The options of their manual pages (Debian 12 and 13) and of their --help, with a value where they take one. What is
-- refused has a word of what to use.
local BOTH = {
  ["-c"] = true, ["--disable-clean-session"] = true, ["--cafile"] = "ca.pem", ["--cert"] = "c.pem", ["--key"] = "k.pem",
  ["-d"] = true, ["--debug"] = true, ["-D"] = "connect user-property a b", ["--property"] = "connect user-property a b",
  ["-h"] = "localhost", ["--host"] = "localhost", ["-i"] = "me", ["--id"] = "me", ["-I"] = "me", ["--id-prefix"] = "me",
  ["-k"] = "5", ["--keepalive"] = "5", ["--keyform"] = "pem", ["-L"] = "mqtt://localhost/a", ["--url"] = "mqtt://localhost/a",
  ["-M"] = "5", ["--nodelay"] = true, ["-p"] = "1883", ["--port"] = "1883", ["--proxy"] = "http://localhost:1",
  ["-q"] = "1", ["--qos"] = "1", ["--quiet"] = true, ["-t"] = "a", ["--topic"] = "a", ["--tls-alpn"] = "mqtt",
  ["--tls-use-os-certs"] = true, ["--tls-version"] = "tlsv1.2", ["-u"] = "me", ["--username"] = "me", ["-V"] = "5",
  ["--protocol-version"] = "mqttv311", ["--will-payload"] = "x", ["--will-qos"] = "1", ["--will-retain"] = true,
  ["--will-topic"] = "w", ["-x"] = "∞", ["--help"] = true,
}
local PUB = {
  ["-f"] = "x", ["--file"] = "x", ["-l"] = true, ["--stdin-line"] = true, ["-m"] = "x", ["--message"] = "x", ["-n"] = true,
  ["--null-message"] = true, ["-r"] = true, ["--retain"] = true, ["--repeat"] = "2", ["--repeat-delay"] = "0.5",
  ["-s"] = true, ["--stdin-file"] = true,
}
local SUB = {
  ["-C"] = "1", ["-E"] = true, ["-F"] = "%t", ["-N"] = true, ["--pretty"] = true, ["-R"] = true, ["--random-filter"] = "50",
  ["--remove-retained"] = true, ["--retained-only"] = true, ["--retain-as-published"] = true, ["-T"] = "a",
  ["--filter-out"] = "a", ["-U"] = "a", ["--unsubscribe"] = "a", ["-v"] = true, ["--verbose"] = true, ["-W"] = "1",
}
local REFUSED = {
  ["-A"] = "ip route add", ["-P"] = "%-%-password%-file", ["--pw"] = "%-%-password%-file", ["-S"] = "dig %+short SRV",
  ["--capath"] = "cat DIR/%*%.crt > ca%.pem", ["--ciphers"] = "CipherString", ["--insecure"] = "%-%-server%-name",
  ["--psk"] = "%-%-cert", ["--psk-identity"] = "%-%-cert", ["--tls-engine"] = "PEM file",
  ["--tls-engine-kpass-sha1"] = "PEM file", ["--unix"] = "socat",
}
-- Values that are not taken.
local WRONG = {
  ["--keyform engine"] = "engines are not used", ["--tls-version tlsv1.3"] = "MinProtocol", ["--tls-version tlsv1.1"] = "tlsv1.2",
  ["--proxy socks5h://localhost"] = "ssh %-L", ["--proxy http://me:secret@localhost:1"] = "FOGCLOUD_PROXY_PASSWORD",
  ["--proxy nonsense"] = "http://", ["-V 31"] = "5 or 311", ["-x -2"] = "%-1 to", ["-D auth authentication-data x"] = "program",
  ["-D connect authentication-method x"] = "program", ["-D unsubscribe user-property a b"] = "leave it out",
}
local ONLY = {
  pub = { ["-D publish topic-alias 1"] = "chosen by themselves", ["-D pubrel user-property a b"] = "leave it out" },
  sub = {
    ["-D puback user-property a b"] = "leave it out", ["-D pubrec user-property a b"] = "leave it out",
    ["-D pubcomp user-property a b"] = "leave it out", ["--random-filter 0"] = "0.1 to 100",
    ["--random-filter 101"] = "0.1 to 100",
  },
}

-- The options that the manual page on this machine describes, each of its names by itself.
local function described(name)
  local page = support.shell(("zcat /usr/share/man/man1/%s.1.gz 2>/dev/null"):format(name))
  local list = {}
  for line in page:gmatch "%.PP\n(\\fB\\%-[^\n]*)\n%.RS 4" do
    for option in line:gsub("\\%-", "-"):gmatch "\\fB(%-[%w-]+)\\fR" do list[#list + 1] = option end
  end
  return list
end

describe("the options of mosquitto", function()
  local parse = require("fogcloud.cli").parser()
  local typed = require "fogcloud.cli.typed"

  -- The options as the parser has them; nil and the complaint.
  local function parsed(command, ...)
    local arguments, why = typed.arguments { command, ... }
    if arguments == nil then return nil, why end
    local ok, args = parse:pparse(arguments)
    return ok and args or nil, not ok and args or nil
  end

  for command, own in pairs { pub = PUB, sub = SUB } do
    it("are known to " .. command, function()
      local known = {}
      for _, list in ipairs { BOTH, own } do
        for option, value in pairs(list) do
          known[option] = true
          local words = { command, option }
          for word in (value == true and "" or value):gmatch "%S+" do words[#words + 1] = word end
          if option ~= "--help" then assert.truthy(parsed((table.unpack or unpack)(words)), option) end
        end
      end
      for option, hint in pairs(REFUSED) do
        known[option] = true
        for _, given in ipairs { { option, "x" }, { option }, option:find "^%-%-" and { option .. "=x" } or nil } do
          local args, why = parsed(command, "-t", "a", (table.unpack or unpack)(given))
          assert.is_nil(args)
          assert.matches("^%-[%w-]+: .*" .. hint, why)
          assert.is_nil(why:find "unknown")
        end
      end
      for _, option in ipairs(described("mosquitto_" .. command)) do assert.is_true(known[option], option) end
    end)
  end

  it("are refused by test, too", function()
    for option, hint in pairs(REFUSED) do assert.matches(hint, (select(2, parsed("test", "localhost", option, "x")))) end
  end)

  it("are refused with what to do instead, where the value cannot be", function()
    for command, own in pairs(ONLY) do
      for _, list in ipairs { WRONG, own } do
        for arguments, hint in pairs(list) do
          local run = ("env HOME=/nowhere %s bin/fogcloud %s -h localhost -p 1 -t a %s %s 2>&1"):format(script.interpreter(), command,
            command == "pub" and "-n" or "", arguments)
          local said, status = support.shell(run)
          assert.equal(2, status, run .. said)
          assert.matches(hint, said)
          assert.is_nil(said:find "secret", said)
        end
      end
    end
  end)
end)

describe("at a sandbox,", function()
  local sandbox, cli, tls
  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    tls = ("FOGCLOUD_MQTT_PASSWORD=dev1-secret %s"):format(cli.environment)
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)

  local function sub(arguments) return ("sub -h localhost -p %d -u dev1 %s"):format(sandbox.tls_port, arguments) end

  -- What `sub` prints of messages to the device, each a topic's end, a payload and options.
  local function printed(arguments, messages)
    local out = os.tmpname()
    finally(function() os.remove(out) end)
    os.execute(("{ %s; } >%s 2>&1 &"):format(cli:command(sub(("--cafile %s -t 'c2d/dev1/#' %s"):format(sandbox.ca_file,
      arguments)), tls), out))
    local cloud = fogcloud.new(sandbox:options())
    local client = assert(cloud:create_client(sandbox.app_id))
    assert(cloud:grant(client.clientid, "dev1"))
    local session = assert(fogcloud.connect(client, { ca_file = sandbox.ca_file, version = "5.0" }))
    support.serve_until(function() return support.shell("cat " .. out):find "listening" end)
    for _, message in ipairs(messages) do
      assert(session:publish("c2d/dev1/" .. message[1], message[2], { qos = 1, properties = message[3] }))
    end
    assert(session:finish(10))
    support.serve_until(function() return support.shell("cat " .. out):find "message" end)
    return (support.shell("cat " .. out):gsub("listening[^\n]*\n", ""):gsub("%d+ messages?\n", ""))
  end

  it("messages are printed as JSON, with their properties, in lines if asked for", function()
    local properties = { content_type = "text/x", user_properties = { { "k", "v" } }, message_expiry_interval = 60 }
    local object = printed("-C 1 -F %j", { { "x", "a\27b\n", properties } })
    assert.is_nil(object:find "[%z\1-\9\11-\31]")
    local decoded = cjson.decode(object)
    assert.equal("a\27b\n", decoded.payload)
    assert.same({ ["content-type"] = "text/x", ["user-properties"] = { k = "v" } },
      { ["content-type"] = decoded.properties["content-type"], ["user-properties"] = decoded.properties["user-properties"] })
    assert.matches('"payloadlen":4,"properties":{"content%-type":"text/x","user%-properties":{"k":"v"},'
      .. '"message%-expiry%-interval":%d+},"payload":"a\\u001bb\\n"}\n$', object)
    local lines = printed("-C 1 --pretty -F %J", { { "x", '{ "a" : [1, {"b":"\27 , : {"}], "c" : {} }' } })
    assert.matches('^{\n\t"tst":\t"[^\n]*",\n\t"topic":\t"c2d/dev1/x",\n\t"qos":\t0,\n\t"retain":\t0,\n\t"payloadlen":\t%d+,\n'
      .. '\t"payload":\t{\n\t\t"a":\t%[1, {\n\t\t\t\t"b":\t"\\u001b , : {"\n\t\t\t}%],\n\t\t"c":\t{\n\t\t\t\n\t\t}\n\t}\n}\n$', lines)
    local told = printed("-C 2 -F %J", { { "x", "no { JSON" }, { "y", "[ 1,\n2 ]" } })
    assert.matches("not valid JSON on topic c2d/dev1/x\n", told)
    assert.matches('"payload":%[1,2%]}\n', told)
  end)

  it("a share of the messages is printed, and all are counted", function()
    local messages = {}
    for i = 1, 200 do messages[i] = { "x", tostring(i) } end
    local _, count = printed("-C 200 --random-filter 50", messages):gsub("\n", "")
    assert.is_true(count > 20 and count < 180, count) -- six million million to one
    _, count = printed("-C 5 --random-filter 100", { { "x", "1" }, { "x", "2" }, { "x", "3" }, { "x", "4" }, { "x", "5" } }):gsub("\n", "")
    assert.equal(5, count)
  end)

  it("a message that a kept client must not publish is an error, and one of QoS 0 a silent success by protocol", function()
    assert.equal(0, select(2, cli:run "--quiet client create --name gateway"))
    local _, status, said = cli:run "pub --device dev2 commands x"
    assert.equal(1, status, said)
    assert.matches("no permission", said)
    _, status, said = cli:run "pub -q 0 --device dev2 commands x"
    assert.equal(0, status, said)
  end)

  it("the name in the certificate may be another than the host's", function()
    local other = ("sub -h 127.0.0.1 -p %d -u dev1 --cafile %s -t c2d/dev1/x -E"):format(sandbox.tls_port, sandbox.ca_file)
    local _, status, said = cli:run(other .. " --server-name nobody.example", tls)
    assert.equal(4, status, said)
    _, status, said = cli:run(other .. " --server-name localhost", tls)
    assert.equal(0, status, said)
  end)

  it("a proxy is gone through, with a password that is no argument", function()
    local folder = cli.home
    local run = ("/usr/bin/python3 spec/support/connect_proxy.py %s/port me:secret >/dev/null 2>&1 & echo $!"):format(folder)
    local pid = support.shell(run):match "%d+"
    finally(function() support.shell("kill " .. pid) end)
    support.serve_until(function() return support.shell(("cat %s/port 2>/dev/null"):format(folder)):find "\n" end)
    local port = support.shell(("cat %s/port"):format(folder)):match "%d+"
    local through = sub(("--cafile %s -t c2d/dev1/x -E --proxy http://me@localhost:%s"):format(sandbox.ca_file, port))
    local _, status, said = cli:run(through, "FOGCLOUD_PROXY_PASSWORD=secret " .. tls)
    assert.equal(0, status, said)
    _, status, said = cli:run(through, "FOGCLOUD_PROXY_PASSWORD=wrong " .. tls)
    assert.equal(4, status, said)
    assert.matches("407", said)
  end)

  it("a will is not sent when Ctrl-C ends the command, or SIGTERM", function()
    local cloud, got = fogcloud.new(sandbox:options()), {}
    local client = assert(cloud:create_client(sandbox.app_id))
    assert(cloud:grant(client.clientid, "dev1"))
    local session = assert(fogcloud.connect(client, { ca_file = sandbox.ca_file }))
    assert(session:subscribe("d2c/dev1/#", 1, function(topic) got[#got + 1] = topic end))
    local base = ("-h localhost -p %d --cafile %s -u dev1"):format(sandbox.tls_port, sandbox.ca_file)
    local listen = cli:command(("sub %s --will-topic d2c/dev1/will -t c2d/dev1/x"):format(base), tls):gsub(" timeout 60 ", " ")
    for _, signal in ipairs { "INT", "TERM" } do
      assert.matches("0\n$", (support.shell(([[%s 2>%s/said & sub=$!
        for i in $(seq 400); do grep -q listening %s/said && break; sleep 0.05; done
        kill -%s $sub; wait $sub; echo $?]]):format(listen, cli.home, cli.home, signal))))
    end
    assert.equal(0, select(2, cli:run(("pub %s -q 1 -t d2c/dev1/end -m x"):format(base), tls)))
    support.serve_until(function() return #got > 0 end)
    session:close()
    assert.same({ "d2c/dev1/end" }, got)
  end)

  it("the goodbye has the properties that were given", function()
    local base = ("-h localhost -p %d --cafile %s -u dev1 -i dev1 -c -x 600"):format(sandbox.tls_port, sandbox.ca_file)
    local bye = " -D disconnect session-expiry-interval 0 -D disconnect user-property a b"
    local function is_kept()
      local credentials, present = support.device_credentials(sandbox, "dev1"), nil
      credentials.clientid = "dev1"
      local session = assert(fogcloud.connect(credentials, { ca_file = sandbox.ca_file, version = "5.0", clean = false }))
      session:on("connect", function(how) present = how.session_present end)
      support.serve_until(function() return present ~= nil end)
      session:finish(5)
      return present
    end
    for _, command in ipairs { "sub -t c2d/dev1/x -E ", "pub -q 1 -t d2c/dev1/x -m y " } do
      for more, kept in pairs { [""] = true, [bye] = false } do
        local _, status, said = cli:run(command .. base .. more, tls)
        assert.equal(0, status, said)
        assert.equal(kept, is_kept(), command .. more)
      end
    end
  end)
end)

it("OpenSSL's configuration may ask for a later TLS", function()
  local folder = support.shell("mktemp -d"):match "%S+"
  local free = "python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(s.getsockname()[1])'"
  local port = support.shell(free):match "%d+"
  local command = ([[cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
    printf 'openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = least\n[least]\nMinProtocol = TLSv1.3\n' >openssl.cnf
    setsid openssl s_server -quiet -tls1_2 -port %s -cert c.pem -key k.pem </dev/null >/dev/null 2>&1 & echo $!]]):format(folder, port)
  local pid = support.shell(command):match "%d+"
  finally(function() support.shell(("kill %s; rm -rf %s"):format(pid, folder)) end)
  local run = ("env HOME=%s OPENSSL_CONF=%%s %s bin/fogcloud pub -h localhost -p %s --cafile %s/c.pem -t a -m b -V 5 --timeout 3 2>&1")
    :format(folder, script.interpreter(), port, folder)
  local function pub(conf) return (support.shell(run:format(conf))) end
  support.serve_until(function() return not pub("/dev/null"):find "refused" end)
  assert.is_nil(pub("/dev/null"):find "protocol version")
  assert.matches("protocol version", (pub(folder .. "/openssl.cnf")))
end)
