-- SPDX-License-Identifier: MIT

-- A fleet of processes over a real broker and a real Redis, or, on one machine, over files: workers come, end, are killed
-- and stopped; the number of slots changes, and the devices. Nothing is lost, and each device's messages come in order.
-- spec/host/openresty_fleet_spec.lua has the workers of an nginx.
local Redis = require "spec.support.redis"
local Workers = require "spec.support.workers"
local fogcloud = require "fogcloud"
local process = require "fogcloud.sandbox.core"
local share = require "fogcloud.fleet.share"
local support = require "spec.support.sandbox"

local KILL, STOP, CONT = 9, 19, 18
local LIFE = 2

local ACCOUNT = { client_id = "fleet", client_secret = "s", app_id = "the-app" }

describe("a fleet", function()
  local sandbox, redis, workers, publishers, sent

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function device_ids(from, to)
    local ids = {}
    for i = from, to do ids[#ids + 1] = "node" .. i end
    return ids
  end

  before_each(function()
    sandbox:reset()
    workers, publishers, sent = Workers.new "fleet_worker.lua", {}, {}
    local seed = {}
    for i, id in ipairs(device_ids(1, 24)) do seed[i] = { id = id, password = "secret" } end
    sandbox:add { accounts = { { client_id = "fleet", client_secret = "s", apps = { "the-app" }, products = {}, devices = seed } } }
    workers:write("devices", table.concat(device_ids(1, 20), "\n") .. "\n")
  end)
  after_each(function()
    workers:stop()
    for _, session in pairs(publishers) do session:close() end
    if redis then redis:stop() end
    redis = nil
  end)

  local STORES = {
    ["on one machine, over files,"] = function() workers:configure(sandbox, "file:" .. workers.folder .. "/store", LIFE, ACCOUNT) end,
    ["over Redis"] = function()
      redis = Redis.start { more = { "--appendonly", "yes" } }
      workers:configure(sandbox, redis:url(nil, "/0?timeout=0.5"), LIFE, ACCOUNT)
    end,
  }

  -- slot -> the process that took it last, or came back to it, and the number it got; a slot that was left is nobody's.
  local function holders()
    local found = {}
    for _, line in ipairs(workers:log()) do
      local newest = found[line.slot] == nil or found[line.slot].fence <= line.fence
      if newest and (line.what:find "^takes:" or line.what == "back") then
        found[line.slot] = line
      elseif line.what == "left" and found[line.slot] and found[line.slot].fence == line.fence then
        found[line.slot] = nil
      end
    end
    return found
  end

  local function start(host, slots) return workers:start(host or "plain", tostring(slots or 6)) end

  -- Waits until these processes have so many slots each, and nobody else any.
  local function wait_shares(expected)
    workers:wait_for("fair shares", function()
      local shares, right = {}, true
      for _, line in pairs(holders()) do shares[line.pid] = (shares[line.pid] or 0) + 1 end
      for pid, count in pairs(expected) do right = right and shares[pid] == count end
      for pid in pairs(shares) do right = right and expected[pid] ~= nil end
      return right
    end)
  end

  local function publisher(id)
    if publishers[id] == nil then
      publishers[id] = assert(fogcloud.connect({ clientid = "device-" .. id, loginname = id, password = "secret",
        mqtthost = "localhost", sslport = sandbox.tls_port }, { ca_file = sandbox.ca_file }))
    end
    return publishers[id]
  end

  -- One more message of each of these devices.
  local function send(ids)
    for _, id in ipairs(ids) do
      sent[id] = (sent[id] or 0) + 1
      assert(publisher(id):publish(("d2c/%s/n"):format(id), tostring(sent[id]), { qos = 1 }))
    end
    for _, id in ipairs(ids) do assert(publisher(id):flush(20)) end
  end

  -- All messages are handled, each device's in order: none comes before all that were sent before it.
  local function check_handled()
    workers:wait_for("all messages", function()
      local last = {}
      for _, line in ipairs(workers:log()) do
        local id, number = line.what:match "^got:(.-):(%d+)$"
        if id then
          number = tonumber(number)
          assert(number <= (last[id] or 0) + 1, ("%s: %d after %d"):format(id, number, last[id] or 0))
          last[id] = math.max(last[id] or 0, number)
        end
      end
      for id, count in pairs(sent) do
        if last[id] ~= count then return false end
      end
      return true
    end)
  end

  for name, configure in pairs(STORES) do
    it(name .. " shares its slots out fairly, whoever comes, ends or is killed, and loses nothing", function()
      configure()
      local ids = device_ids(1, 20)
      local one = start "plain"
      wait_shares { [one] = 6 }
      send(ids)
      check_handled()
      local two, three = start "luv", start "cqueues"
      wait_shares { [one] = 2, [two] = 2, [three] = 2 }
      send(ids)
      check_handled()
      process.kill(two, KILL)
      send(ids) -- to nobody, in part: the broker keeps them
      wait_shares { [one] = 3, [three] = 3 }
      send(ids)
      check_handled()
      workers:write("stop." .. three, "")
      wait_shares { [one] = 6 }
      send(ids)
      check_handled()
      local fences = {}
      for _, line in ipairs(workers:log()) do
        if line.what:find "^takes:" then
          assert.is_true(line.fence > (fences[line.slot] or 0))
          fences[line.slot] = line.fence
        end
      end
      assert.equal(6, sandbox:count { endpoint = "create_client" })
      assert.equal(20, sandbox:count { endpoint = "grant" }) -- once each, whoever has the slot
      assert.equal(0, sandbox:count { endpoint = "revoke" })
      assert.equal(1, sandbox:count { endpoint = "token" })
    end)

    it(name .. " handles again what a worker was at when it was killed, and what it had not begun", function()
      configure()
      local one = start()
      wait_shares { [one] = 6 }
      workers:write("stop.hold", "")
      send(device_ids(1, 20))
      send(device_ids(1, 20))
      workers:wait_for("a handler in each slot", function()
        return workers:count "begun" == 6 -- one message of a slot at a time
      end)
      process.kill(one, KILL)
      os.remove(workers.folder .. "/stop.hold")
      local two = start()
      wait_shares { [two] = 6 }
      check_handled()
    end)

    it(name .. " goes on when a worker that was stopped goes on", function()
      configure()
      local one, two = start(), start()
      wait_shares { [one] = 3, [two] = 3 }
      process.kill(one, STOP)
      send(device_ids(1, 20))
      workers:wait_for("the other to have all", function()
        local n = 0
        for _, line in pairs(holders()) do n = n + (line.pid == two and 1 or 0) end
        return n == 6
      end)
      process.kill(one, CONT)
      check_handled()
      wait_shares { [one] = 3, [two] = 3 }
      send(device_ids(1, 20))
      check_handled()
    end)
  end

  it("holds its breath while Redis is away, and goes on, with its clients, over one that comes back empty", function()
    STORES["over Redis"]()
    local one, two = start(), start()
    wait_shares { [one] = 3, [two] = 3 }
    send(device_ids(1, 20))
    check_handled()
    redis:freeze()
    workers:wait_for("all slots to be left", function() return next(holders()) == nil end)
    send(device_ids(1, 20))
    redis:thaw()
    wait_shares { [one] = 3, [two] = 3 }
    check_handled()
    redis:cli "flushall"
    workers:wait_for("the records to be back", function()
      return select(2, redis:cli("keys 'fogcloud:fleet spec slot *'"):gsub("slot", "")) == 6
    end)
    assert.equal(6, sandbox:count { endpoint = "create_client" })
    process.kill(two, KILL)
    send(device_ids(1, 20))
    wait_shares { [one] = 6 }
    check_handled()
  end)

  -- The devices that a slot's client may talk to, by the sandbox.
  local function permissions()
    local found = {}
    for _, client in ipairs(sandbox:state().clients or {}) do
      for _, id in ipairs(client.devices or client.permissions or {}) do
        found[id] = found[id] or {}
        table.insert(found[id], client.clientid)
      end
    end
    return found
  end

  it("moves few devices when its slots change, each granted before it is revoked", function()
    STORES["over Redis"]()
    local ids = device_ids(1, 20)
    local one = start("plain", 4)
    wait_shares { [one] = 4 }
    send(ids)
    check_handled()
    local moved = 0
    for _, id in ipairs(ids) do
      if share.slot_of(id, 4) ~= share.slot_of(id, 6) then moved = moved + 1 end
    end
    assert.is_true(moved > 0 and moved < 14)
    local two = start("plain", 6) -- the last one says how many
    wait_shares { [one] = 3, [two] = 3 }
    workers:wait_for("the moved ones to be revoked", function() return sandbox:count { endpoint = "revoke" } == moved end)
    assert.equal(20 + moved, sandbox:count { endpoint = "grant" })
    local granted = {}
    for _, entry in ipairs(sandbox:journal()) do
      local id = entry.params and entry.params.device_id
      if entry.endpoint == "grant" then granted[id] = (granted[id] or 0) + 1 end
      if entry.endpoint == "revoke" then assert.equal(2, granted[id], id) end
    end
    send(ids)
    check_handled()
    workers:write("stop." .. two, "")
    wait_shares { [one] = 6 }
    local three = start("plain", 3)
    workers:wait_for("the last slots to be drained", function()
      local n = 0
      for _ in pairs(holders()) do n = n + 1 end
      return n == 3
    end, 60)
    assert.is_number(three)
    for id, clients in pairs(permissions()) do assert.equal(1, #clients, id) end
    send(ids)
    check_handled()
  end)

  it("completes what a worker that was killed had begun to grant", function()
    STORES["over Redis"]()
    sandbox:fail { endpoint = "grant", delay = 0.3, count = 0 }
    local one = start("plain", 1)
    workers:wait_for("some of the devices", function() return sandbox:count { endpoint = "grant" } >= 3 end)
    process.kill(one, KILL)
    sandbox:heal()
    local two = start("plain", 1)
    wait_shares { [two] = 1 }
    send(device_ids(1, 20))
    check_handled()
    assert.equal(1, sandbox:count { endpoint = "create_client" })
  end)

  it("keeps what a worker had to send when it was killed, until one runs there again", function()
    STORES["over Redis"]()
    local one = start()
    wait_shares { [one] = 6 }
    local got = {}
    for _, id in ipairs(device_ids(1, 5)) do
      assert(publisher(id):subscribe(("c2d/%s/n"):format(id), 1, function(_, payload) got[payload] = (got[payload] or 0) + 1 end))
    end
    sandbox:broker "stop"
    workers:write("stop.publish", "")
    workers:wait_for("the messages to be published", function() return workers:last "published" end)
    workers:wait_for("them to be on the disk", function() -- which publish does not wait for
      local written = support.shell(("cat %s/*.journal*"):format(workers.folder))
      for _, id in ipairs(device_ids(1, 5)) do
        if not written:find(("c2d/%s/n"):format(id), 1, true) then return false end
      end
      return true
    end)
    process.kill(one, KILL)
    os.remove(workers.folder .. "/stop.publish")
    sandbox:broker "start"
    workers:wait_for("the devices to be back", function()
      for _, id in ipairs(device_ids(1, 5)) do
        if not publisher(id):connected() then return false end
      end
      return true
    end)
    local two = start()
    wait_shares { [two] = 6 }
    workers:wait_for("what was published before", function()
      for _, id in ipairs(device_ids(1, 5)) do
        if got[id] == nil then return false end
      end
      return true
    end)
  end)

  it("takes in new devices, and lets those go that are no more", function()
    STORES["over Redis"]()
    local one = start()
    wait_shares { [one] = 6 }
    workers:write("devices", table.concat(device_ids(3, 24), "\n") .. "\n")
    workers:write("stop.refresh", "")
    workers:wait_for("the changes", function()
      return sandbox:count { endpoint = "grant" } == 24 and sandbox:count { endpoint = "revoke" } == 2
    end)
    send(device_ids(3, 24))
    check_handled()
  end)
end)
