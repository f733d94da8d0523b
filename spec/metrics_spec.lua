-- SPDX-License-Identifier: MIT

-- What a program's owner sees from outside: stats, their Prometheus text, and on_request.
local fogcloud = require "fogcloud"
local dictionary = require "spec.support.dictionary"
local metrics = require "fogcloud.metrics"
local virtual = require "spec.support.virtual"
local support = require "spec.support.sandbox"

-- The format's rules: https://prometheus.io/docs/instrumenting/exposition_formats/. What it holds, by series.
local function parse(text)
  local series, types, last = {}, {}, nil
  assert.equal("\n", text:sub(-1))
  for line in text:gmatch("([^\n]*)\n") do
    local help = line:match("^# HELP ([%a_][%w_]*) %S")
    if help then
      assert.is_nil(types[help], help .. " comes twice")
      last = help
    else
      local name, kind = line:match("^# TYPE ([%a_][%w_]*) (%l+)$")
      if name then
        assert.equal(last, name)
        types[name] = kind
      else
        local metric, labels, value = line:match("^([%a_][%w_]*)(%b{}) ([%d.e+-]+)$")
        assert(metric, "no sample: " .. line)
        assert.equal(last, (metric:gsub("_sum$", ""):gsub("_count$", "")))
        assert.is_nil(series[metric .. labels], line)
        series[metric .. labels] = tonumber(value)
      end
    end
  end
  return series, types
end

