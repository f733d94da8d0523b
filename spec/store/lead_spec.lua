-- SPDX-License-Identifier: MIT

-- One session among processes: who has it, what becomes of it when its holder ends, dies, is stopped or cut off from the
-- store. spec/host/openresty_lead_spec.lua has the workers of an nginx.
local Redis = require "spec.support.redis"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local process = require "fogcloud.sandbox.core"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local KILL, STOP, CONT = 9, 19, 18
local LIFE = 2

local SETTINGS = [[return {
  options = { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q, store = %q }, app_id = %q, life = %d,
  log = %q, stop = %q,
}
]]

describe("fogcloud.lead among processes", function()
  local sandbox, folder, redis, device, sent, workers

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  before_each(function()
    sandbox:reset()
    folder = support.shell("mktemp -d"):match "%S+"
    device, sent, workers = sandbox:device "dev1", 0, {}
  end)
  after_each(function()
    for _, pid in ipairs(workers) do
      process.kill(pid, CONT)
      process.kill(pid, KILL)
    end
    device:close()
    if redis then redis:stop() end
    redis = nil
    support.shell("rm -rf " .. folder)
  end)

  -- The lines of the log: { pid, what, fence }.
  local function log()
    local lines, file = {}, io.open(folder .. "/log")
    if file == nil then return lines end
    for line in file:lines() do
      local pid, what, fence = line:match "^(%d+) (%S+) (%d+)$"
      lines[#lines + 1] = { pid = tonumber(pid), what = what, fence = tonumber(fence) }
    end
    file:close()
    return lines
  end

  local function wait_for(what, done)
    local deadline = core.now() + 20
    while core.now() < deadline do
      local result = done()
      if result then return result end
      fogcloud.step(0.02)
    end
    local text = support.shell(("cat %s/log %s/out"):format(folder, folder))
    error("waited in vain for " .. what .. "\n" .. text, 2)
  end

  local function last(what)
    local found
    for _, line in ipairs(log()) do
      if line.what == what then found = line end
    end
    return found
  end

  local function count(what)
    local n = 0
    for _, line in ipairs(log()) do
      if line.what == what then n = n + 1 end
    end
    return n
  end

  local function start(store, hosts)
    local o, path = sandbox:options(), folder .. "/settings.lua"
    local file = assert(io.open(path, "w"))
    file:write(SETTINGS:format(o.base_url, o.client_id, o.client_secret, sandbox.ca_file, store, sandbox.app_id, LIFE,
      folder .. "/log", folder .. "/stop"))
    file:close()
    for i, host in ipairs(hosts) do
      local pid = process.spawn({ "/usr/bin/setpriv", "--pdeathsig", "KILL", script.interpreter(),
        "spec/support/lead_worker.lua", host, path }, folder .. "/out")
      workers[i] = assert(pid)
    end
    wait_for("all workers", function() return count "waits" == #hosts end)
    return wait_for("a leader", function() return last "leads" end)
  end

  local function send(n)
    for _ = 1, n do
      sent = sent + 1
      assert(device.session:publish("d2c/dev1/n", tostring(sent), { qos = 1 }))
    end
    assert(device.session:flush(20))
  end

  -- Every message has reached a leader.
  local function wait_complete()
    wait_for("all messages", function()
      local seen, n = {}, 0
      for _, line in ipairs(log()) do
        local payload = line.what:match "^got:(.+)"
        if payload and not seen[payload] then seen[payload], n = true, n + 1 end
      end
      return n == sent
    end)
  end

  local function another(than)
    return wait_for("another leader", function()
      local now = last "leads"
      return now.fence ~= than.fence and now
    end)
  end

  local PLACES = {
    file = function() return "file:" .. folder .. "/store" end,
    Redis = function()
      redis = Redis.start()
      return redis:url(nil, "/0?timeout=0.5")
    end,
  }

  for name, place in pairs(PLACES) do
    it("over " .. name .. " goes from one that was killed to another, and nothing is lost", function()
      local first = start(place(), { "plain", "luv", "cqueues" })
      assert.equal(1, count "starts")
      send(20)
      wait_complete()
      process.kill(first.pid, KILL)
      send(20) -- to nobody: the broker keeps them
      local second = another(first)
      assert.is_true(second.fence > first.fence)
      assert.is_true(second.pid ~= first.pid)
      send(20)
      wait_complete()
      assert.equal(2, count "starts")
    end)

    it("over " .. name .. " is handed over by those that end, in each host, without a fight for the client id", function()
      local leader = start(place(), { "plain", "luv", "cqueues" })
      send(5)
      wait_complete()
      support.shell("touch " .. folder .. "/stop")
      wait_for("all to end", function() return count "ends" == 3 end)
      assert.equal(leader.fence, last("left").fence)
      assert.equal("", (support.shell(("cat %s/out 2>/dev/null"):format(folder))))
    end)

    it("over " .. name .. " goes on when a stopped leader goes on: it sees that its time is over", function()
      local first = start(place(), { "plain", "plain" })
      send(5)
      wait_complete()
      process.kill(first.pid, STOP)
      local second = another(first)
      assert.is_true(second.fence > first.fence)
      process.kill(first.pid, CONT)
      wait_for("the first to leave", function()
        local left = last "left"
        return left and left.pid == first.pid
      end)
      send(20)
      wait_complete()
      assert.equal(second.fence, last("leads").fence)
      assert.equal(second.fence, last("got:" .. sent).fence)
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
      send(5)
      wait_complete()
      trouble[1]()
      local stopped = core.now()
      wait_for("the leader to leave", function() return last "left" end)
      assert.is_true(core.now() - stopped < LIFE)
      send(20)
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
