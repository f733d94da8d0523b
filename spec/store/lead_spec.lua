-- SPDX-License-Identifier: MIT

-- One session among processes: who has it, what becomes of it when its holder ends, dies, is stopped or cut off from the
-- store. spec/host/openresty_lead_spec.lua has the workers of an nginx.
local Redis = require "spec.support.redis"
local Numbered = require "spec.support.numbered"
local Workers = require "spec.support.workers"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local process = require "fogcloud.sandbox.core"
local support = require "spec.support.sandbox"

local KILL, STOP, CONT = 9, 19, 18
local LIFE = 2

describe("fogcloud.lead among processes", function()
  local sandbox, redis, device, workers

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  before_each(function()
    sandbox:reset()
    workers, device = Workers.new "lead_worker.lua", Numbered.device(sandbox, "dev1")
  end)
  after_each(function()
    workers:stop()
    device:close()
    if redis then redis:stop() end
    redis = nil
  end)

  local function start(store, hosts)
    workers:configure(sandbox, store, LIFE)
    for _, host in ipairs(hosts) do workers:start(host) end
    workers:wait_for("all workers", function() return workers:count "waits" == #hosts end)
    return workers:wait_for("a leader", function() return workers:last "leads" end)
  end

  -- Every message has reached a leader.
  local function wait_complete()
    workers:wait_for("all messages", function()
      local seen, n = {}, 0
      for _, line in ipairs(workers:log()) do
        local payload = line.what:match "^got:(.+)"
        if payload and not seen[payload] then seen[payload], n = true, n + 1 end
      end
      return n == device.sent
    end)
  end

  local function another(than)
    return workers:wait_for("another leader", function()
      local now = workers:last "leads"
      return now.fence ~= than.fence and now
    end)
  end

  local PLACES = {
    file = function() return "file:" .. workers.folder .. "/store" end,
    Redis = function()
      redis = Redis.start()
      return redis:url(nil, "/0?timeout=0.5")
    end,
  }

  for name, place in pairs(PLACES) do
    it("over " .. name .. " goes from one that was killed to another, and nothing is lost", function()
      local first = start(place(), { "plain", "luv", "cqueues" })
      assert.equal(1, workers:count "starts")
      device:send(20)
      wait_complete()
      process.kill(first.pid, KILL)
      device:send(20) -- to nobody: the broker keeps them
      local second = another(first)
      assert.is_true(second.fence > first.fence)
      assert.is_true(second.pid ~= first.pid)
      device:send(20)
      wait_complete()
      assert.equal(2, workers:count "starts")
    end)

    it("over " .. name .. " is handed over by those that end, in each host, without a fight for the client id", function()
      start(place(), { "plain", "luv", "cqueues" })
      device:send(5)
      wait_complete()
      workers:write("stop", "")
      workers:wait_for("all to end", function() return workers:count "ends" == 3 end)
      local leads -- one after the other: who was late to hear that it is to end may have followed
      for _, line in ipairs(workers:log()) do
        if line.what == "leads" then
          assert.is_nil(leads)
          leads = line.fence
        elseif line.what == "left" then
          assert.equal(leads, line.fence)
          leads = nil
        end
      end
      assert.is_nil(leads)
      assert.equal("", workers:complaints())
    end)

    it("over " .. name .. " goes on when a stopped leader goes on: it sees that its time is over", function()
      local first = start(place(), { "plain", "plain" })
      device:send(5)
      wait_complete()
      process.kill(first.pid, STOP)
      local second = another(first)
      assert.is_true(second.fence > first.fence)
      process.kill(first.pid, CONT)
      workers:wait_for("the first to leave", function()
        local left = workers:last "left"
        return left and left.pid == first.pid
      end)
      device:send(20)
      wait_complete()
      assert.equal(second.fence, workers:last("leads").fence)
      assert.equal(second.fence, workers:last("got:" .. device.sent).fence)
    end)
  end

  for name, trouble in pairs {
    ["is stopped"] = { function() redis:freeze() end, function()
      redis:thaw()
      return true
    end },
    ["is killed and comes back empty"] = { function() redis:kill() end, function() redis:start_again() end }, -- without the client
  } do
    it("ends its session before its lease when Redis " .. name .. ", and is led again when it is back", function()
      local first = start(PLACES.Redis(), { "plain", "plain", "luv" })
      device:send(5)
      wait_complete()
      trouble[1]()
      local stopped = core.now()
      workers:wait_for("the leader to leave", function() return workers:last "left" end)
      assert.is_true(core.now() - stopped < LIFE)
      device:send(20)
      local kept = trouble[2]()
      local second = another(first)
      assert.is_true(second.fence > first.fence)
      if kept then wait_complete() end
    end)
  end

  it("is refused where something is wrong, at the caller's", function()
    local function start_nothing() return nil end
    for _, wrong in ipairs {
      { "", start_nothing, "file" }, { nil, start_nothing, "file" }, { "x", nil, "file" }, { "x", start_nothing, nil },
      { "x", start_nothing, "nothing" }, { "x", start_nothing, "redis://" }, { "x", start_nothing, {} },
      { "x", start_nothing, { get = print, set = print, delete = print, lock = print } },
      { "x", start_nothing, "file", 3 }, { "x", start_nothing, "file", { life = 0 } }, { "x", start_nothing, "file", { live = 1 } },
    } do
      local ok, err = pcall(function() fogcloud.lead(wrong[1], wrong[2], wrong[3], wrong[4]) end)
      assert.is_false(ok)
      assert.matches("lead_spec%.lua:%d+: ", err)
    end
  end)
end)
