-- SPDX-License-Identifier: MIT

local core = require "fogcloud.core"
local RawServer = require "spec.support.raw_server"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local SECRET = { grant_type = "client_credentials", client_id = "id", client_secret = "a/b+c=d&e f\195\164" }

describe("the engine's HTTP driver", function()
  local server, engine

  setup(function() server = RawServer.start() end)
  teardown(function() server:stop() end)
  before_each(function() engine = assert(core.engine()) end)
  after_each(function() engine:close() end)

  -- The next event, waited for.
  local function event(take)
    local deadline = core.now() + 10
    while core.now() < deadline do
      engine:wait(deadline - core.now())
      local e = { (take or engine.next)(engine) }
      if e[1] ~= nil then return e end
    end
    error("no event in 10 s")
  end

  local function token(mode, opts)
    opts = opts or {}
    opts.base_url = server:url(mode)
    return assert(engine:token(opts, SECRET))
  end

  for _, how in ipairs { "inline", "in the background" } do
    describe(how, function()
      before_each(function()
        if how == "in the background" then assert.is_true(engine:background()) end
      end)

      it("sends the token request as the API page has it", function()
        local id = token("echo")
        local e = event()
        assert.same({ "reply", id, 200 }, { e[1], e[2], e[3] })
        assert.matches("^POST /echo/v3/open_api/token/ HTTP/1.1\n", e[5])
        assert.matches("\nContent%-Type: application/x%-www%-form%-urlencoded\n", e[5])
        local form = "grant_type=client_credentials&client_id=id&client_secret=a%2Fb%2Bc%3Dd%26e%20f%C3%A4"
        assert.equal(form, e[5]:match("[^\n]*$"))
        assert.is_nil(e[5]:find("Authorization", 1, true))
        assert.equal("a, b", core.headers(e[4])["x-twice"])
        assert.is_true(e[10] > 0 and e[10] >= e[9]) -- the whole time, and that to the first byte
      end)

      it("sends the other four with the bearer token", function()
        local opts = { base_url = server:url("echo"), token = "tok/en+" }
        local permission = { client_id = "c/1", device_id = "d 1" }
        local cases = {
          { "create_client", { app_id = "app" }, "POST /echo/v3/open_api/mqtt/client/", "app_id=app" },
          { "grant", permission, "POST /echo/v3/open_api/mqtt/permission/", "client_id=c%2F1&device_id=d%201" },
          { "revoke", permission, "DELETE /echo/v3/open_api/mqtt/permission/", "client_id=c%2F1&device_id=d%201" },
          { "products", {}, "GET /echo/v3/open_api/product/ids/", "" },
        }
        for _, case in ipairs(cases) do
          assert(engine[case[1]](engine, opts, case[2]))
          local text = event()[5]
          assert.equal(case[3] .. " HTTP/1.1", text:match("^[^\n]+"))
          assert.truthy(text:find("\nAuthorization: Bearer tok/en+\n", 1, true))
          assert.equal(case[4], text:match("[^\n]*$"))
          local _, types = text:gsub("\nContent%-Type: ([^\n]*)", function(found)
            assert.equal("application/x-www-form-urlencoded", found)
          end)
          assert.equal(case[4] == "" and 0 or 1, types)
        end
      end)

      it("sends JSON when asked", function()
        token("echo", { encoding = "json", request_id = "r-1" })
        local text = event()[5]
        assert.truthy(text:find("\nContent-Type: application/json\n", 1, true))
        assert.truthy(text:find("\nX-Request-Id: r-1\n", 1, true))
        assert.same(SECRET, require("cjson").decode(text:match("[^\n]*$")))
      end)

      it("hands on whatever body came, and the status", function()
        for mode, status in pairs { html = 200, empty = 200, truncated = 200, noenvelope = 200, redirect = 302 } do
          local id = token(mode)
          local e = event()
          assert.same({ "reply", id, status }, { e[1], e[2], e[3] })
        end
      end)

      it("reports a cut connection, a silent server and too large a body", function()
        token("cut")
        local e = event()
        assert.same({ "failure", "network", true }, { e[1], e[3], e[5] })
        token("close")
        e = event()
        assert.same({ "failure", "network", true }, { e[1], e[3], e[5] })
        token("huge", { max_body = 1000000 })
        e = event()
        assert.same({ "failure", "protocol", true }, { e[1], e[3], e[5] })
        assert.equal("the reply is larger than the limit, max_body (1000000 bytes)", e[4])
        token("slow", { timeout = 0.2 })
        e = event()
        assert.same({ "failure", "timeout", true }, { e[1], e[3], e[5] })
      end)

      it("bounds what a body grows to when it is unpacked, and the headers", function()
        for _, mode in ipairs { "bomb", "headers" } do
          assert(engine:products({ base_url = server:url(mode), token = "t" }, {}))
          local e = event()
          assert.same({ "failure", "protocol", true }, { e[1], e[3], e[5] }, mode)
          assert.matches("larger than the limit", e[4])
        end
      end)

      it("does not take what was said unasked on an idle connection for the reply", function()
        for _ = 1, 4 do
          assert(engine:products({ base_url = server:url("unasked"), token = "t" }, {}))
          local e = event()
          assert.same({ "reply", 200 }, { e[1], e[3] })
          support.shell("sleep 0.2")
        end
      end)

      it("says how a proxy refused to connect, and that nothing was sent", function()
        local proxy = "http://127.0.0.1:" .. server.port
        for status, sent in pairs { [407] = false, [403] = false, [502] = false } do
          assert(engine:products({ base_url = ("https://tunnel%d:443"):format(status), token = "t", proxy = proxy }, {}))
          local e = event()
          assert.same({ "failure", sent, status }, { e[1], e[5], e[6] })
        end
      end)

      it("keeps a reply that was there in time, though nobody looked in time", function()
        local id = token("late", { timeout = 0.4 })
        engine:wait(0.1) -- sent, and not answered yet
        support.shell("sleep 0.5")
        local e = event()
        assert.same({ "reply", id, 200 }, { e[1], e[2], e[3] })
      end)

      it("says whose name took too long to look up, and what did otherwise", function()
        token("slow", { timeout = 0.2 })
        assert.matches("^Operation timed out after %d+ milliseconds with 0 bytes received", event()[4])
      end)

      it("gives an event again until it is dropped", function()
        local id = token("echo")
        local first = event(engine.peek)
        assert.same({ "reply", id }, { first[1], first[2] })
        assert.same(first, { engine:peek() })
        engine:wait(10) -- returns at once
        assert.same(first, { engine:peek() })
        engine:drop()
        assert.is_nil((engine:peek()))
        engine:drop()
        token("echo")
        event(engine.peek)
        assert.equal("reply", (engine:next()))
        assert.is_nil((engine:next()))
      end)

      it("tells when no byte was sent", function()
        assert(engine:token({ base_url = "http://127.0.0.1:1" }, SECRET))
        local e = event()
        assert.same({ "failure", "network", false }, { e[1], e[3], e[5] })
        assert(engine:token({ base_url = "http://no.such.host.invalid" }, SECRET))
        e = event()
        assert.same({ "failure", "network", false }, { e[1], e[3], e[5] })
      end)

      it("cancels a request without an event", function()
        local id = token("slow")
        engine:wait(0.05)
        engine:cancel(id)
        token("echo")
        assert.equal("reply", event()[1])
        assert.is_nil(engine:next())
      end)

      it("closes with requests in flight, twice", function()
        for _ = 1, 20 do token("slow") end
        engine:wait(0.05)
        engine:close()
        engine:close()
        assert.has_error(function() engine:next() end)
      end)
    end)
  end

  it("bounds the requests in flight", function()
    engine:close()
    engine = assert(core.engine { max_requests = 2 })
    token("slow")
    token("slow")
    local id, why = engine:token({ base_url = server:url("slow") }, SECRET)
    assert.is_nil(id)
    assert.matches("too many", why)
  end)

  it("refuses values that could break out of a line, and missing ones", function()
    local opts = { base_url = server:url("echo"), token = "t" }
    for _, bad in ipairs { "", "a\r\nb", "a\0b", "a\nb", "\127" } do
      assert.has_error(function() engine:grant(opts, { client_id = bad, device_id = "d" }) end)
      assert.has_error(function() engine:products({ base_url = server:url("echo"), token = bad }, {}) end)
    end
    local function raises(text, wrong)
      wrong.base_url, wrong.token = server:url("echo"), wrong.token or "t"
      assert.has_error(function() engine:products(wrong, {}) end, text)
    end
    raises("option 'token' holds a control character", { token = "a\nb" })
    raises("option 'request_id' is empty", { request_id = "" })
    raises("option 'token' is too long", { token = ("k"):rep(8192) })
    assert.has_error(function() engine:grant(opts, { client_id = "c" }) end, "grant: parameter 'device_id' is missing")
    assert.has_error(function() engine:grant(opts, { client_id = 5, device_id = "d" }) end)
    assert.has_error(function() engine:products({ base_url = server:url("echo") }, {}) end)
    assert.is_nil(engine:next())
  end)

  it("is told once what the requests of a cloud have in common", function()
    local fields = { base_url = server:url("echo"), encoding = "json", user_agent = "one/1", max_body = 5000 }
    local common = core.common(fields)
    fields.user_agent, fields.base_url = ("another/%d"):format(2), nil
    collectgarbage()
    for _ = 1, 2 do
      assert(engine:grant({ common = common, token = "t" }, { client_id = "c", device_id = "d" }))
      local text = event()[5]
      assert.matches("\nUser%-Agent: one/1\n", text)
      assert.truthy(text:find("\nContent-Type: application/json\n", 1, true))
    end
    assert.has_error(function() core.common {} end, "option 'base_url' is missing")
    assert.has_error(function() core.common { base_url = "x", encoding = "xml" } end,
      "option 'encoding': 'form' or 'json' expected, got 'xml'")
    assert.has_error(function() engine:products({ common = {}, token = "t" }, {}) end)
  end)

  it("speaks HTTP and nothing else", function()
    for _, scheme in ipairs { "file:///tmp", "ftp://127.0.0.1:1", "gopher://127.0.0.1:1", "dict://127.0.0.1:1", "smtp://127.0.0.1:1" } do
      assert(engine:token({ base_url = scheme }, SECRET))
      local e = event()
      assert.same({ "failure", "protocol", false }, { e[1], e[3], e[5] }, scheme)
    end
  end)

  it("goes where each request says, and nowhere near the one before", function()
    local function sent_to(base)
      assert(engine:products({ base_url = base, token = "t" }, {}))
      local e = event()
      return e[1] == "reply" and e[5]:match("^[^\n]+") or e[1]
    end
    local line = "GET /%s/v3/open_api/product/ids/ HTTP/1.1"
    assert.equal(line:format "echo", sent_to(server:url "echo"))
    assert.equal(line:format "echo/more", sent_to(server:url "echo" .. "/more//"))
    assert.equal(line:format "echo", sent_to(server:url "echo"))
    for _, wrong in ipairs { "//", "?x", "http://", "http://[::1", "http://a b", "foo://h" } do
      assert.equal("failure", sent_to(wrong), wrong)
    end
  end)

  it("says who it is where it is told to", function()
    token("echo", { user_agent = "fogcloud/0 lua/5" })
    assert.matches("\nUser%-Agent: fogcloud/0 lua/5\n", event()[5])
    token("echo")
    assert.is_nil(event()[5]:find("User-Agent", 1, true))
  end)

  it("goes through the proxy that it is told, and sends it no more than it must", function()
    token("echo", { proxy = "http://u:p@127.0.0.1:" .. server.port, user_agent = "fogcloud/0 lua/5" })
    local text = event()[5]
    assert.matches("^POST http://127.0.0.1:%d+/echo/", text)
    assert.equal(1, select(2, text:gsub("\nUser%-Agent: fogcloud/0 lua/5\n", "")))
    assert.truthy(text:find("\nProxy-Authorization: Basic ", 1, true))
  end)

  -- What the echo shows of a token request that another process makes with this environment.
  local function sent_with(environment)
    return script.run(([[
      local core = require "fogcloud.core"
      local engine = core.engine()
      engine:token({ base_url = %q, proxy = os.getenv "PROXY" }, { grant_type = "g", client_id = "i", client_secret = "s" })
      local deadline, e = core.now() + 10, {}
      while e[1] == nil and core.now() < deadline do
        engine:wait(1)
        e = { engine:next() }
      end
      io.write(tostring(e[1]), " ", tostring(e[5]))
    ]]):format(server:url("echo")), "env " .. environment .. " " .. script.interpreter())
  end

  it("takes no proxy from the environment", function()
    local variables = {}
    for _, name in ipairs { "http_proxy", "https_proxy", "all_proxy", "ALL_PROXY" } do
      variables[#variables + 1] = name .. "=http://127.0.0.1:1"
    end
    local said = sent_with(table.concat(variables, " ") .. " no_proxy= NO_PROXY=")
    assert.matches("^reply POST /echo/", said)
  end)

  it("goes through the proxy that it is told whatever the environment excepts", function()
    for _, exception in ipairs { "127.0.0.1", "*", "127.0.0.0/8", ".0.0.1" } do
      local said = sent_with(("no_proxy='%s' NO_PROXY='%s' PROXY=http://127.0.0.1:%d"):format(exception, exception, server.port))
      assert.matches("^reply POST http://127.0.0.1:%d+/echo/", said)
    end
  end)

  it("takes no password from .netrc", function()
    local home = os.tmpname()
    os.remove(home)
    assert(core.file.folder(home))
    assert(core.file.write(home .. "/.netrc", "machine 127.0.0.1 login who password netrc-secret\n"))
    local said = sent_with("HOME=" .. home)
    os.execute(("rm -r '%s'"):format(home))
    assert.matches("^reply POST /echo/", said)
    assert.is_nil(said:find("Authorization", 1, true), said)
  end)

  it("rests when it cannot wait", function()
    local said = script.run(([[
      local core = require "fogcloud.core"
      local engine = core.engine()
      engine:background()
      for _ = 1, 4 do engine:token({ base_url = %q, timeout = 20 }, { grant_type = "g", client_id = "i", client_secret = "s" }) end
      engine:wait(0.3)
      os.execute("prlimit --pid " .. core.pid() .. " --nofile=1:") -- poll refuses more descriptors than may be open
      engine:cancel(999) -- lets the thread begin its wait anew
      local before, deadline = os.clock(), core.now() + 1
      while core.now() < deadline do engine:wait(deadline - core.now()) end
      print("worked", os.clock() - before)
      io.flush()
      os.exit(0)
    ]]):format(server:url("slow")))
    local seconds = tonumber(said:match("worked%s+(%S+)")) -- beside it a sanitizer complains of having no descriptors
    assert.is_true(seconds < 0.1, seconds .. " s of work in a second of waiting")
  end)

  it("has one descriptor that is readable while events wait", function()
    assert.is_true(engine:background())
    local fd = engine:fd()
    assert.is_true(fd > 2)
    token("echo")
    assert.equal("reply", event()[1])
    assert.equal(fd, engine:fd())
  end)

  it("is collected with requests in flight", function()
    for _ = 1, 10 do
      local other = assert(core.engine())
      other:background()
      other:token({ base_url = server:url("slow") }, SECRET)
      other = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
    end
  end)
end)