describe("metrics.text", function()
  it("escapes labels", function()
    local text = metrics.text { sessions = { ['a"b\\c\nd'] = { accepted = 3 } } }
    assert.matches('fogcloud_published_total{session="a\\"b\\\\c\\nd"} 3', text, 1, true)
  end)

  it("writes counts in full", function()
    local text = metrics.text { sessions = { s = { accepted = 2 ^ 53, queued = 1e15 } } }
    assert.matches(" 9007199254740992\n", text, 1, true)
    assert.matches(" 1000000000000000\n", text, 1, true)
  end)

  it("is read by Prometheus' own parser", function()
    local stats = { accepted = 7, received = 0, queued_bytes = 2 ^ 40 }
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(metrics.text { sessions = { ['a"b\\c\nd'] = stats } })
    file:close()
    local text, status = support.shell(([[/usr/bin/python3 -c '
from prometheus_client.parser import text_string_to_metric_families as parse
for family in parse(open("%s").read()):
  for s in family.samples: print(family.type, s.name, repr(s.labels["session"]), int(s.value))']]):format(path))
    os.remove(path)
    assert.equal(0, status, text)
    local label = [['a"b\\c\nd']]
    assert.equal(("counter fogcloud_published_total %s 7\ngauge fogcloud_queued_bytes %s 1099511627776\n"
      .. "counter fogcloud_received_total %s 0\n"):format(label, label, label), text)
  end)

  it("has the token's age, and whether a session is connected", function()
    local stats = { kinds = {}, endpoints = {}, token_age = 12.5, token_left = 100 }
    local text = metrics.text { clouds = { main = stats }, sessions = { a = { connected = true }, b = { connected = false } } }
    for _, line in ipairs {
      'fogcloud_token_age_seconds{cloud="main"} 12.5', 'fogcloud_token_left_seconds{cloud="main"} 100',
      'fogcloud_connected{session="a"} 1', 'fogcloud_connected{session="b"} 0',
    } do
      assert.is_truthy(text:find(line .. "\n", 1, true), line)
    end
  end)

  it("is one text for all workers that share a dictionary, and one answer whether they are well", function()
    local host = virtual.host()
    local dict = dictionary.new(host)
    assert.equal("", metrics.shared(dict, 2))
    assert.same({ false, { ["0"] = "silent", ["1"] = "silent" } }, { metrics.health(dict, 2) })
    assert(metrics.keep(dict, 0, { sessions = { s = { received = 3, connected = true } } }))
    assert(metrics.keep(dict, 1, { sessions = { s = { received = 4, connected = false } } }))
    local text = metrics.shared(dict, 2)
    assert.is_truthy(text:find('fogcloud_received_total{session="s",worker="0"} 3\n', 1, true))
    assert.is_truthy(text:find('fogcloud_received_total{session="s",worker="1"} 4\n', 1, true))
    assert.equal(1, select(2, text:gsub("# HELP fogcloud_received_total", "")))
    assert.same({ false, { ["0"] = "ok", ["1"] = "down" } }, { metrics.health(dict, 2) })
    assert(metrics.keep(dict, 1, {}, true))
    assert.same({ true, { ["0"] = "ok", ["1"] = "ok" } }, { metrics.health(dict, 2) })
    host.advance(31)
    assert.same({ false, { ["0"] = "silent", ["1"] = "silent" } }, { metrics.health(dict, 2) })
    dict:safe_set("metrics 0", "damaged")
    assert.equal("silent", select(2, metrics.health(dict, 1))["0"])
    dict.room = 1
    assert.same({ nil, "no memory" }, { metrics.keep(dict, 1, {}) })
    assert.has_error(function() metrics.keep(dict, 1, { cloud = {} }) end, "unknown source 'cloud'")
  end)

  it("has a fleet's figures, and those of each slot that is held", function()
    local text = metrics.text { fleets = { orders = {
      slots = 16, members = 3, target = 6, devices = 100, taken = 7, handed_over = 1, lost = 0, failed = 2,
      held = {
        { slot = 2, fence = 1796050448746, since = 1, devices = 6, granted = 7, up = true,
          session = { received = 9, inbox = 1, queued = 0 } },
        { slot = 10, fence = 1796050448747, since = 1, devices = 5, granted = 5, up = false },
      },
    } } }
    for _, line in ipairs {
      'fogcloud_fleet_slots{fleet="orders"} 16', 'fogcloud_fleet_lost_total{fleet="orders"} 0',
      'fogcloud_slot_up{fleet="orders",slot="10"} 0', 'fogcloud_slot_up{fleet="orders",slot="2"} 1',
      'fogcloud_slot_fence{fleet="orders",slot="2"} 1796050448746', 'fogcloud_slot_received_total{fleet="orders",slot="2"} 9',
      "# TYPE fogcloud_slot_up gauge",
    } do
      assert.is_truthy(text:find(line .. "\n", 1, true), line)
    end
    assert.is_nil(text:find('received_total{fleet="orders",slot="10"', 1, true))
    assert.has_error(function() metrics.text { fleets = { orders = {} } } end, "source 'fleets': 'orders' is no result of stats()")
  end)

  it("is empty without sources", function() assert.equal("", metrics.text {}) end)

  it("refuses what it does not know", function()
    assert.has_error(function() metrics.text { cloud = {} } end, "unknown source 'cloud'")
    assert.has_error(function() metrics.text { clouds = 1 } end, "source 'clouds': table expected, got number")
    assert.has_error(function() metrics.text() end, "sources: table expected, got nil")
    assert.has_error(function() metrics.text { clouds = { main = {} } } end, "source 'clouds': 'main' is no result of stats()")
    local session = setmetatable({}, { __index = { stats = function() end } })
    assert.has_error(function() metrics.text { sessions = { one = session } } end, "source 'sessions': 'one' is no result of stats()")
  end)
end)

describe("a program that is watched", function()
  local sandbox, seen, cloud

  setup(function() sandbox = support.start { mqtt_faults = true } end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    sandbox:reset()
    seen = {}
    cloud = support.cloud(sandbox, { on_request = function(request) seen[#seen + 1] = request end })
  end)

  it("counts by endpoint and by kind", function()
    assert(cloud:products())
    sandbox:fail { endpoint = "products", status = 503, count = 1 }
    assert(cloud:products())
    assert.is_nil((cloud:create_client("no-such-app")))
    local stats = cloud:stats()
    assert.equal(4, stats.calls)
    assert.equal(1, stats.repeats)
    assert.equal(1, stats.failures)
    assert.same({ api = 1 }, stats.kinds)
    assert.equal(2, stats.endpoints.products.calls)
    assert.equal(0, stats.endpoints.products.failures)
    assert.is_true(stats.endpoints.products.seconds > 0)
    assert.equal(1, stats.endpoints.create_client.failures)
    assert.equal(0, stats.endpoints.grant.calls)
    stats.endpoints.products.calls = 99
    assert.equal(2, cloud:stats().endpoints.products.calls)
  end)

  it("hears of every request, with timings", function()
    sandbox:fail { endpoint = "products", code = 10050 }
    assert(cloud:products())
    local calls = {}
    for i, r in ipairs(seen) do calls[i] = ("%s %d %d %s"):format(r.endpoint, r.attempt, r.status, tostring(r.kind)) end
    assert.same({ "token 1 200 nil", "products 1 500 api", "products 2 200 nil" }, calls)
    assert.equal(10050, seen[2].code)
    assert.equal(seen[2].request_id, seen[3].request_id)
    for _, request in ipairs(seen) do
      local t = request.timings
      assert.is_true(t.total > 0 and t.first_byte > 0 and t.first_byte <= t.total)
      assert.is_true(t.resolve >= 0 and t.resolve <= t.first_byte and t.connect >= 0 and t.connect <= t.first_byte)
      assert.equal(0, t.tls)
    end
    assert(cloud:create_client(sandbox.app_id)) -- always on a connection of its own
    assert.is_true(seen[4].timings.connect > 0)
  end)

  it("hears of requests that got no reply", function()
    assert(cloud:token())
    sandbox:fail { endpoint = "products", delay = 5, count = 1 }
    assert.is_nil((cloud:products { timeout = 0.2 }))
    assert.equal("timeout", seen[2].kind)
    assert.is_nil(seen[2].status)
  end)

  it("hears no secret", function()
    support.client(sandbox, cloud, { "dev1" })
    assert.is_nil((support.cloud(sandbox, { client_secret = "wrong-secret", on_request = function(r) seen[#seen + 1] = r end }):token()))
    local secrets = { sandbox.account.client_secret, "wrong-secret", assert(cloud:token()) }
    local function search(value)
      if type(value) == "table" then
        for name, field in pairs(value) do search(name); search(field) end
      else
        for _, secret in ipairs(secrets) do assert.is_nil(tostring(value):find(secret, 1, true)) end
      end
    end
    assert.is_true(#seen >= 4)
    search(seen)
  end)

  it("goes on when the hook throws", function()
    local logged = {}
    local broken = support.cloud(sandbox, {
      on_request = function() error("in the hook") end,
      log = function(level, message) if level == "error" then logged[#logged + 1] = message end end,
    })
    assert.equal(2, #assert(broken:products()))
    assert.same({ "on_request failed", "on_request failed" }, logged)
  end)

  it("times TLS", function()
    local secure, times = support.start { tls = true }, {}
    local ok, err = support.cloud(secure, { on_request = function(r) times[#times + 1] = r.timings end }):products()
    secure:stop()
    assert(ok, tostring(err))
    assert.is_true(times[1].tls > times[1].connect and times[1].tls <= times[1].first_byte)
  end)

  it("shows everything to Prometheus", function()
    local credentials = support.client(sandbox, cloud, { "dev1" })
    assert.is_nil((cloud:create_client("no-such-app")))
    local session = assert(cloud:connect(credentials))
    assert(session:device("dev1"):send("commands", { power = "on" }))
    assert(session:flush(10))
    local stats, session_stats = cloud:stats(), session:stats()
    local series, types = parse(metrics.text { clouds = { main = stats }, sessions = { s1 = session_stats } })
    session:close()

    assert.equal(1, series['fogcloud_acknowledged_total{session="s1"}'])
    assert.equal(1, series['fogcloud_failures_total{cloud="main",kind="api"}'])
    assert.equal(2, series['fogcloud_call_seconds_count{cloud="main",endpoint="create_client"}'])
    assert.equal("summary", types.fogcloud_call_seconds)
    -- Nothing that is counted is left out.
    local expected, got = 0, 0
    for _ in pairs(session_stats) do expected = expected + 1 end
    for key in pairs(series) do
      if key:find('session="s1"', 1, true) then got = got + 1 end
    end
    assert.equal(expected, got)
    for name, value in pairs(stats) do
      if type(value) == "number" and name ~= "failures" then
        local found = series[('fogcloud_%s_total{cloud="main"}'):format(name)] or series[('fogcloud_retry_%s{cloud="main"}'):format(name)]
          or series[('fogcloud_%s_seconds{cloud="main"}'):format(name)]
        assert.equal(value, found, name)
      end
    end
  end)

  it("counts links and handlers that threw, in whole numbers", function()
    local session = assert(cloud:connect(support.client(sandbox, cloud, { "dev1" })))
    session:on("error", function() end)
    assert(session:subscribe("d2c/dev1/#", 1, function() error "oh no" end))
    local device = assert(sandbox:device "dev1")
    assert(device:report("status", {}))
    support.serve_until(function() return session:stats().handler_errors == 1 end)
    sandbox:kick(session.credentials.clientid)
    support.serve_until(function() return session:stats().connects == 2 end)
    assert.equal("1", tostring(session:stats().received))
    device:close()
    session:close()
    assert.equal(2, session:stats().connects)
  end)

  it("refuses a hook that is none", function()
    assert.has_error(function() fogcloud.new { on_request = "print" } end, "option 'on_request': function expected, got string")
  end)
end)
