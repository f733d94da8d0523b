-- SPDX-License-Identifier: MIT

-- A sandbox for a command of any language, and the verbs that speak to a running one, each by the real command line.
local cjson = require "cjson"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local PROGRAM = script.interpreter() .. " bin/fogcloud"
local EXEC = PROGRAM .. " sandbox exec"

local function count_of(pattern) return tonumber((support.shell(("pgrep -fc -- '%s'"):format(pattern)):match "%d+")) end

describe("sandbox exec", function()
  local folder

  before_each(function() folder = support.shell("mktemp -d"):match "%S+" end)
  after_each(function() support.shell("rm -rf " .. folder) end)

  it("hands the command's exit code on, and 128 and the number of a signal", function()
    for command, code in pairs {
      ["true"] = 0, ["sh -c 'exit 7'"] = 7, ["sh -c 'kill -9 $$'"] = 137, ["sh -c 'kill -TERM $$'"] = 143,
      ["/nothing/there"] = 127, ["/dev/null"] = 126, ["a-command-that-is-not-there"] = 127,
    } do
      assert.equal(code, select(2, support.shell(("%s -- %s"):format(EXEC, command))), command)
    end
    assert.equal(2, select(2, support.shell(EXEC)))
    assert.equal(2, select(2, support.shell(EXEC .. " --token-life=-5 -- true")))
  end)

  it("gives the command its arguments, its input and output, its umask, and a sandbox that is ready", function()
    local said, code = support.shell(([[umask 027; echo in | %s --tls --app more -- sh -c '
      cat; printf "<%%s>" "$@" >&2; echo; umask; printf "%%s\n" "$FOGCLOUD_BASE_URL" "$FOGCLOUD_APP_ID"
      curl -sf --cacert "$FOGCLOUD_CA_FILE" "$FOGCLOUD_BASE_URL/_sandbox/health"
      mosquitto_pub -h "$FOGCLOUD_MQTT_HOST" -p "$FOGCLOUD_MQTT_TLS_PORT" --cafile "$FOGCLOUD_CA_FILE" -i d -u dev1 \
        -P dev1-secret -q 1 -t d2c/dev1/x -m x && echo published
      kill -0 $FOGCLOUD_SANDBOX_PID && echo alive' sh 'a b' --json '' '$HOME']]):format(EXEC))
    assert.equal(0, code, said)
    assert.matches("^in\n<a b><%-%-json><><%$HOME>\n0027\nhttps://localhost:%d+\nsandbox%-app\n", said)
    assert.matches('"broker":true', said)
    assert.matches("published\nalive\n", said)
  end)

  it("passes signals on, and leaves nothing", function()
    for name, code in pairs { INT = 3, TERM = 5, HUP = 6 } do
      local file = folder .. "/" .. name
      local said, status = support.shell(([[%s --data %s/data -- sh -c 'trap "exit %d" %s; echo $FOGCLOUD_CA_FILE >%s
        while :; do sleep 0.02; done' & pid=$!
        until [ -s %s ]; do sleep 0.02; done; kill -%s $pid; wait $pid]]):format(EXEC, folder, code, name, file, file, name))
      assert.equal(code, status, said)
      assert.equal(0, count_of("[m]osquitto -c " .. folder))
    end
    local said = support.shell(EXEC .. " -- sh -c 'echo $FOGCLOUD_CA_FILE $FOGCLOUD_SANDBOX_PID'")
    local ca_file, pid = said:match("(%S+) (%d+)")
    assert.is_nil(io.open(ca_file))
    assert.is_true(select(2, support.shell("kill -0 " .. pid)) ~= 0)
  end)

  it("writes what it exports to a file when it is ready, for its owner alone, and takes it away", function()
    local file = folder .. "/it's.env"
    local said, code = support.shell(([[%s --env-file "%s" -- sh -c '. "$0"; stat -c %%a "$0"; curl -sf $FOGCLOUD_BASE_URL/_sandbox/health
      echo " $FOGCLOUD_CLIENT_SECRET"' "%s"]]):format(EXEC, file, file))
    assert.equal(0, code, said)
    assert.matches('^600\n{.*"http":true.*} sandbox%-key%-secret\n', said)
    assert.equal("", (support.shell("ls " .. folder)))
    assert.is_true(select(2, support.shell(EXEC .. " --env-file /nothing/there -- true")) ~= 0)
  end)

  it("has thousands of devices by one option", function()
    local said = support.shell(EXEC .. " --devices 3000 -- sh -c 'curl -s $FOGCLOUD_BASE_URL/_sandbox/info'")
    local devices = cjson.decode(said).devices
    assert.equal(3002, #devices)
    local sandbox = support.start { devices = 3 }
    finally(function() sandbox:stop() end)
    local device = assert(sandbox:device "device3")
    assert.is_true(device:report("status", { on = true }))
    device:close()
  end)
end)

describe("a running sandbox", function()
  local sandbox, home

  setup(function()
    sandbox = support.start { mqtt_faults = true }
    home = support.shell("mktemp -d"):match "%S+"
  end)
  teardown(function()
    sandbox:stop()
    support.shell("rm -rf " .. home)
  end)
  before_each(function() sandbox:reset() end)

  local function run(arguments, url)
    return support.shell(("HOME=%s XDG_CONFIG_HOME=%s FOGCLOUD_BASE_URL=%s timeout 30 %s %s"):format(home, home, url or sandbox.url,
      PROGRAM, arguments))
  end

  local function token()
    return select(2, support.cloud(sandbox, { timeout = 5 }):token())
  end

  it("tells by --json all that the exports say, and more", function()
    local said, code = run "sandbox info --json"
    assert.equal(0, code, said)
    local info = cjson.decode(said)
    for _, name in ipairs {
      "url", "ca_file", "client_id", "client_secret", "app_id", "mqtt_host", "mqtt_port", "tls_port", "pid", "devices",
    } do assert.is_truthy(info[name], name) end
    assert.matches("client_secret +sandbox%-key%-secret\n", (run "sandbox info"))
  end)

  it("is waited for", function()
    assert.equal(0, select(2, run("sandbox wait " .. sandbox.url, "http://127.0.0.1:1")))
    assert.equal(0, select(2, run "sandbox wait"))
    local said, code = run "sandbox wait http://127.0.0.1:1 --timeout 0.2"
    assert.equal(4, code)
    assert.matches("http://127.0.0.1:1: ", said)
    sandbox:broker "stop"
    said, code = run "sandbox wait --timeout 0.2"
    assert.equal(4, code)
    assert.matches("broker", said)
    sandbox:broker "start"
  end)

  it("takes more of everything", function()
    local file = home .. "/seed.json"
    support.shell(([[echo '{"accounts":[{"client_id":"b","client_secret":"s","apps":["app-b"]}]}' >%s]]):format(file))
    assert.equal(0, select(2, run("sandbox seed " .. file)))
    assert.equal(0, select(2, run "sandbox seed --device fan1=word --devices 2 --app another --product 'p=A fan'"))
    local state = sandbox:state()
    assert.same({ 2, 3, 3, 5 }, { #state.accounts, #state.apps, #state.products, #state.devices })
    assert.equal(2, select(2, run "sandbox seed /nothing/there"))
    assert.is_true(select(2, run "sandbox seed --device a/b") ~= 0)
    assert.equal(0, select(2, run "sandbox reset"))
    assert.equal(2, #sandbox:state().devices)
  end)

  it("shows its faults, and how often they struck", function()
    assert.equal(0, select(2, run "sandbox fault endpoint=token code=10000 retry_after=7 count=2"))
    assert.equal(0, select(2, run "sandbox fault endpoint=grant lost=true count=0"))
    assert.is_truthy(token())
    local said = run "sandbox fault"
    assert.matches("1  struck 1, 1 left  code=10000 endpoint=token retry_after=7\n2  struck 0, without end  endpoint=grant lost=true\n",
      said)
    assert.is_truthy(token())
    assert.is_nil(token())
    assert.matches("1  struck 2, 0 left", (run "sandbox fault"))
    said = run "sandbox fault codde=1"
    assert.matches("unknown field 'codde'", said)
    assert.equal(0, select(2, run "sandbox fault --mqtt refuse=true"))
    assert.is_true(select(2, support.shell(("mosquitto_pub -h 127.0.0.1 -p %d -u dev1 -P dev1-secret -t d2c/dev1/x -m x"):format(
      sandbox.mqtt_port))) ~= 0)
    assert.equal(0, select(2, run "sandbox fault --clear"))
    assert.equal("", (run "sandbox fault"))
  end)

  it("moves its clock", function()
    local function now(arguments) return cjson.decode((run("sandbox clock --json " .. arguments))) end
    local frozen = now "--freeze"
    assert.is_true(frozen.frozen)
    assert.equal(3600, now("--advance 3600").now - frozen.now)
    assert.equal(-60, now("--advance=-3660").now - frozen.now)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ  frozen\n", (run "sandbox clock"))
    assert.is_false(now("--thaw").frozen)
  end)

  it("shows, counts and forgets its requests", function()
    assert.is_nil(token())
    assert.matches("^%d%d:%d%d:%d%d  200 code 0  POST /v3/open_api/token/\n$", (run "sandbox journal endpoint=token"))
    assert.equal("1\n", (run "sandbox journal --count code=0"))
    assert.equal("0\n", (run "sandbox journal --count code=10050"))
    assert.equal("token", cjson.decode((run "sandbox journal --json")).endpoint)
    assert.matches("unknown field 'endpont'", (run "sandbox journal endpont=token"))
    assert.equal(2, select(2, run "sandbox journal token"))
    run "sandbox journal --clear"
    assert.equal("", (run "sandbox journal"))
  end)

  it("throws clients out", function()
    assert.equal("0\n", (run "sandbox kick nobody"))
    assert.same({ kicked = 0 }, cjson.decode((run "sandbox kick --json")))
  end)

  it("says what is wrong, and not how it came about", function()
    local said, code = run("sandbox info", "http://127.0.0.1:1")
    assert.is_true(code ~= 0)
    assert.is_nil(said:find("traceback", 1, true))
    assert.is_nil(said:find(".lua:", 1, true))
  end)

  it("gets the devices of simulate, wherever its address is said", function()
    local scenario = home .. "/scenario.lua"
    support.shell(([[echo 'return { run = function(device) device:report("status", { n = 1 }) end }' >%s]]):format(scenario))
    local function simulate(environment, options)
      return support.shell(("env -u FOGCLOUD_BASE_URL HOME=%s XDG_CONFIG_HOME=%s %s timeout 30 %s simulate %s -N 2 -W 5 %s"):format(home,
        home, environment, PROGRAM, scenario, options))
    end
    support.shell(([[umask 077; mkdir -p %s/fogcloud; echo '{"here":{"base_url":"%s"}}' >%s/fogcloud/profiles.json]]):format(home,
      sandbox.url, home))
    for _, way in ipairs {
      { "", "--base-url " .. sandbox.url }, { "FOGCLOUD_BASE_URL=" .. sandbox.url, "" }, { "", "--profile here" },
      { "FOGCLOUD_BASE_URL=http://127.0.0.1:1", "--base-url " .. sandbox.url },
    } do
      local said, code = simulate(way[1], way[2])
      assert.equal(0, code, said)
      assert.matches("2 reports", said)
    end
  end)
end)

describe("sandbox.start", function()
  it("finds its Lua in a program that has no table arg", function()
    for _, without in ipairs { "arg = nil", "arg = {}", "arg = { [0] = 'game' }", "arg = 'none'" } do
      local said, code = script.run(without .. " local s = require('fogcloud.sandbox').start() print(#s:state().devices) s:stop()")
      assert.same({ "2\n", 0 }, { said, code }, without)
    end
  end)
end)
