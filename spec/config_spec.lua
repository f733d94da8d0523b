-- SPDX-License-Identifier: MIT

local config = require "fogcloud.config"
local core = require "fogcloud.core"

local GOOD = { base_url = "https://api.example.com", client_id = "id", client_secret = "s3cret" }

local function with(change)
  local options = {}
  for name, value in pairs(GOOD) do options[name] = value end
  for name, value in pairs(change or {}) do options[name] = value end
  return options
end

describe("options", function()
  local folder, environment

  local function getenv(name) return environment[name] end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(core.file.folder(folder))
    assert(core.file.folder(folder .. "/fogcloud"))
    environment = { XDG_CONFIG_HOME = folder, HOME = "/nonexistent" }
  end)
  after_each(function() os.execute(("rm -rf '%s'"):format(folder)) end)

  local function resolve(given) return config.resolve(given, 1, getenv) end

  local function write_profile(text) assert(core.file.write(folder .. "/fogcloud/profiles.json", text)) end

  local function refused(text, given)
    local ok, err = pcall(resolve, given)
    assert.is_false(ok, text)
    assert.is_truthy(err:find(text, 1, true), err)
    assert.is_nil(err:find("s3cret", 1, true), err)
  end

  it("come with defaults", function()
    local options = resolve(with())
    assert.same({ "form", 30, 10, 10, "memory" }, {
      options.encoding, options.timeout, options.attempt_timeout, options.connect_timeout, options.store,
    })
  end)

  it("come from the caller before the environment before the profile", function()
    environment.FOGCLOUD_CLIENT_ID, environment.FOGCLOUD_APP_ID = "env-id", "env-app"
    write_profile('{"default":{"base_url":"https://p.example.com","client_id":"p","client_secret":"p","timeout":5}}')
    local options = resolve { client_secret = "mine" }
    assert.same({ "https://p.example.com", "env-id", "mine", "env-app", 5 }, {
      options.base_url, options.client_id, options.client_secret, options.app_id, options.timeout,
    })
  end)

  it("of trust are one option's, the nearest one's", function()
    environment.FOGCLOUD_CA_FILE = "/env.pem"
    assert.equal("/env.pem", resolve(with()).ca_file)
    local options = resolve(with { ca_pem = "PEM" })
    assert.same({ nil, "PEM" }, { options.ca_file, options.ca_pem })
    write_profile('{"default":{"ca_pem":"p"}}')
    assert.same({ "/env.pem", nil }, { resolve(with()).ca_file, resolve(with()).ca_pem })
    environment.FOGCLOUD_CA_FILE = nil
    write_profile('{"default":{"ca_pem":"p","ca_file":"/f"}}')
    refused("option 'ca_file' in " .. folder, with())
  end)

  it("are looked for where the XDG specification says", function()
    local home = core.file.home()
    local function path(variables) return config.profile_path(function(name) return variables[name] end) end
    assert.equal("/x/fogcloud/profiles.json", path { XDG_CONFIG_HOME = "/x", HOME = "/h" })
    for _, ignored in ipairs { "", "x", "./x", "~/x" } do
      assert.equal("/h/.config/fogcloud/profiles.json", path { XDG_CONFIG_HOME = ignored, HOME = "/h" })
      assert.equal(home .. "/.config/fogcloud/profiles.json", path { XDG_CONFIG_HOME = ignored, HOME = ignored })
    end
    assert.matches("^/", home)
    local folders = require "fogcloud.folders"
    assert.equal("/h/.local/state", folders.state(function(name) return ({ XDG_STATE_HOME = "rel", HOME = "/h" })[name] end))
  end)

  it("are not touched by what a program sets in its cjson", function()
    write_profile('{"default":{"max_body":1234567}}')
    local cjson = require "cjson"
    cjson.decode_max_depth(1)
    local ok, options = pcall(resolve, with())
    cjson.decode_max_depth(1000)
    assert.equal(1234567, ok and options.max_body or options)
  end)

  it("may choose a profile, that must be there", function()
    write_profile('{"default":{},"work":{"client_id":"worker"}}')
    assert.equal("worker", resolve({
      base_url = GOOD.base_url, client_secret = "x", profile = "work" }).client_id)
    environment.FOGCLOUD_PROFILE = "work"
    assert.equal("worker", resolve({ base_url = GOOD.base_url, client_secret = "x" }).client_id)
    refused("there is no profile 'gone'", with { profile = "gone" })
  end)

  it("come from the caller alone where environment is false", function()
    environment = setmetatable({}, { __index = function(_, name) error(name .. " is looked at") end })
    write_profile "{"
    local options = resolve(with { environment = false, ca_pem = "PEM", store = "file:/x" })
    assert.same({ "PEM", "form", "file:/x" }, { options.ca_pem, options.encoding, options.store })
    refused("option 'client_id' is missing: give it, for environment = false looks nowhere else",
      { environment = false, base_url = GOOD.base_url, client_secret = "s3cret" })
    refused("option 'profile': environment = false reads no profile", with { environment = false, profile = "x" })
    refused("give 'file:FOLDER'", with { environment = false, store = "file" })
    refused("option 'environment': boolean expected", with { environment = 0 })
  end)

  it("raise at the caller, by name", function()
    local function wrapper(options) return (config.resolve(options, 1, getenv)) end
    local ok, err = pcall(wrapper, with { colour = 1 })
    assert.is_false(ok)
    assert.matches("config_spec.lua:%d+: unknown option 'colour'", err)
  end)

  it("are refused when they are wrong", function()
    local CASES = {
      { { timeout = 0 }, "option 'timeout': a positive number" }, { { timeout = "5" }, "'timeout': number expected" },
      { { timeout = 0 / 0 }, "a positive number" }, { { max_body = math.huge }, "'max_body': a whole number from 1 to 1000000000" },
      { { max_body = 0 }, "'max_body': a whole number from 1" }, { { max_body = 1e9 + 1 }, "'max_body': a whole number from 1" },
      { { ca_file = "a", ca_pem = "b" }, "option 'ca_file' and option 'ca_pem' say the same" },
      { { key_file = "k" }, "'key_file' is for a certificate" }, { { user_agent = "a\r\nb" }, "'user_agent' holds a control" },
      { { client_id = "" }, "'client_id' is empty" }, { { client_secret = "s3cret\n" }, "'client_secret' holds a control" },
      { { client_id = "a\0b" }, "'client_id' holds a control" }, { { ca_file = "a\r" }, "'ca_file' holds a control" },
      { { encoding = "xml" }, "'encoding': 'form' or 'json' expected" }, { { log = "loud" }, "'log': 'debug', 'info'" },
      { { store = 5 }, "'store': string or table expected" }, { { random = 5 }, "'random': function expected" },
      { { [5] = 5 }, "unknown option '5'" },
    }
    for _, case in ipairs(CASES) do refused(case[2], with(case[1])) end
    refused("options: table expected, got string", "x")
    assert.equal("a\nb", resolve(with { ca_pem = "a\nb" }).ca_pem)
  end)

  it("are UTF-8 where JSON has to carry them", function()
    for _, name in ipairs { "client_id", "client_secret" } do
      refused(("option '%s' must be UTF-8 where encoding is 'json'"):format(name), with {
        encoding = "json", [name] = "s3cret\255" })
      assert.equal("s3cret\255", resolve(with { [name] = "s3cret\255" })[name])
    end
    assert.is_table(resolve(with { encoding = "json", client_secret = "\195\164" }))
  end)

  it("name the variable that holds a wrong value", function()
    environment.FOGCLOUD_CLIENT_SECRET = "s3cret\r\nX: y"
    refused("FOGCLOUD_CLIENT_SECRET holds a control character", { base_url = GOOD.base_url, client_id = "x" })
  end)

  it("say where a missing one may come from", function()
    for name, variable in pairs {
      base_url = "FOGCLOUD_BASE_URL", client_id = "FOGCLOUD_CLIENT_ID", client_secret = "FOGCLOUD_CLIENT_SECRET",
    } do
      local options = with()
      options[name] = nil
      refused(("option '%s' is missing: give it, set %s, or make a profile (fogcloud login)"):format(name, variable), options)
    end
  end)

  it("take a URL only where a secret may be sent", function()
    local BAD = {
      ["ftp://x"] = "https:// expected", ["x.com"] = "https:// expected", ["https://"] = "https:// expected",
      ["https://u:p@x"] = "user name", ["https://x?a"] = "query", ["https://x/#a"] = "query", ["https://a b"] = "blank",
      ["http://x.com"] = "shows the secret", ["http://127.0.0.1.x.com"] = "shows the secret",
      ["http://localhost.x.com"] = "shows the secret", ["http://1.127.0.0.1"] = "shows the secret",
      ["HTTP://x.com"] = "shows the secret", ["http://x.com\\@127.0.0.1"] = "https:// expected",
      ["http://127.0.0.1@x.com"] = "user name", ["https://x/\r\nA: b"] = "control character",
      ["https://x:99999"] = "port from 1 to 65535", ["https://x:0"] = "port from 1 to 65535", ["https://x:abc"] = "port from 1",
      ["https://x:"] = "port from 1", ["https://x:80:90/"] = "port from 1", ["https://[::1]x"] = "port from 1",
      ["https://[::1]:70000"] = "port from 1", ["https://:443"] = "no host name", ["https://[x]"] = "no host name",
      ["https://a%20b"] = "no host name", ["https://x,y"] = "no host name", ["https://\228\186\145.example.com"] = "ASCII",
    }
    for url, why in pairs(BAD) do refused(why, with { base_url = url }) end
    for _, url in ipairs {
      "https://x.com", "https://x.com:8443/base/", "http://localhost:1", "http://127.9.9.9", "http://[::1]:80/x",
      "HTTPS://X.com", "https://xn--5nqv22n.example.com", "https://x_y-z.com:65535", "https://[fe80::1]/",
    } do
      assert.equal(url, resolve(with { base_url = url }).base_url)
    end
    assert.is_table(resolve(with { base_url = "http://x.com", allow_insecure_http = true }))
  end)

  describe("in the profile file", function()
    it("are its owner's alone", function()
      write_profile "{}"
      assert(os.execute(("chmod 644 '%s/fogcloud/profiles.json'"):format(folder)))
      refused("chmod 600", with())
    end)

    it("must be options", function()
      write_profile "{"
      refused("a JSON object of profiles expected", with())
      write_profile "5"
      refused("a JSON object of profiles expected", with())
      write_profile '{"default":5}'
      refused("'default' is no object", with())
      write_profile '{"default":{"environment":false}}'
      refused("only fogcloud.new takes it", with())
      write_profile '{"default":{"colour":1}}'
      refused("unknown option 'colour' in " .. folder, with())
      write_profile '{"default":{"client_secret":"s3cret\\n"}}'
      refused("option 'client_secret' in " .. folder .. "/fogcloud/profiles.json holds a control", with())
    end)

    it("are not asked for when there is none", function()
      assert.is_table(resolve(with()))
      environment = {}
      assert.is_table(resolve(with()))
    end)
  end)
end)
