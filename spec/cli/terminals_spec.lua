-- SPDX-License-Identifier: MIT

-- Two terminals: a kept client belongs to one command at a time.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("a kept client", function()
  local sandbox, cli

  before_each(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    assert.equal(0, select(2, cli:run "client create --name gateway"))
    assert.equal(0, select(2, cli:run "--quiet permission grant dev1 dev2"))
  end)
  after_each(function()
    cli:close()
    sandbox:stop()
  end)

  -- Runs commands while `sub` of another terminal has the client: what they printed, and what `sub` did.
  local function beside_sub(script, arguments)
    local text = support.shell(([[
      %s >%s/out 2>%s/said & sub=$!
      for i in $(seq 200); do grep -q listening %s/said && break; sleep 0.05; done
      %s
      kill -INT $(cat %s/pid); wait $sub; echo "sub: $?"; cat %s/out %s/said]]):format(
      cli:command("sub --device dev1 " .. (arguments or ""))
        :gsub(" timeout 60 ", (" sh -c 'echo $$ >%s/pid; exec \"$0\" \"$@\"' "):format(cli.home)),
      cli.home, cli.home, cli.home, script, cli.home, cli.home, cli.home))
    return text
  end
  local function clients()
    local list = {}
    for line in cli:run("--json client list"):gmatch "[^\n]+" do
      local client = cjson.decode(line)
      list[client.name] = client
    end
    return list
  end

  it("is not thrown out by a second command, which uses one beside it and says so", function()
    local pub = cli:command "pub -q 1 --device dev1 commands on"
    local text = beside_sub(pub .. "; " .. pub .. "; " .. cli:command "sub --device dev2 -W 0.2")
    assert.matches("client 'gateway' is in use by process %d+; 'gateway%-2' is used beside it", text)
    assert.matches("sub: 0", text)
    assert.is_nil(text:find("link lost", 1, true), text)
    assert.is_nil(text:find("gateway-3", 1, true), text)
    local list = clients()
    assert.equal(list.gateway.clientid, list["gateway-2"].beside)
    assert.equal(0, select(2, cli:run "pub -q 1 --device dev1 commands on")) -- one is still the one meant
  end)

  it("has no more beside it than it is allowed itself", function()
    local text = beside_sub(cli:command "sub --device dev1 -W 0.2" .. "; " .. cli:command "sub --device other -W 0.2; echo code $?")
    assert.matches("code 1", text)
    assert.equal(3, #sandbox:state().grants)
    assert.equal(0, select(2, cli:run "--quiet permission revoke dev1")) -- from both
    assert.same({ "dev2" }, { sandbox:state().grants[1].device_id, (sandbox:state().grants[2] or {}).device_id })
  end)

  it("that was named is refused with the process that has it", function()
    for _, how in ipairs { { "--client gateway", "" }, { "", "FOGCLOUD_CLIENT=gateway " } } do
      local text = beside_sub(cli:command("pub --device dev1 commands on " .. how[1], how[2] .. cli.environment) .. "; echo code $?")
      assert.matches("client 'gateway' is in use by process %d+, and can have one session at a time: name another one", text)
      assert.matches("code 1\n", text)
      assert.is_nil(clients()["gateway-2"])
    end
  end)

  it("is refused where no other can be made", function()
    local poor = cli.environment:gsub("FOGCLOUD_CLIENT_SECRET=%S+", "")
    local text = beside_sub(cli:command("pub --device dev1 commands on", poor) .. "; echo code $?")
    assert.matches("is in use by process %d+, and can have", text)
    assert.matches("code 1\n", text)
  end)

  it("is left to the command that has it by the doctor", function()
    local text = beside_sub(cli:command "doctor; echo code $?")
    assert.matches("warn  MQTT login +client 'gateway' is in use by process %d+", text)
    assert.matches("code 0\n", text)
    assert.is_nil(text:find("link lost", 1, true), text)
  end)

  it("is chosen by client use, a variable or an option, each before the one before", function()
    for _, name in ipairs { "second", "third" } do assert.equal(0, select(2, cli:run("client create --name " .. name))) end
    local _, code, said = cli:run "pub -q 1 c2d/dev1/x y"
    assert.equal(2, code)
    assert.matches("3 clients are kept here: name one with %-%-client or FOGCLOUD_CLIENT, or choose one: fogcloud client use NAME", said)
    _, code, said = cli:run "client use nobody"
    assert.equal(2, code, said)
    assert.equal(0, select(2, cli:run "client use second"))
    assert.equal(0, select(2, cli:run "client use third"))
    local list = clients()
    assert.same({ nil, nil, true }, { list.gateway.current, list.second.current, list.third.current })
    assert.matches("\n%* +third", (cli:run "client list"))
    -- Only gateway may hear dev1.
    local function heard(arguments, variable)
      return select(2, cli:run("sub --device dev1 -W 0.2 " .. arguments, (variable or "") .. cli.environment)) == 0
    end
    assert.is_false(heard "")
    assert.is_true(heard("", "FOGCLOUD_CLIENT=gateway "))
    assert.is_false(heard("--client second", "FOGCLOUD_CLIENT=gateway "))
    assert.is_false(heard("", "FOGCLOUD_CLIENT= "))
    assert.equal(0, select(2, cli:run "client use gateway"))
    assert.is_true(heard "")
  end)
end)
