-- SPDX-License-Identifier: MIT

-- The commands around the account, by the real program: login, profile, token, product, client, and what all share.
local cjson = require "cjson"
local Cli = require "spec.support.cli"
local support = require "spec.support.sandbox"

describe("fogcloud", function()
  local sandbox, cli, bare

  setup(function()
    sandbox = support.start()
    cli = Cli.new(sandbox)
    bare = ("HOME=%s XDG_CONFIG_HOME=%s/config XDG_STATE_HOME=%s/state"):format(cli.home, cli.home, cli.home)
  end)
  teardown(function()
    cli:close()
    sandbox:stop()
  end)
  before_each(function() support.shell(("rm -rf %s/config %s/state"):format(cli.home, cli.home)) end)

  local function read(path)
    local file = assert(io.open(path))
    local text = file:read("*a")
    file:close()
    return text
  end

  it("helps, for each command and without one", function()
    local out, code = cli:run "--help"
    assert.equal(0, code)
    for _, name in ipairs(require("fogcloud.cli").COMMANDS) do
      assert.truthy(out:find("\n  " .. name .. "[ ,]"), name)
      local help, status = cli:run(name .. " --help")
      assert.equal(0, status)
      assert.truthy(help:find("^Usage: fogcloud " .. name), help)
      assert.truthy(help:find("The options of `fogcloud --help`", 1, true), help)
    end
    out, code = cli:run "--version"
    assert.equal(0, code)
    assert.truthy(out:find("^fogcloud %d.*libcurl.*OpenSSL.*cjson"), out)
  end)

  -- Every parser with its command's whole name.
  local function each_parser(parser, name, visit)
    visit(parser, name)
    for _, command in ipairs(parser._commands) do
      each_parser(command, (name == "" and "" or name .. " ") .. command._name, visit)
    end
  end

  it("helps in lines that people know, with two examples that can be typed", function()
    local typed = require("fogcloud.cli.typed")
    local parser = require("fogcloud.cli").parser()
    each_parser(parser, "", function(element, name)
      local help = element:get_help()
      for line in help:gmatch("[^\n]+") do
        assert.truthy(#line <= 104 or line:find("^  fogcloud"), line) -- 100 columns; `…` has three bytes
        assert.is_nil(line:find("^ +%-.*<"), line) -- placeholders are words in capitals
      end
      for placeholder in help:gmatch("%-%-[%l-]+ (%u[%u_]+)") do assert.is_nil(placeholder:find("_", 1, true), placeholder) end
      assert.truthy(help:find("\n  %-h, %-%-help  ") or help:find("\n      %-%-help  "), name)
      local count = 0
      for line in help:match("\nExamples:\n(.*)$"):gmatch("  ([^\n]*fogcloud[^\n]*)") do
        count = count + 1
        local words = {}
        local typed_words = line:match("^fogcloud ([^>|]*)") or "version"
        for word in support.shell(("set -- %s; for w; do echo \"$w\"; done"):format(typed_words)):gmatch("[^\n]+") do
          words[#words + 1] = word
        end
        local shows_help = line:find("--help", 1, true) or line:find("--version", 1, true)
        if not shows_help then
          local ok, why = require("fogcloud.cli").parser():pparse(assert(typed.arguments(words)))
          assert.is_true(ok, line .. ": " .. tostring(why))
        end
      end
      assert.truthy(count >= 2, name)
    end)
    assert.truthy((cli:run "sub --help"):find("\n  -t, --topic TOPIC               another topic filter\n", 1, true))
  end)

  it("refuses wrong use with 2 and says where help is", function()
    for _, wrong in ipairs { "", "nonsense", "product", "product list --nonsense", "permission grant --timeout x dev1" } do
      local out, code, said = cli:run(wrong)
      assert.same({ "", 2 }, { out, code }, wrong)
      assert.truthy(said:find("^fogcloud: .*%; see fogcloud .*%-%-help\n$"), said)
    end
    local _, code, said = cli:run("product list", bare)
    assert.equal(2, code)
    assert.truthy(said:find("option 'base_url' is missing.*fogcloud login"), said)
  end)

  it("lists products in columns, Chinese names too, or as JSON", function()
    local out, code = cli:run "product list"
    assert.equal(0, code)
    local first = out:match("([^\n]*)\n")
    assert.equal("PRODUCT     NAME", first)
    assert.truthy(out:find("prod-meter  电表\n", 1, true), out)
    assert.equal("prod-lamp   Lamp\nprod-meter  电表\n", (cli:run "--quiet product list"))
    out = cli:run "product list --json"
    local lines = {}
    for line in out:gmatch("[^\n]+") do lines[#lines + 1] = cjson.decode(line) end
    assert.same({ { productid = "prod-lamp", pname = "Lamp" }, { productid = "prod-meter", pname = "电表" } }, lines)
  end)

  it("prints a token, and the same one again", function()
    local one, code = cli:run "token"
    assert.equal(0, code)
    assert.equal(one, (cli:run "token"))
    assert.equal(one, cjson.decode((cli:run "token --json")).access_token .. "\n")
  end)

  it("tells authentication from network from failure", function()
    local _, code, said = cli:run("token", cli.environment .. " FOGCLOUD_CLIENT_SECRET=wrong")
    assert.equal(3, code)
    assert.truthy(said:find("^fogcloud: token: "), said)
    assert.is_nil(said:find("wrong\n"))
    _, code = cli:run("token --timeout 1", cli.environment .. " FOGCLOUD_BASE_URL=http://127.0.0.1:1")
    assert.equal(4, code)
    sandbox:fail { endpoint = "products", code = 10000, count = 1 }
    _, code, said = cli:run "product list --json"
    assert.equal(1, code)
    assert.equal("api", cjson.decode(said).error.kind)
  end)

  it("logs in without showing the secret, and works from the profile", function()
    local secret = sandbox.account.client_secret
    local login = ("printf '%%s\\n' '%s' | %s"):format(secret,
      cli:command(("login --base-url %s --access-key %s --secret-file - --app %s --ca-file %s")
      :format(sandbox.url, sandbox.account.client_id, sandbox.app_id, sandbox.ca_file), bare))
    local said, code = support.shell(login)
    assert.equal(0, code, said)
    assert.is_nil(said:find(secret, 1, true))
    assert.equal("600\n", (support.shell("stat -c %a " .. cli.home .. "/config/fogcloud/profiles.json")))
    assert.equal(secret, cjson.decode(read(cli.home .. "/config/fogcloud/profiles.json")).default.client_secret)
    local out, status = cli:run("--quiet product list", bare)
    assert.same({ "prod-lamp   Lamp\nprod-meter  电表\n", 0 }, { out, status })
    out = cli:run("profile list", bare)
    assert.truthy(out:find("*  default  " .. sandbox.url, 1, true), out)
    assert.is_nil(out:find(secret, 1, true))
  end)

  -- Runs the program on a terminal of its own, in its foreground, and types answers to prompts.
  local function typed(dialogue, arguments, environment)
    local words = {}
    for i, text in ipairs(dialogue) do words[i] = "'" .. text .. "'" end
    local run = cli:command(arguments, environment or bare):gsub(" timeout 60 ", " ")
    return support.shell(("timeout 30 python3 spec/support/typist.py %s 'trap : INT; %s; code=$?; stty -a; exit $code'")
      :format(table.concat(words, " "), run))
  end

  it("asks for an account on a terminal, for the secret without echo; enough for the next command", function()
    local account = sandbox.account
    local said, code = typed({ "API URL: ", sandbox.url, "Access Key ID: ", account.client_id,
      "Access Key Secret, not shown: ", account.client_secret,
      "Application ID, Enter for none: ", sandbox.app_id, "CA file (PEM), Enter for none: ", sandbox.ca_file }, "login")
    assert.equal(0, code, said)
    assert.equal(sandbox.ca_file, cjson.decode(read(cli.home .. "/config/fogcloud/profiles.json")).default.ca_file)
    assert.truthy(said:find("Access Key Secret, not shown: \r?\n"), said)
    assert.truthy(said:find("Stored as profile 'default'", 1, true), said)
    assert.is_nil(said:find(account.client_secret, 1, true))
    assert.equal(0, select(2, cli:run("client create --name gateway", bare)))
  end)

  it("tries the broker over TLS before it says that it has stored the account", function()
    local login = ("login --base-url %s --access-key %s --app %s"):format(sandbox.url, sandbox.account.client_id, sandbox.app_id)
    local secret = bare .. " FOGCLOUD_CLIENT_SECRET=" .. sandbox.account.client_secret
    local before = #sandbox:state().clients
    local _, code, said = cli:run(login, secret)
    assert.equal(5, code, said)
    assert.matches("the account works, its broker does not: .*authority.*doctor", said)
    _, code, said = cli:run(login .. " --ca-file " .. sandbox.ca_file, secret)
    assert.equal(0, code, said)
    assert.is_nil(said:find("does not", 1, true))
    -- One client was made for that, and the next `client create` takes it.
    assert.equal(before + 1, #sandbox:state().clients)
    assert.equal(2, select(2, cli:run("pub x y", bare)))
    assert.equal(0, select(2, cli:run("client create --name gateway", bare)))
    assert.equal(before + 1, #sandbox:state().clients)
    assert.equal(0, select(2, cli:run("client create --name other", bare)))
    assert.equal(before + 2, #sandbox:state().clients)
    _, code, said = cli:run(login:gsub("%-%-app %S+", "--app nonsense"), secret)
    assert.equal(0, code, said) -- a client is there to try it with
    assert.equal(0, select(2, cli:run(login .. " --no-check", secret)))
  end)

  it("asks for authorities of the API, too", function()
    local secure = support.start { tls = true }
    finally(function() secure:stop() end)
    local login = ("login --base-url %s --access-key %s"):format(secure.url, secure.account.client_id)
    local secret = bare .. " FOGCLOUD_CLIENT_SECRET=" .. secure.account.client_secret
    local said, code = typed({ "Application ID, Enter for none: ", "", "CA file (PEM), Enter for none: ", secure.ca_file }, login, secret)
    assert.equal(0, code, said)
    support.shell(("rm -r %s/config"):format(cli.home))
    said, code = typed({ "Application ID, Enter for none: ", "", "CA file (PEM), Enter for none: ", "" }, login, secret)
    assert.equal(4, code, said)
    assert.equal(4, select(2, cli:run(login, secret))) -- nobody can be asked
  end)

  it("takes Enter for no application", function()
    local said, code = typed({ "Access Key Secret, not shown: ", sandbox.account.client_secret, "Application ID, Enter for none: ", "" },
      ("login --base-url %s --access-key %s"):format(sandbox.url, sandbox.account.client_id))
    assert.equal(0, code, said)
    assert.is_nil(cjson.decode(read(cli.home .. "/config/fogcloud/profiles.json")).default.app_id)
  end)

  it("ends at the first Ctrl-C of a question, with the echo on", function()
    for _, dialogue in ipairs {
      { "API URL: ", "\3" },
      { "API URL: ", "http://localhost", "Access Key ID: ", "x", "Access Key Secret, not shown: ", "\3" },
      { "API URL: ", "http://localhost", "Access Key ID: ", "x", "Access Key Secret, not shown: ", "y",
        "Application ID, Enter for none: ", "\3" },
    } do
      local said, code = typed(dialogue, "login")
      assert.equal(1, code, said)
      assert.truthy(said:find("interrupted", 1, true) and said:find(" echo ", 1, true), said)
      assert.is_nil(said:find("missing", 1, true))
    end
    assert.is_nil(io.open(cli.home .. "/config/fogcloud/profiles.json"))
  end)

  it("stores nothing when the account is refused", function()
    local _, code = cli:run(("login --base-url %s --access-key nobody"):format(sandbox.url),
      bare .. " FOGCLOUD_CLIENT_SECRET=x")
    assert.equal(3, code)
    assert.is_nil(io.open(cli.home .. "/config/fogcloud/profiles.json"))
  end)

  it("keeps several profiles: flags win over variables, variables over the profile", function()
    local environment = bare .. " FOGCLOUD_CLIENT_SECRET=" .. sandbox.account.client_secret
    for _, name in ipairs { "one", "two" } do
      local _, code, said = cli:run(("--profile %s login --base-url %s --access-key %s"):format(name, sandbox.url,
        sandbox.account.client_id), environment)
      assert.equal(0, code, said)
      assert.truthy(said:find("profile use " .. name, 1, true), said)
    end
    assert.equal(2, select(2, cli:run("token", bare))) -- none is current
    assert.equal(0, select(2, cli:run("--profile two token", bare)))
    assert.equal(0, select(2, cli:run("token", bare .. " FOGCLOUD_PROFILE=one")))
    assert.equal(0, select(2, cli:run("profile use one", bare)))
    assert.equal(0, select(2, cli:run("token", bare)))
    assert.equal(4, select(2, cli:run("--base-url http://127.0.0.1:1 --timeout 1 product list", bare)))
    assert.equal(4, select(2, cli:run("--timeout 1 product list", bare .. " FOGCLOUD_BASE_URL=http://127.0.0.1:1")))
    assert.equal(0, select(2, cli:run("--base-url " .. sandbox.url .. " product list", bare .. " FOGCLOUD_BASE_URL=http://127.0.0.1:1")))
    assert.equal(0, select(2, cli:run("profile remove one", bare)))
    assert.equal(2, select(2, cli:run("profile remove one", bare)))
    local _, gone, why = cli:run("token", bare)
    assert.equal(2, gone)
    assert.truthy(why:find("base_url", 1, true), why) -- and no word of 'one'
    local out = cli:run("profile list --json", bare)
    assert.same({ name = "two", base_url = sandbox.url, client_id = sandbox.account.client_id, current = false }, cjson.decode(out))
  end)

  it("makes clients and keeps their passwords to itself", function()
    local out, code = cli:run "client create --name gateway"
    assert.equal(0, code)
    local id = out:match("clientid +(%S+)")
    assert.is_nil(out:find("password", 1, true))
    assert.equal("600\n", (support.shell("stat -c %a " .. cli.home .. "/state/fogcloud/clients.json")))
    assert.equal(2, select(2, cli:run "client create --name gateway")) -- would lose a password
    local second = cjson.decode((cli:run "client create --json --show-password"))
    assert.equal("string", type(second.password))
    out = cli:run "client list"
    assert.truthy(out:find("gateway", 1, true) and out:find(id, 1, true) and out:find(second.clientid, 1, true), out)
    assert.is_nil(out:find(second.password, 1, true))
    assert.equal(0, select(2, cli:run("client forget " .. second.clientid)))
    assert.equal(2, select(2, cli:run("client forget " .. second.clientid)))
    out = cli:run "client list --json"
    assert.equal(id, cjson.decode(out).clientid)
  end)

  it("uses the clients of its own account, and others at that cloud by name", function()
    sandbox:add { accounts = { { client_id = "second", client_secret = "theirs", apps = { "their-app" } } } }
    local theirs = cli.environment .. " FOGCLOUD_CLIENT_ID=second FOGCLOUD_CLIENT_SECRET=theirs FOGCLOUD_APP_ID=their-app"
    assert.equal(0, select(2, cli:run "client create --name mine"))
    local out, code, said = cli:run("client list", theirs)
    assert.same({ "", 0 }, { out, code })
    assert.truthy(said:find("client create", 1, true), said)
    assert.truthy((cli:run("client list --all", theirs)):find("mine", 1, true))
    out, code, said = cli:run("sub x", theirs)
    assert.same({ "", 2 }, { out, code })
    assert.truthy(said:find("no client of this account", 1, true), said)
    assert.equal(0, select(2, cli:run("pub -q 0 x y --client mine", theirs)))
    assert.equal(0, select(2, cli:run("client create --name theirs", theirs)))
    assert.truthy((cli:run("client list", theirs)):find("theirs", 1, true))
    assert.equal(0, select(2, cli:run "pub -q 0 x y")) -- mine is still the only one
  end)

  it("loses no password when two make a client of one name at once", function()
    local one = cli:command "client create --name twin"
    local both = ("%s & one=$!; %s & two=$!; wait $one && wait $two"):format(one, one)
    sandbox:fail { endpoint = "create_client", delay = 2, count = 0 }
    local said, code = support.shell(both)
    sandbox:heal()
    assert.equal(0, code, said)
    local _, lines = (cli:run "--quiet client list"):gsub("\n", "\n")
    assert.equal(2, lines)
  end)

  it("names what is odd in its files", function()
    local function odd(path, text, arguments, pattern)
      support.shell(("umask 077; mkdir -p %s/state/fogcloud %s/config/fogcloud; echo '%s' >%s/%s"):format(cli.home, cli.home, text,
        cli.home, path))
      local out, code, said = cli:run(arguments)
      assert.same({ "", 1 }, { out, code }, said)
      assert.truthy(said:find(pattern) and not said:find("traceback", 1, true), said)
    end
    for _, text in ipairs { '{"x":5}', '{"x":{}}' } do
      odd("state/fogcloud/clients.json", text, "client list", "clients.json: 'x' is no client")
      odd("state/fogcloud/clients.json", text, "client create --name y", "clients.json: 'x' is no client")
    end
    odd("state/fogcloud/clients.json", "[1]", "client list", "clients.json holds no JSON object")
    odd("config/fogcloud/profiles.json", '{"x":5}', "profile list", "profiles.json: 'x' is no object")
  end)

  it("reports in JSON what programs may want to know", function()
    for _, wrong in ipairs { "--json nonsense", "permission grant 'a/b' --json", "--json pub --file /tmp x" } do
      local out, code, said = cli:run(wrong)
      assert.same({ "", 2 }, { out, code })
      local err = cjson.decode(said).error
      assert.equal("usage", err.kind)
      assert.truthy(#err.message > 10)
    end
  end)

  it("ignores variables that are empty", function()
    assert.equal(0, select(2, cli:run("token", cli.environment .. " FOGCLOUD_PROFILE=")))
    cli:run "client create"
    assert.equal(0, select(2, cli:run("pub -q 0 x y", cli.environment .. " FOGCLOUD_CA_FILE=")))
    local login = ("login --base-url %s --access-key %s"):format(sandbox.url, sandbox.account.client_id)
    assert.equal(0, select(2, cli:run(login, bare .. " FOGCLOUD_PROFILE= FOGCLOUD_CLIENT_SECRET=" .. sandbox.account.client_secret)))
    assert.equal(0, select(2, cli:run("pub -q 0 x y", bare .. " FOGCLOUD_BASE_URL=")))
  end)

  it("colours on a terminal only, or when told", function()
    assert.is_nil((cli:run "product list"):find("\27", 1, true))
    assert.truthy((cli:run "--color always product list"):find("\27[1m", 1, true))
    local terminal = ("timeout 20 script -qec \"%s\" /dev/null </dev/null"):format(cli:command "product list")
    assert.truthy((support.shell("TERM=xterm " .. terminal)):find("\27[1m", 1, true))
    for _, plain in ipairs { "TERM=xterm NO_COLOR=1 ", "TERM=dumb " } do
      assert.is_nil((support.shell(plain .. terminal)):find("\27", 1, true), plain)
    end
    assert.truthy((support.shell("NO_COLOR= TERM=xterm " .. terminal)):find("\27[1m", 1, true))
  end)

  it("is quiet when nobody reads, and says when nothing can be written", function()
    assert.equal("", (support.shell(cli:command "product list" .. " | true")))
    for _, arguments in ipairs { "product list", "--help", "--version", "product --help", "completion bash" } do
      local said, code = support.shell(cli:command(arguments) .. " >/dev/full")
      assert.same({ "fogcloud: standard output: No space left on device\n", 1 }, { said, code }, arguments)
    end
  end)

  it("completes in two more shells #shells", function()
    for _, check in ipairs { "zsh -n /dev/stdin", "fish --no-execute" } do
      assert.equal("", (support.shell(cli:command("completion " .. check:match "%l+") .. " | " .. check)))
    end
  end)

  it("completes in bash, and says what other shells need", function()
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      local out, code = cli:run("completion " .. shell)
      assert.equal(0, code)
      assert.truthy(out:find("permission", 1, true) and out:find("resume", 1, true), shell)
    end
    assert.equal("", (support.shell(cli:command("completion bash") .. " | bash -n")))
    local words = "COMP_WORDS=(fogcloud completion b) COMP_CWORD=2; _fogcloud; echo ${COMPREPLY[@]}"
    assert.equal("bash\n", (support.shell(("bash -c 'eval \"$(%s)\"; %s'"):format(cli:command "completion bash", words))))
  end)
end)
