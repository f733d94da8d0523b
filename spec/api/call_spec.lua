-- SPDX-License-Identifier: MIT

-- Calls on a virtual clock: what is repeated, when it ends, what its error says.

local virtual = require "spec.support.virtual"

describe("a call", function()
  local host, server, cloud

  before_each(function()
    host = virtual.host()
    server = virtual.server(host)
    cloud = virtual.cloud(server)
    assert(cloud:token())
  end)

  local function refused(result, err)
    assert.is_nil(result)
    return err
  end

  -- When the requests were sent.
  local function moments(name)
    local times = {}
    for _, entry in ipairs(server.log) do
      if entry.name == name then times[#times + 1] = entry.at end
    end
    return times
  end

  it("is repeated four times at most, after growing waits", function()
    server.down.products = true
    local started = host.now()
    local err = refused(cloud:products())
    assert.same({ "network", 4, "products", true }, { err.kind, err.attempts, err.endpoint, err.retryable })
    assert.is_true(math.abs(err.elapsed - (host.now() - started)) < 1e-6)
    assert.is_true(err.elapsed <= 4 * server.latency + 0.2 + 0.4 + 0.8)
    assert.equal(4, server:count("products"))
  end)

  it("succeeds when one of the attempts does", function()
    server.faults.products = {
      virtual.failure("network", "reset", true), virtual.envelope(10050, "oops"), virtual.reply(503, ""),
    }
    assert(cloud:products())
    assert.same({ 3, 4 }, { cloud:stats().repeats, server:count("products") })
  end)

  it("has all its attempts after a token was refused", function()
    server:revoke()
    server.faults.products = { virtual.envelope(10100, "expired"), virtual.reply(503, ""), virtual.reply(503, ""),
      virtual.reply(503, "") }
    assert(cloud:products())
    assert.equal(5, server:count("products"))
  end)

  describe("heeds Retry-After", function()
    it("as seconds and as a date", function()
      for _, form in ipairs { "seconds", "date" } do
        local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(host.wall()) + 8)
        local value = form == "seconds" and "7" or date
        server.log = {}
        server.faults.products = { virtual.reply(429, "", { ["retry-after"] = value }) }
        assert(cloud:products())
        local times = moments("products")
        assert.is_true(times[2] - times[1] >= 5, value)
      end
    end)

    it("not when it is negative or nonsense", function()
      for _, value in ipairs { "-5", "soon", "" } do
        server.faults.products = { virtual.reply(503, "", { ["retry-after"] = value }) }
        local started = host.now()
        assert(cloud:products())
        assert.is_true(host.now() - started < 1)
      end
    end)

    it("by giving up at once when it is beyond the deadline", function()
      server.faults.products = { virtual.reply(503, "", { ["retry-after"] = "86400" }) }
      local started = host.now()
      local err = refused(cloud:products())
      assert.same({ "http", 503, 1, 86400 }, { err.kind, err.status, err.attempts, err.retry_after })
      assert.is_true(host.now() - started < 1)
    end)
  end)

  describe("never overruns its deadline", function()
    for _, timeout in ipairs { 0, 0.001, 0.3, 1, 7, 30, 100 } do
      it(("of %g s"):format(timeout), function()
        for _, trouble in ipairs { "hang", "down" } do
          server.down.products = trouble == "down"
          server.faults.products = trouble == "hang" and { "hang", "hang", "hang", "hang", "hang" } or {}
          local started = host.now()
          local err = refused(cloud:products { timeout = timeout })
          assert.is_true(host.now() - started <= timeout + 1e-6, trouble)
          assert.is_truthy(err.kind == "timeout" or err.kind == "network")
        end
      end)
    end

    it("with the token's part in it", function()
      server:revoke()
      cloud = virtual.cloud(server)
      server.faults.token = { "hang", "hang", "hang", "hang" }
      local started = host.now()
      local err = refused(cloud:products { timeout = 5 })
      assert.equal("timeout", err.kind)
      assert.is_true(host.now() - started <= 5 + 1e-6)
    end)

    it("and lets an attempt that hangs be made again", function()
      server.faults.products = { "hang" }
      assert(cloud:products())
      assert.equal(2, server:count("products"))
      for _, entry in ipairs(server.log) do assert.is_true(entry.timeout <= 10) end
    end)
  end)

  it("gives create_client all its time, for that cannot be made again", function()
    server.latency = 20
    assert(cloud:create_client("app"))
  end)

  describe("of create_client", function()
    it("is never repeated once it may have arrived", function()
      local CASES = {
        virtual.lost, virtual.failure("timeout", "late", true), virtual.failure("network", "reset", true),
        virtual.envelope(10050, "oops"), virtual.reply(503, ""), virtual.reply(429, ""), virtual.reply(200, '{"meta"'),
      }
      for i, fault in ipairs(CASES) do
        server.faults.create_client = { fault }
        local err = refused(cloud:create_client("app"))
        assert.equal(1, err.attempts)
        assert.equal(i, server:count("create_client"))
      end
      assert.equal(1, server.clients) -- the one whose reply was lost
    end)

    it("says when a client may have been made", function()
      server.faults.create_client = { virtual.lost }
      assert.matches("may have been created", tostring(refused(cloud:create_client("app"))))
      server.faults.create_client = { virtual.envelope(10000, "app_id is unknown") }
      assert.is_nil(tostring(refused(cloud:create_client("app"))):find("may have", 1, true))
      server.down.create_client = true
      assert.is_nil(tostring(refused(cloud:create_client("app"))):find("may have", 1, true))
    end)

    it("is repeated when it certainly did not arrive, or with a new token", function()
      server.faults.create_client = {
        virtual.failure("network", "refused", false), virtual.failure("timeout", "connecting", false),
        virtual.failure("tls", "SSL_ERROR_SYSCALL", false),
      }
      assert(cloud:create_client("app"))
      server:revoke()
      assert(cloud:create_client("app"))
      assert.equal(2, server.clients)
    end)

    it("is repeated when the caller allows it", function()
      server.faults.create_client = { virtual.lost }
      assert.equal("c2", assert(cloud:create_client("app", { repeatable = true })).clientid)
    end)
  end)

  it("multiplies an outage's traffic by 1.1 at most once the budget is spent", function()
    server.down.products = true
    for _ = 1, 20 do refused(cloud:products()) end
    local before = server:count("products")
    for _ = 1, 1000 do refused(cloud:products()) end
    local sent = server:count("products") - before
    assert.is_true(sent <= 1101, sent)
    assert.is_true(sent >= 1090, sent)
  end)

  it("ends at once when its task is cancelled, in a request and in a wait", function()
    for _, fault in ipairs { "hang", virtual.reply(503, "", { ["retry-after"] = "20" }) } do
      server.faults.products = { fault }
      local outcome
      local task = host.spawn_task(function() outcome = { cloud:products() } end)
      host.spawn_task(function()
        host.sleep(2)
        task:cancel()
      end)
      local started = host.now()
      host.run()
      assert.equal("cancelled", outcome[2].kind)
      assert.is_true(host.now() - started <= 2.1)
    end
  end)

  it("has an id in a header and in its error when the user wishes, and in neither otherwise", function()
    server.down.products = true
    local err = refused(cloud:products())
    assert.is_nil(err.request_id)
    assert.is_nil(tostring(err):find("request", 1, true))
    assert.is_nil(server.log[#server.log].opts.request_id)
    cloud = virtual.cloud(server, { request_id = true })
    err = refused(cloud:products())
    assert.matches("^%x+$", err.request_id)
    assert.is_truthy(tostring(err):find(err.request_id, 1, true))
    assert.equal(err.request_id, server.log[#server.log].opts.request_id)
    local other = refused(cloud:products())
    assert.is_true(err.request_id ~= other.request_id)
  end)

  it("says who sends it, in the library's words or the user's", function()
    assert(cloud:products())
    local agent = server.log[#server.log].opts.user_agent
    assert.matches("^fogcloud/%d[%w.-]* lua%a*/%d[%w.-]* libcurl/%d[%w.-]*$", agent)
    assert(virtual.cloud(server, { user_agent = "mine/1" }):products())
    assert.equal("mine/1", server.log[#server.log].opts.user_agent)
  end)

  it("gets a new token once after a 401 that is no envelope", function()
    local REFUSED = virtual.reply(401, "", { ["www-authenticate"] = 'Bearer error="invalid_token"' })
    for _, name in ipairs { "products", "create_client" } do
      server.faults[name] = { REFUSED }
      local before = server:count "token"
      assert(name == "products" and cloud:products() or cloud:create_client "app")
      assert.equal(before + 1, server:count "token")
    end
    server.faults.products = { REFUSED, REFUSED, REFUSED }
    local err = refused(cloud:products())
    assert.same({ "auth", 401, 2 }, { err.kind, err.status, err.attempts })
    assert.matches("refuses the access token, though it was just renewed", tostring(err))
    assert.is_nil(err.token_refused)
    server.faults.products = { virtual.reply(401, "", { ["www-authenticate"] = "Basic" }) }
    cloud = virtual.cloud(server)
    assert(cloud:token())
    local fetched = server:count "token"
    assert.equal(1, refused(cloud:products()).attempts)
    assert.equal(fetched, server:count "token")
  end)

  it("is repeated after 408, 421 and 425 where it may be, never after 304 and 407", function()
    for status, attempts in pairs { [408] = 2, [421] = 2, [425] = 2, [304] = 1, [407] = 1 } do
      server.faults.products = { virtual.reply(status, "") }
      server.log = {}
      local list, err = cloud:products()
      assert.equal(attempts, server:count "products", status)
      assert.equal(attempts == 2, list ~= nil, err)
      server.faults.create_client = { virtual.reply(status, "") }
      assert.same({ status, 1 }, { err and status or status, refused(cloud:create_client "app").attempts })
    end
  end)

  it("through a proxy that refuses names the proxy, and is not repeated in vain", function()
    local function tunnel(status)
      return function()
        local err = require("fogcloud.errors").new("network", "CONNECT tunnel failed", { sent = false })
        err.tunnel = status
        return nil, err
      end
    end
    for status, attempts in pairs { [407] = 1, [403] = 1, [405] = 1, [502] = 4, [504] = 4 } do
      server.faults.products = { tunnel(status), tunnel(status), tunnel(status), tunnel(status) }
      cloud = virtual.cloud(server)
      local err = refused(cloud:products())
      assert.same({ "http", status, attempts }, { err.kind, err.status, err.attempts })
      assert.matches("the proxy", tostring(err))
      assert.is_nil(tostring(err):find("network", 1, true))
    end
    server.faults.create_client = { tunnel(502) }
    assert(cloud:create_client "app") -- nothing had been sent
    server.faults.create_client = { tunnel(403) }
    assert.is_false(refused(cloud:create_client "app").sent)
  end)

  it("of a closed cloud is refused", function()
    cloud:close()
    cloud:close()
    for _, name in ipairs { "token", "products" } do
      assert.equal("closed", refused(cloud[name](cloud)).kind)
    end
    assert.equal("closed", refused(cloud:grant("c", "d")).kind)
    assert.equal(0, server:count("products"))
  end)
end)
