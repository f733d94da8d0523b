-- SPDX-License-Identifier: MIT

-- A fleet of processes over a real Redis and a real broker: workers come, end, are killed and stopped; the number of slots
-- changes, and the devices. Nothing is lost, and each device's messages come in order.
local Redis = require "spec.support.redis"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local process = require "fogcloud.sandbox.core"
local script = require "spec.support.script"
local share = require "fogcloud.fleet.share"
local support = require "spec.support.sandbox"

local KILL, STOP, CONT = 9, 19, 18
local LIFE = 2

local SETTINGS = [[return {
  options = { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q, store = %q }, app_id = %q, life = %d,
  log = %q, stop = %q, devices = %q, journal = %q,
}
]]

describe("a fleet", function()
  local sandbox, redis, folder, workers, publishers, sent

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  local function device_ids(from, to)
    local ids = {}
    for i = from, to do ids[#ids + 1] = "node" .. i end
    return ids
  end

  local function settings(store)
    local o = sandbox:options()
    write("settings.lua", SETTINGS:format(o.base_url, "fleet", "s", sandbox.ca_file, store, "the-app", LIFE,
      folder .. "/log", folder .. "/stop", folder .. "/devices", folder))
  end

  before_each(function()
    sandbox:reset()
    redis = Redis.start { more = { "--appendonly", "yes" } }
    folder = support.shell("mktemp -d"):match "%S+"
    workers, publishers, sent = {}, {}, {}
    local seed = {}
    for i, id in ipairs(device_ids(1, 24)) do seed[i] = { id = id, password = "secret" } end
    sandbox:add { accounts = { { client_id = "fleet", client_secret = "s", apps = { "the-app" }, products = {}, devices = seed } } }
    write("devices", table.concat(device_ids(1, 20), "\n") .. "\n")
    settings(redis:url(nil, "/0?timeout=0.5"))
  end)
  after_each(function()
    for _, pid in ipairs(workers) do
      process.kill(pid, CONT)
      process.kill(pid, KILL)
    end
    for _, session in pairs(publishers) do session:close() end
    redis:stop()
    support.shell("rm -rf " .. folder)
  end)

  -- The lines of the log: { pid, what, slot, fence }.
  local function log()
    local lines, file = {}, io.open(folder .. "/log")
    if file == nil then return lines end
    for line in file:lines() do
      local pid, what, slot, fence = line:match "^(%d+) (%S+) (%d+) (%d+)$"
      if pid then lines[#lines + 1] = { pid = tonumber(pid), what = what, slot = tonumber(slot), fence = tonumber(fence) } end
    end
    file:close()
    return lines
  end

  local function wait_for(what, done, seconds)
    local deadline = core.now() + (seconds or 25)
    while core.now() < deadline do
      local result = done()
      if result then return result end
      fogcloud.step(0.05)
    end
    error(("waited in vain for %s\n%s"):format(what, (support.shell(("grep -v got: %s/log; cat %s/out"):format(folder, folder)))), 2)
  end

  -- slot -> the process that took it last, or came back to it, and the number it got; a slot that was left is nobody's.
  local function holders()
    local found = {}
    for _, line in ipairs(log()) do
      local newest = found[line.slot] == nil or found[line.slot].fence <= line.fence
      if newest and (line.what:find "^takes:" or line.what == "back") then
        found[line.slot] = line
      elseif line.what == "left" and found[line.slot] and found[line.slot].fence == line.fence then
        found[line.slot] = nil
      end
    end
    return found
  end

  local function start(host, slots)
    local pid = assert(process.spawn({ "/usr/bin/setpriv", "--pdeathsig", "KILL", script.interpreter(),
      "spec/support/fleet_worker.lua", host or "plain", folder .. "/settings.lua", tostring(slots or 6) }, folder .. "/out"))
    workers[#workers + 1] = pid
    return pid
  end

  -- Waits until these processes have so many slots each, and nobody else any.
  local function wait_shares(expected)
    wait_for("fair shares", function()
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
    wait_for("all messages", function()
      local last = {}
      for _, line in ipairs(log()) do
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

  it("shares its slots out fairly, whoever comes, ends or is killed, and loses nothing", function()
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
    write("stop." .. three, "")
    wait_shares { [one] = 6 }
    send(ids)
    check_handled()
    local fences = {}
    for _, line in ipairs(log()) do
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

  it("handles again what a worker was at when it was killed, and what it had not begun", function()
    local one = start()
    wait_shares { [one] = 6 }
    write("stop.hold", "")
    send(device_ids(1, 20))
    send(device_ids(1, 20))
    wait_for("a handler in each slot", function()
      local n = 0
      for _, line in ipairs(log()) do n = n + (line.what == "begun" and 1 or 0) end
      return n == 6 -- one message of a slot at a time
    end)
    process.kill(one, KILL)
    os.remove(folder .. "/stop.hold")
    local two = start()
    wait_shares { [two] = 6 }
    check_handled()
  end)

  it("goes on when a worker that was stopped goes on", function()
    local one, two = start(), start()
    wait_shares { [one] = 3, [two] = 3 }
    process.kill(one, STOP)
    send(device_ids(1, 20))
    wait_for("the other to have all", function()
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

  it("holds its breath while Redis is away, and goes on, with its clients, over one that comes back empty", function()
    local one, two = start(), start()
    wait_shares { [one] = 3, [two] = 3 }
    send(device_ids(1, 20))
    check_handled()
    redis:freeze()
    wait_for("all slots to be left", function() return next(holders()) == nil end)
    send(device_ids(1, 20))
    redis:thaw()
    wait_shares { [one] = 3, [two] = 3 }
    check_handled()
    redis:cli "flushall"
    wait_for("the records to be back", function()
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
    wait_for("the moved ones to be revoked", function() return sandbox:count { endpoint = "revoke" } == moved end)
    assert.equal(20 + moved, sandbox:count { endpoint = "grant" })
    local granted = {}
    for _, entry in ipairs(sandbox:journal()) do
      local id = entry.params and entry.params.device_id
      if entry.endpoint == "grant" then granted[id] = (granted[id] or 0) + 1 end
      if entry.endpoint == "revoke" then assert.equal(2, granted[id], id) end
    end
    send(ids)
    check_handled()
    write("stop." .. two, "")
    wait_shares { [one] = 6 }
    local three = start("plain", 3)
    wait_for("the last slots to be drained", function()
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
    sandbox:fail { endpoint = "grant", delay = 0.3, count = 0 }
    local one = start("plain", 1)
    wait_for("some of the devices", function() return sandbox:count { endpoint = "grant" } >= 3 end)
    process.kill(one, KILL)
    sandbox:heal()
    local two = start("plain", 1)
    wait_shares { [two] = 1 }
    send(device_ids(1, 20))
    check_handled()
    assert.equal(1, sandbox:count { endpoint = "create_client" })
  end)

  it("keeps what a worker had to send when it was killed, until one runs there again", function()
    local one = start()
    wait_shares { [one] = 6 }
    local got = {}
    for _, id in ipairs(device_ids(1, 5)) do
      assert(publisher(id):subscribe(("c2d/%s/n"):format(id), 1, function(_, payload) got[payload] = (got[payload] or 0) + 1 end))
    end
    sandbox:broker "stop"
    write("stop.publish", "")
    wait_for("the messages to be published", function()
      for _, line in ipairs(log()) do
        if line.what == "published" then return true end
      end
    end)
    process.kill(one, KILL)
    os.remove(folder .. "/stop.publish")
    sandbox:broker "start"
    wait_for("the devices to be back", function()
      for _, id in ipairs(device_ids(1, 5)) do
        if not publisher(id):connected() then return false end
      end
      return true
    end)
    local two = start()
    wait_shares { [two] = 6 }
    wait_for("what was published before", function()
      for _, id in ipairs(device_ids(1, 5)) do
        if got[id] == nil then return false end
      end
      return true
    end)
  end)

  it("takes in new devices, and lets those go that are no more", function()
    local one = start()
    wait_shares { [one] = 6 }
    write("devices", table.concat(device_ids(3, 24), "\n") .. "\n")
    write("stop.refresh", "")
    wait_for("the changes", function()
      return sandbox:count { endpoint = "grant" } == 24 and sandbox:count { endpoint = "revoke" } == 2
    end)
    send(device_ids(3, 24))
    check_handled()
  end)
end)
