-- SPDX-License-Identifier: MIT

local virtual = require "spec.support.virtual"

local function ids(n)
  local list = {}
  for i = 1, n do list[i] = "dev" .. i end
  return list
end

describe("a bulk call", function()
  local host, server, cloud, in_flight, most

  before_each(function()
    host = virtual.host()
    server = virtual.server(host)
    in_flight, most = 0, 0
    local pump = server:pump()
    local request = pump.request
    function pump.request(...)
      in_flight = in_flight + 1
      most = math.max(most, in_flight)
      local reply, err = request(...)
      in_flight = in_flight - 1
      return reply, err
    end
    cloud = require("fogcloud.api.cloud").new({
      base_url = "https://api.example.com", client_id = "id", client_secret = "secret",
      random = require("fogcloud.api.retry").random(3),
    }, host, pump)
    assert(cloud:token())
    most = 0
  end)

  it("calls once for each id, several at a time, and gives results in order", function()
    local started = host.now()
    local results = assert(cloud:grant_all("c", ids(100)))
    assert.equal(100, #results)
    for i = 1, 100 do assert.is_true(results[i]) end
    assert.equal(100, server:count("grant"))
    assert.is_true(most > 4 and most <= 16, most)
    assert.is_true(host.now() - started < 100 * server.latency / 4)
    assert.same({}, assert(cloud:revoke_all("c", {})))
    assert(cloud:revoke_all("c", ids(3)))
    assert.equal(3, server:count("revoke"))
  end)

  it("holds to the concurrency it is given", function()
    assert(cloud:grant_all("c", ids(50), { concurrency = 3 }))
    assert.equal(3, most)
    most = 0
    assert(cloud:grant_all("c", ids(10), { concurrency = 1 }))
    assert.equal(1, most)
  end)

  it("shows which failed", function()
    local refuse = virtual.envelope(10000, "device_id is unknown")
    server.faults.grant = { nil }
    local request = {}
    for i = 1, 10 do request[i] = function() return virtual.envelope(0, "ok") end end
    request[3], request[7] = refuse, refuse
    server.faults.grant = request
    local none, err = cloud:grant_all("c", ids(10), { concurrency = 1 })
    assert.is_nil(none)
    assert.equal("api", err.kind)
    assert.matches("^grant_all: 2 of 10 failed; the first: grant: a parameter is wrong", tostring(err))
    for i = 1, 10 do
      if i == 3 or i == 7 then
        assert.equal(10000, err.results[i].code)
      else
        assert.is_true(err.results[i])
      end
    end
  end)

  it("slows down when the server says that it is too much, and speeds up again", function()
    assert(cloud:grant_all("c", ids(200)))
    assert.equal(16, most)
    local faults = {}
    for i = 1, 40 do faults[i] = virtual.reply(429, "", { ["retry-after"] = "1" }) end
    server.faults.grant, server.log, most = faults, {}, 0
    assert(cloud:grant_all("c", ids(400), { timeout = 120 }))
    assert.equal(440, server:count("grant"))
    -- Requests in each second while the server refused, and at the end.
    local started, refused = server.log[1].at, 0
    for _, entry in ipairs(server.log) do
      if entry.at - started > 1 and entry.at - started < 2 then refused = refused + 1 end
    end
    assert.is_true(refused < 40, refused)
    assert.equal(16, most)
  end)

  it("gives up on an id when the server refuses for too long", function()
    local faults = {}
    for i = 1, 1000 do faults[i] = virtual.reply(503, "") end
    server.faults.grant = faults
    local started = host.now()
    local none, err = cloud:grant_all("c", ids(2), { timeout = 60 })
    assert.is_nil(none)
    assert.same({ "http", 503 }, { err.kind, err.results[1].status })
    assert.is_true(host.now() - started < 60)
    assert.is_true(server:count("grant") <= 2 * 10 * 4)
  end)

  it("tells its progress in the caller's task", function()
    local last, calls = 0, 0
    local results
    host.spawn_task(function()
      local mine = coroutine.running()
      results = cloud:grant_all("c", ids(40), { progress = function(done, total, failed)
        assert.equal(mine, coroutine.running())
        assert.is_true(done >= last)
        assert.same({ 40, 0 }, { total, failed })
        last, calls = done, calls + 1
      end })
    end)
    host.run()
    assert.same({ 40, 40 }, { last, #results })
    assert.is_true(calls > 5)
  end)

  it("passes on what progress throws, and stops", function()
    local ok, err = pcall(cloud.grant_all, cloud, "c", ids(100), { progress = function() error("mine", 0) end })
    assert.is_false(ok)
    assert.equal("mine", err)
    host.advance(10)
    assert.is_true(server:count("grant") < 20)
  end)

  it("is ended by cancelling its task, and says how far it came", function()
    local outcome
    local task = host.spawn_task(function() outcome = { cloud:grant_all("c", ids(1000)) } end)
    host.spawn_task(function()
      host.sleep(1.01)
      task:cancel()
    end)
    host.run()
    local err = outcome[2]
    assert.equal("cancelled", err.kind)
    local done = 0
    for _ in pairs(err.results) do done = done + 1 end
    assert.is_true(done > 10 and done < 1000)
    local sent = server:count("grant")
    host.advance(60)
    assert.equal(sent, server:count("grant"))
    assert.equal(0, in_flight)
  end)

  it("raises on wrong arguments and sends nothing", function()
    local CASES = {
      { "ids: table expected", "c", "dev1" }, { "device_id", "c", { "dev1", "a/b" } }, { "clientid", "", {} },
      { "unknown bulk option 'speed'", "c", {}, { speed = 1 } }, { "'concurrency': 1 to", "c", {}, { concurrency = 0 } },
      { "'concurrency': 1 to", "c", {}, { concurrency = 1e9 } }, { "'progress': function", "c", {}, { progress = 1 } },
      { "options: table", "c", {}, 5 },
    }
    for _, case in ipairs(CASES) do
      local ok, err = pcall(cloud.grant_all, cloud, case[2], case[3], case[4])
      assert.is_false(ok)
      assert.is_truthy(err:find(case[1], 1, true), err)
    end
    assert.equal(0, server:count("grant"))
  end)

  it("needs memory for what is in flight only", function()
    server.latency = 0.001
    server.log = setmetatable({}, { __newindex = function() end })
    local many, low, high = ids(100000), math.huge, 0
    collectgarbage()
    assert(cloud:grant_all("c", many, { progress = function(done)
      if done % 10000 == 0 then
        collectgarbage()
        local used = collectgarbage("count")
        low, high = math.min(low, used), math.max(high, used)
      end
    end }))
    assert.is_true(high - low < 4096, ("%d KiB more"):format(high - low)) -- 100,000 results take 16 bytes each, doubled as the table grows
  end)
end)
