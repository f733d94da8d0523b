-- SPDX-License-Identifier: MIT

-- `fogcloud permission`, for one device and for thousands, killed at random moments and gone on with.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

local COUNT = 2000

describe("fogcloud permission", function()
  local sandbox, cli, client, devices_file

  setup(function()
    local devices = {}
    devices_file = os.tmpname()
    local file = assert(io.open(devices_file, "w"))
    for i = 1, COUNT do
      devices[i] = { id = ("bulk%05d"):format(i), password = "x" }
      file:write(devices[i].id, "\n")
    end
    file:close()
    sandbox = support.start()
    local account = sandbox.account
    sandbox:add { accounts = { { client_id = account.client_id, client_secret = account.client_secret, devices = devices } } }
    cli = Cli.new(sandbox)
    client = cjson.decode((cli:run "client create --json")).clientid
  end)
  teardown(function()
    os.remove(devices_file)
    cli:close()
    sandbox:stop()
  end)

  local function granted()
    local set, count = {}, 0
    for _, grant in ipairs(sandbox:state().grants) do
      if grant.clientid == client then set[grant.device_id], count = true, count + 1 end
    end
    return set, count
  end

  local function read(path)
    local file = assert(io.open(path))
    local text = file:read("*a")
    file:close()
    return text
  end

  it("grants and revokes what it is told, with the only client that is kept", function()
    local out, code, said = cli:run "permission grant dev1 dev2"
    assert.same({ "", 0 }, { out, code })
    assert.truthy(said:find("2 granted, ", 1, true), said)
    assert.same({ dev1 = true, dev2 = true }, (granted()))
    assert.equal(0, select(2, cli:run("permission revoke dev1 --client " .. client)))
    assert.same({ dev2 = true }, (granted()))
    out = cli:run "permission revoke --json dev2"
    assert.same({ device_id = "dev2", action = "revoke", ok = true }, cjson.decode((out:match("[^\n]+"))))
    assert.equal(2, select(2, cli:run("permission grant")))
    assert.equal(2, select(2, cli:run("permission grant 'a/b'")))
    for _, option in ipairs {
      "--devices /nowhere", "--devices /tmp", "dev1 --resume /tmp", "dev1 --resume /nowhere/x", "dev1 --concurrency 1.5",
      "dev1 --concurrency 0", "dev1 --concurrency x",
    } do
      code, said = select(2, cli:run("permission grant " .. option))
      assert.equal(2, code, option)
      assert.truthy(said:find("^fogcloud: " .. option:match "%-%-%l+":gsub("%-", "%%-") .. ": [^\n]+\n$"), said)
    end
  end)

  it("says which line holds no device id, and does nothing", function()
    local path, before = cli.home .. "/ids", sandbox:count { endpoint = "grant" }
    support.shell(("printf 'dev1\\n\\na/b\\n' >%s"):format(path))
    local _, code, said = cli:run("permission grant --devices " .. path)
    assert.equal(2, code)
    assert.equal("fogcloud: --devices: line 3: 'a/b' is no device id: it may hold no '/', '+' or '#'\n", said)
    assert.equal(before, sandbox:count { endpoint = "grant" })
  end)

  it("takes a file as editors leave it", function()
    local path = cli.home .. "/ids"
    support.shell(("printf '\\357\\273\\277dev1\\r\\ndev2' >%s"):format(path))
    local out, code = cli:run("permission grant --json --devices " .. path)
    assert.equal(0, code, out)
    assert.same({ dev1 = true, dev2 = true }, (granted()))
    cli:run "permission revoke dev1 dev2"
  end)

  it("says which failed, and that it was only a part", function()
    local out = cli:run "permission grant --json nobodys"
    local err = cjson.decode((out:match("[^\n]+"))).error
    assert.same({ "api", 10000 }, { err.kind, err.code })
    assert.truthy(#err.message > 10)
    local _, code, said = cli:run "permission grant dev1 nobodys"
    assert.equal(5, code)
    assert.truthy(said:find("nobodys: ", 1, true) and said:find("1 granted, 1 failed", 1, true), said)
    assert.equal(1, select(2, cli:run("permission grant nobodys")))
    cli:run "permission revoke dev1"
  end)

  it("takes ids from standard input, each once", function()
    local out, code = support.shell("printf 'dev1\\n\\n# not me\\n dev2 \\ndev1\\n' | "
      .. cli:command "permission grant --devices - --json")
    assert.equal(0, code)
    local summary = cjson.decode((out:match("([^\n]+)\n*$")))
    assert.same({ 2, 0, 0 }, { summary.done, summary.failed, summary.left })
    cli:run "permission revoke dev1 dev2"
  end)

  it("takes ids from a column of a table", function()
    local path = cli.home .. "/table.csv"
    for text, titles in pairs {
      ["name,id\nlamp,dev1\n\"a \"\"b\"\",\nc\",dev2\n"] = "id",
      ["\239\187\191id;x\r\ndev1;1\r\ndev2;2"] = "id",
      ["a\t id \n1\tdev1\n\n2\tdev2\n"] = "id",
    } do
      local file = assert(io.open(path, "wb"))
      file:write(text)
      file:close()
      local _, code, said = cli:run(("permission grant --devices %s --column %s"):format(path, titles))
      assert.equal(0, code, said)
      assert.matches("2 granted", said)
      cli:run "permission revoke dev1 dev2"
    end
    local function refused(text, why)
      local file = assert(io.open(path, "wb"))
      file:write(text)
      file:close()
      local _, code, said = cli:run(("permission grant --devices %s --column id"):format(path))
      assert.equal(2, code, said)
      assert.matches(why, said)
    end
    refused("a,b\n1,2\n", "no column 'id'; the first line has: a, b")
    refused("", "no column 'id'")
    refused("id\n\"dev1\n", "line 2: a quote has no end")
    refused("id,x\n\"dev1\"y,2\n", "line 2: text behind a quote")
    refused("id,x\ndev1,1\na/b,2\n", "line 3: 'a/b' is no device id")
    assert.equal(2, select(2, cli:run "permission grant dev1 --column id"))
  end)

  it("tells the first failures, counts all by reason, and keeps them for the next run", function()
    local ids, failed = {}, cli.home .. "/failed.csv"
    for i = 1, 12 do ids[i] = "unknown" .. i end
    local _, code, said = cli:run(("permission grant dev1 %s --failed %s"):format(table.concat(ids, " "), failed))
    assert.equal(5, code)
    local told = select(2, said:gsub("\nfogcloud: unknown%d+: ", "")) + (said:find("^fogcloud: unknown") and 1 or 0)
    assert.equal(5, told, said)
    assert.matches("\n +12  [%l ]+", said)
    assert.matches("1 granted, 12 failed", said)
    local text = read(failed)
    assert.matches("^id,kind,code,message\nunknown%d+,api,10000,", text)
    assert.equal(13, select(2, text:gsub("\n", "")))
    _, code, said = cli:run(("permission grant --devices %s --column id --failed %s"):format(failed, failed))
    assert.equal(1, code)
    assert.matches("0 granted, 12 failed", said)
    _, code, said = cli:run(("permission revoke dev1 --failed %s"):format(failed))
    assert.equal(0, code, said)
    assert.equal("id,kind,code,message\n", read(failed))
  end)

  it("shows how far it is: a bar on a terminal, lines elsewhere, nothing when quiet", function()
    local few = ("head -n 200 %s | %s"):format(devices_file, cli:command "permission grant --devices -")
    local lines = support.shell(few)
    assert.truthy(lines:find("%[#+%] 200/200  %d+/s  0:00 left\n200 granted, "), lines)
    assert.equal("", (support.shell(("head -n 200 %s | %s"):format(devices_file, cli:command "--quiet permission grant --devices -"))))
    local terminal = support.shell(("timeout 60 script -qec \"%s\" /dev/null </dev/null")
      :format(cli:command("permission revoke --devices " .. devices_file)))
    assert.truthy(terminal:find("\r\27%[K%[#*%.*%] %d+/" .. COUNT), terminal)
    local narrow = support.shell(("timeout 60 script -qec 'stty cols 40; %s' /dev/null </dev/null")
      :format(cli:command("permission revoke --devices " .. devices_file)))
    for drawn in narrow:gmatch("\r\27%[K([^\r\n]*)") do
      assert.truthy(require("fogcloud.cli.text").width(drawn) < 40, drawn)
    end
    assert.same({ {}, 0 }, { granted() })
  end)

  it("survives being killed: nothing is forgotten, nothing is done or noted twice", function()
    local resume = cli.home .. "/resume"
    local run = cli:command(("--quiet permission grant --devices %s --resume %s --concurrency 2"):format(devices_file, resume))
    sandbox:fail { endpoint = "grant", delay = 0.002, count = 0 }
    local killed, before = 0, sandbox:count { endpoint = "grant" }
    for round = 1, 40 do
      local _, code = support.shell(("timeout -s KILL 0.%d %s"):format(2 + round % 4, (run:gsub(" timeout 60 ", " "))))
      if code == 0 then break end
      killed = killed + 1
    end
    sandbox:heal()
    assert(killed >= 2, "it was killed " .. killed .. " times")
    local _, code, said = cli:run(("permission grant --devices %s --resume %s"):format(devices_file, resume))
    assert.equal(0, code, said)
    assert.equal(COUNT, select(2, granted()))
    local noted, lines = {}, 0
    for id in read(resume):gmatch("\n(bulk%d+)") do
      assert.is_nil(noted[id], id .. " is noted twice")
      noted[id], lines = true, lines + 1
    end
    assert.equal(COUNT, lines)
    -- What was in flight at a kill, or answered and not noted yet, is asked for again, and no more: two of each.
    local requests = sandbox:count { endpoint = "grant" } - before
    assert(requests >= COUNT and requests <= COUNT + 4 * killed, requests .. " requests, " .. killed .. " kills")
    _, code, said = cli:run(("permission grant --devices %s --resume %s"):format(devices_file, resume))
    assert.equal(0, code)
    assert.truthy(said:find(("0 granted, %d earlier"):format(COUNT), 1, true), said)
    assert.equal(requests, sandbox:count { endpoint = "grant" } - before)
    _, code, said = cli:run(("permission revoke --devices %s --resume %s"):format(devices_file, resume))
    assert.equal(2, code)
    assert.truthy(said:find("is of another job", 1, true), said)
  end)

  it("touches no file that is not its own", function()
    local resume = cli.home .. "/foreign"
    for _, text in ipairs { "precious", "precious\n", "# fogcloud permission grant somebody else\n", "# fogcloud permission gr?" } do
      local file = assert(io.open(resume, "w"))
      file:write(text)
      file:close()
      local _, code, said = cli:run("permission grant dev1 --resume " .. resume)
      assert.equal(2, code)
      assert.truthy(said:find("is of another job", 1, true), said)
      assert.equal(text, read(resume))
    end
  end)

  it("lets one run at a time have a file", function()
    local resume = cli.home .. "/locked"
    sandbox:fail { endpoint = "grant", delay = 0.05, count = 0 }
    local command = ("permission grant --devices %s --resume %s"):format(devices_file, resume)
    local text = support.shell(([[%s >/dev/null 2>&1 & pid=$!
      for i in $(seq 400); do grep -q '^bulk' %s 2>/dev/null && break; sleep 0.05; done
      %s; echo code $?; kill -INT $pid; wait $pid]]):format(cli:command(command):gsub(" timeout 60 ", " "), resume, cli:command(command)))
    sandbox:heal()
    assert.truthy(text:find("is in use by another run", 1, true) and text:find("code 2", 1, true), text)
    cli:run("permission revoke --devices " .. devices_file)
  end)

  it("goes on with a file that was torn while it was made", function()
    local resume = cli.home .. "/torn_title"
    for _, text in ipairs { "", "# fogcloud permi", ("# fogcloud permission grant %s %s"):format(client, sandbox.url) } do
      local file = assert(io.open(resume, "w"))
      file:write(text)
      file:close()
      local _, code, said = cli:run("permission grant dev1 --resume " .. resume)
      assert.equal(0, code, said)
    end
    cli:run "permission revoke dev1"
  end)

  it("does not trust a torn line", function()
    local resume = cli.home .. "/torn"
    local file = assert(io.open(resume, "w"))
    file:write(("# fogcloud permission grant %s %s\ndev1\nde"):format(client, sandbox.url))
    file:close()
    local _, code, said = cli:run("permission grant dev1 dev2 --resume " .. resume)
    assert.equal(0, code, said)
    assert.truthy(said:find("1 granted, 1 earlier", 1, true), said)
    assert.truthy(read(resume):find("\ndev1\ndev2\n$"))
  end)

  it("ends when interrupted at its standard input", function()
    -- Once it catches SIGTERM, too (bit 14 of that mask), which is no habit of lua's.
    local said, code = support.shell(([[mkfifo %s/fifo; %s <>%s/fifo & pid=$!
      for i in $(seq 400); do grep -q '^SigCgt:.*[4567cdef]...$' /proc/$pid/status && break; sleep 0.05; done
      kill -INT $pid; wait $pid]]):format(cli.home, cli:command("permission grant --devices -"):gsub(" timeout 60 ", " "), cli.home))
    assert.equal(1, code, said)
    assert.equal("fogcloud: interrupted\n", said)
  end)

  it("ends cleanly when interrupted, and says what is left", function()
    sandbox:fail { endpoint = "revoke", delay = 0.05, count = 0 }
    local said, code = support.shell(("timeout --preserve-status -s INT 1 %s")
      :format((cli:command("permission revoke --devices " .. devices_file):gsub(" timeout 60 ", " "))))
    assert.equal(5, code, said)
    assert.truthy(said:find("%d+ revoked, %d+ left, "), said)
    sandbox:reset()
  end)
end)
