-- SPDX-License-Identifier: MIT

-- What a sandbox starts with and what it keeps: seeds, and a folder of the user's.
local core = require "fogcloud.sandbox.core"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local function make_folder()
  local folder = support.shell("mktemp -d"):match("%S+")
  return folder, function() support.shell("rm -rf " .. folder) end
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local SEED = { accounts = { { client_id = "me", client_secret = "mine", apps = { "a" }, products = {}, devices = {} } } }

describe("a seed", function()
  local sandbox
  after_each(function()
    if sandbox then sandbox:stop() end
    sandbox = nil
  end)

  it("is a table, or refused", function()
    sandbox = support.start { seed = SEED, token_life = 60 }
    assert.equal("me", sandbox.account.client_id)
    assert.same({}, assert(support.cloud(sandbox):products()))
    assert.has_error(function() support.start { seed = { accounts = {} } } end)
    local twice = { accounts = {
      { client_id = "a", client_secret = "x", devices = { { id = "d", password = "x" } } },
      { client_id = "b", client_secret = "x", devices = { { id = "d", password = "y" } } },
    } }
    local ok, why = pcall(support.start, { seed = twice })
    assert.is_false(ok)
    assert.matches("'d' belongs to account a", why)
  end)

  -- Runs the command, then a shell command with what it exports, and ends it: what was printed.
  local function run(arguments, command)
    local folder, remove = make_folder()
    finally(remove)
    return (support.shell(([[
      cd %s; mkfifo in; (cd "$OLDPWD"; exec %s bin/fogcloud sandbox --until-eof %s) <in >out 2>&1 & exec 3>in
      while ! grep -q APP_ID out && kill -0 $! 2>/dev/null; do sleep 0.02; done
      . ./out; %s
      exec 3>&-; wait; cat out]]):format(folder, script.interpreter(), arguments, command)))
  end

  local DUMP = "curl -sS $FOGCLOUD_BASE_URL/_sandbox/state"

  it("is a file of JSON, and of Lua", function()
    local folder, remove = make_folder()
    finally(remove)
    write(folder .. "/seed.json", '{"accounts":[{"client_id":"from-json","client_secret":"x"}]}')
    write(folder .. "/seed.lua", 'return { accounts = { { client_id = "from-lua", client_secret = "x" } } }')
    for _, name in ipairs { "json", "lua" } do
      local text = run(("--seed %s/seed.%s"):format(folder, name), DUMP)
      assert.matches('"client_id":"from%-' .. name, text)
      assert.matches("FOGCLOUD_CLIENT_ID='from%-" .. name, text)
    end
    write(folder .. "/throws.lua", 'error("on purpose")')
    write(folder .. "/broken.json", "{")
    for name, why in pairs { ["throws.lua"] = "on purpose", ["broken.json"] = "broken.json", ["none.json"] = "No such file" } do
      local text = run(("--seed %s/%s"):format(folder, name), "true")
      assert.is_truthy(text:find(why, 1, true), text)
      assert.is_nil(text:find("traceback", 1, true), text)
    end
  end)

  it("has more of everything from the command line", function()
    local text = run("--app two --app three --product 'p=A lamp' --device d1 --device d2=word",
      "mosquitto_pub -h localhost -p $(sed -n 's/.*localhost:\\([0-9]*\\) (plain.*/\\1/p' out) -u d1 -P d1-secret -t d2c/d1/x -m x "
      .. "&& echo logged in; " .. DUMP)
    assert.matches("logged in", text)
    for _, part in ipairs { '"app_id":"two"', '"app_id":"three"', '"pname":"A lamp"', '"id":"d2"', '"id":"dev1"', "sandbox-app" } do
      assert.is_truthy(text:find(part, 1, true), part)
    end
    assert.matches("a product needs", run("--product lamp", "true"))
    assert.matches("a device needs", run("--device a/b", "true"))
  end)

  it("makes ids repeatable, any number", function()
    for _, seed in ipairs { 0, 42, 2147483647 } do
      local ids = {}
      for i = 1, 2 do
        sandbox = support.start { rng_seed = seed }
        local cloud = support.cloud(sandbox)
        ids[i] = assert(cloud:create_client(sandbox.app_id)).clientid
        assert.is_true(ids[i] ~= assert(cloud:create_client(sandbox.app_id)).clientid)
        sandbox:stop()
      end
      assert.equal(ids[1], ids[2])
      assert.is_nil(ids[1]:find("AAAA", 1, true))
    end
  end)
end)

