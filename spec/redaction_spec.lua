-- SPDX-License-Identifier: MIT

-- Everything that can be printed, searched for every secret that was used: errors, tostring of all objects, the debug
-- log, tracebacks, what a process writes.

local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local scripted_broker = require "spec.support.scripted_broker"
local support = require "spec.support.sandbox"

local SECRET = 'k/e+y s=e&c"r\\et\195\164'

describe("no secret is ever printed", function()
  local sandbox, printed, secrets

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  before_each(function()
    sandbox:reset()
    sandbox:add { accounts = { { client_id = "acct", client_secret = SECRET, apps = { "the-app" }, products = {},
      devices = { { id = "the-dev", password = "the-dev-password" } } } } }
    printed, secrets = {}, { SECRET }
  end)

  local function note(text) printed[#printed + 1] = tostring(text) end

  local function new_cloud(more)
    local options = {
      client_id = "acct", client_secret = SECRET,
      log = function(level, message, fields)
        note(level .. message)
        for name, value in pairs(fields) do note(name .. tostring(value)) end
      end,
    }
    for name, value in pairs(more or {}) do options[name] = value end
    return support.cloud(sandbox, options)
  end

  -- All that hangs on an object, names and values, without going through functions.
  local function note_all(value, seen)
    seen = seen or {}
    if seen[value] then return end
    seen[value] = true
    note(value)
    if type(value) ~= "table" then return end
    for name, field in pairs(value) do
      note(name)
      note_all(field, seen)
    end
  end

  local function note_error(result, err)
    assert.is_nil(result)
    note_all(err)
    note(err)
  end

  -- The ways a secret may be spelt in something printed; a good part of one is too much.
  local function search()
    local text = table.concat(printed, "\n")
    assert.is_true(#text > 200)
    for _, secret in ipairs(secrets) do
      local form = secret:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end)
      local json = secret:gsub('[/\\"]', "\\%0")
      for _, spelling in ipairs { secret, form, (form:gsub("%%20", "+")), json, (form:lower()) } do
        assert.is_nil(text:find(spelling:sub(1, 10), 1, true), "a secret was printed")
      end
    end
  end

  it("in errors, the log and objects, whatever goes wrong", function()
    local cloud = new_cloud()
    local credentials = assert(cloud:create_client("the-app"))
    secrets[2], secrets[3] = assert(cloud:token()), credentials.password
    -- A server that shows what it was sent, in every place where words of its own come through.
    local echo = secrets[1]:gsub('[\\"]', "\\%0")
    local message = ('{"meta":{"message":"%s %s %s","code":%%d},"data":{}}'):format(echo, secrets[2], secrets[3])
    local html = ("<p>%s %s %s"):format(secrets[1], secrets[2], secrets[3])
    local words = ("refused %s %s %s"):format(secrets[1]:gsub("[^%w]", function(c) return ("%%%02x"):format(c:byte()) end),
      secrets[2], secrets[3])
    local cut = ('{"meta":{"message":"%s%s","code":7},"data":{}}'):format(("x"):rep(200 - #secrets[2] + 1), secrets[2])
    local truncated = ('{"meta":{"message":"mqtt info","code":0},"data":{"password":"%s"'):format(secrets[3])
    -- The refused token last: then the cloud asks no more.
    for _, body in ipairs { message:format(10000), message:format(10050), message:format(7), html, words, cut, truncated,
      ("[%q]"):format("x"), message:format(10101) } do
      for _, status in ipairs { 200, 404, 503 } do
        sandbox:fail { endpoint = "*", body = body, status = status, count = 0 }
        note_error(cloud:create_client("the-app", { timeout = 1 }))
        note_error(cloud:grant(credentials.clientid, "the-dev", { timeout = 1 }))
        sandbox:heal()
      end
    end
    sandbox:fail { endpoint = "products", cut = "during", count = 0 }
    note_error(cloud:products { timeout = 1 })
    sandbox:heal()
    -- A cloud that is new knows only its own.
    sandbox:fail { endpoint = "token", body = ('{"meta":{"message":"%s","code":10000}}'):format(echo) }
    note_error(new_cloud():token())
    note_error(new_cloud({ client_secret = SECRET .. "wrong" }):products())
    note_error(new_cloud({ base_url = "http://127.0.0.1:1" }):products { timeout = 1 })
    for _, object in ipairs { cloud, cloud.access, cloud.store, cloud.redactor, cloud.logger } do note(object) end
    search()
  end)

  it("in what a broker says, which stays one line and short", function()
    local broker = scripted_broker.start "tattle"
    finally(function() broker:stop() end)
    local credentials, dropped, lost = broker:credentials(), nil, nil
    credentials.password = "s3cret-of-this-client"
    secrets[2] = credentials.password
    local session = assert(fogcloud.connect(credentials, { version = "5.0", tls = false, backoff_base = 60, backoff_cap = 60 }))
    session:on("drop", function(what) dropped = what.err end):on("disconnect", function(err) lost = lost or err end)
    local granted, refused = session:subscribe("x", 1, print)
    note_error(granted, refused)
    session:publish("x", "y", { qos = 1 })
    support.serve_until(function() return dropped end)
    session:publish("bye", "y", { qos = 1 })
    support.serve_until(function() return lost end)
    for _, err in ipairs { refused, dropped, lost } do
      note_error(nil, err)
      assert.matches("the broker says: line 1 line 2 +%[2J +%[redacted%] x", tostring(err))
      assert.is_nil(tostring(err):find("[%c\194]"))
      assert.is_true(#tostring(err) < 400, tostring(err))
      assert.matches("\n.*%[redacted%]", err.properties.reason_string) -- what a program gets is as it came but for that
    end
    session:close()
    fogcloud.run()
    search()
  end)

  it("in a walk through a cloud, but for the token and the store that hold theirs", function()
    local cloud = new_cloud()
    assert(cloud:products())
    note_all(cloud)
    search()
  end)

  it("in what wrong use raises, with its traceback", function()
    local cloud = new_cloud()
    local function raise(fn, ...)
      local args = { n = select("#", ...), ... }
      local ok, trace = xpcall(function() return fn((table.unpack or unpack)(args, 1, args.n)) end, debug.traceback)
      assert.is_false(ok)
      note(trace)
    end
    raise(cloud.grant, cloud, SECRET .. "\n", "the-dev")
    raise(cloud.create_client, cloud, SECRET .. "\0")
    raise(fogcloud.new, { base_url = "http://example.com", client_id = "a", client_secret = SECRET })
    raise(fogcloud.new, { base_url = "https://x", client_id = "a", client_secret = SECRET .. "\n" })
    raise(fogcloud.new, { base_url = "https://u:" .. SECRET .. "@x", client_id = "a", client_secret = SECRET })
    raise(cloud.connect, cloud, { password = SECRET })
    search()
  end)

  it("by a process with FOGCLOUD_LOG=debug", function()
    local options = sandbox:options()
    local output = script.run(([[
      io.stdout:setvbuf "no"
      local fogcloud = require "fogcloud"
      local cloud = fogcloud.new { base_url = %q, client_id = "acct", client_secret = %q }
      local credentials = assert(cloud:create_client("the-app"))
      io.write("SECRETS ", cloud:token(), " ", credentials.password, "\n")
      print(cloud:grant(credentials.clientid, "nothing-there"))
      print(cloud, cloud.access)
      local ok, trace = xpcall(function() return cloud:grant(nil) end, debug.traceback)
      print(trace)
      assert(cloud:grant("nobody", "nothing-there"))
    ]]):format(options.base_url, SECRET), "env FOGCLOUD_LOG=debug " .. script.interpreter())
    local before, token, password, rest = output:match("^(.-)SECRETS (%S+) (%S+)\n(.*)$")
    secrets[2], secrets[3] = token, password
    note(before)
    assert.is_truthy(rest:find("fogcloud debug:", 1, true), output)
    note(rest)
    search()
  end)
end)