describe("a folder that is kept", function()
  local folder, remove, sandbox

  before_each(function() folder, remove = make_folder() end)
  after_each(function()
    if sandbox then sandbox:stop() end
    sandbox = nil
    remove()
  end)

  local function start(options)
    options = options or {}
    options.data = folder
    sandbox = support.start(options)
    return sandbox
  end

  it("has its state after a kill, and the same CA", function()
    local first = start()
    local cloud = support.cloud(first)
    local client = support.client(first, cloud, { "dev1" })
    local token, ca = cloud:token(), first.ca
    support.shell("kill -9 " .. first.pid)
    first:stop()
    local second = start()
    local state = second:state()
    assert.same({ { clientid = client.clientid, device_id = "dev1" } }, state.grants)
    local headers = ("-H 'Authorization: Bearer %s'"):format(token)
    assert.matches("prod%-lamp", (support.shell(("curl -sS %s %s/v3/open_api/product/ids/"):format(headers, second.url))))
    assert.equal(ca, second.ca)
    client.sslport = second.tls_port
    local session = assert(require("fogcloud").connect(client, { ca_pem = ca }))
    session:close()
    require("fogcloud").run()
  end)

  it("has the seed that it was made with, and takes no other", function()
    start({ seed = SEED }):stop()
    assert.equal("me", start().account.client_id)
    assert(support.cloud(sandbox):token())
    sandbox:stop()
    assert.equal("me", start({ seed = SEED }).account.client_id)
    sandbox:stop()
    local ok, why = pcall(start, { seed = { accounts = { { client_id = "you", client_secret = "x" } } } })
    assert.is_false(ok)
    assert.matches("made with another seed", why)
    assert.equal("me", start().account.client_id)
  end)

  it("has none of a seed that was refused", function()
    local devices = { { id = "d", password = "x" } }
    local seed = { accounts = {
      { client_id = "a", client_secret = "x", devices = devices }, { client_id = "b", client_secret = "x", devices = devices },
    } }
    assert.has_error(function() start { seed = seed } end)
    assert.equal("me", start({ seed = SEED }).account.client_id)
  end)

  it("goes on with the ids of a seeded run", function()
    local ids = {}
    for i = 1, 2 do
      start { rng_seed = 7 }
      local cloud = support.cloud(sandbox)
      assert(cloud:token())
      ids[i] = assert(cloud:create_client(sandbox.app_id)).clientid
      assert.equal(0, cloud:stats().repeats) -- nothing was an error of the sandbox
      sandbox:stop()
    end
    assert.is_true(ids[1] ~= ids[2])
  end)

  it("is one sandbox's at a time", function()
    start()
    local before = read(folder .. "/mosquitto.conf")
    local ok, why = pcall(support.start, { data = folder })
    assert.is_false(ok)
    assert.matches("another sandbox has this folder", why)
    assert.equal(before, read(folder .. "/mosquitto.conf"))
    assert.is_true(select(2, sandbox:health()))
  end)

  it("holds nothing that others can read, and no token or password in the clear", function()
    start()
    local cloud = support.cloud(sandbox)
    local client, token = support.client(sandbox, cloud), cloud:token()
    local modes = support.shell(("stat -c '%%a %%n' %s/*"):format(folder))
    local files = 0
    for mode, name in modes:gmatch("(%d+) (%S+)") do
      assert.equal("600", mode, name)
      files = files + 1
    end
    assert.is_true(files >= 10, modes)
    for _, name in ipairs { "store.db", "store.db-wal" } do
      local text = read(folder .. "/" .. name)
      for _, secret in ipairs { token, client.password, "sandbox-key-secret", "dev1-secret" } do
        assert.is_nil(text:find(secret, 1, true), name)
      end
    end
  end)

  it("is refused with its name when it cannot be one", function()
    write(folder .. "/file", "")
    for _, path in ipairs { folder .. "/file", folder .. "/no/such" } do
      local ok, why = pcall(support.start, { data = path })
      assert.is_false(ok)
      assert.is_truthy(why:find(path, 1, true), why)
    end
    write(folder .. "/store.db", ("no database "):rep(100))
    local ok, why = pcall(start)
    assert.is_false(ok)
    assert.matches("store%.db", why)
    assert.is_nil(why:find("traceback", 1, true), why)
  end)

  it("whose store fails says so, in replies, in the journal, and in its health", function()
    start()
    local cloud = support.cloud(sandbox)
    assert(cloud:token())
    local db = assert(core.db(folder .. "/store.db"))
    assert(db:query("DROP TABLE products"))
    local none, err = cloud:products { timeout = 1 }
    assert.is_nil(none)
    assert.matches("no such table: products", tostring(err))
    local failed = sandbox:count { endpoint = "products", status = 500, code = 10050 }
    assert.is_true(failed >= 1)
    assert.is_true(select(2, sandbox:health()))
    assert(db:query("DROP TABLE accounts"))
    local health, fine = sandbox:health()
    assert.same({ false, false }, { health.store, fine })
    db:close()
  end)
end)
