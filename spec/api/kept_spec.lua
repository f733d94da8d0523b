-- SPDX-License-Identifier: MIT

-- Clients that are kept in the cloud's store, on a virtual clock.
local virtual = require "spec.support.virtual"

describe("cloud:client", function()
  local host, server

  before_each(function()
    host = virtual.host()
    server = virtual.server(host)
  end)

  it("creates a client once, for any number of tasks", function()
    local cloud, seen = virtual.cloud(server), {}
    for i = 1, 50 do
      host.spawn_task(function() seen[i] = assert(cloud:client("app")).clientid end)
    end
    host.run()
    for i = 1, 50 do assert.equal("c1", seen[i]) end
    assert.equal("c2", assert(cloud:client("other")).clientid)
  end)

  it("gives what create_client gave, and its own copy to each", function()
    local cloud = virtual.cloud(server, { app_id = "app" })
    local first = assert(cloud:client())
    assert.same({ "c1", "pass1/+", 1884 }, { first.clientid, first.password, first.sslport })
    first.password = "changed"
    assert.equal("pass1/+", assert(cloud:client("app")).password)
    assert.is_nil(first.value)
  end)

  it("keeps several of one application by name", function()
    local cloud = virtual.cloud(server)
    assert.equal("c1", assert(cloud:client("app", { name = "worker 0" })).clientid)
    assert.equal("c2", assert(cloud:client("app", { name = "worker 1" })).clientid)
    assert.equal("c3", assert(cloud:client("app")).clientid)
    assert.equal("c1", assert(cloud:client("app", { name = "worker 0" })).clientid)
    assert(cloud:forget_client("app", nil, "worker 0"))
    assert.equal("c4", assert(cloud:client("app", { name = "worker 0" })).clientid)
    assert.equal("c2", assert(cloud:client("app", { name = "worker 1" })).clientid)
    assert.has_error(function() cloud:client("app", { name = 1 }) end, "name: string expected, got number")
  end)

  it("does not make a second one when the first cannot be read", function()
    local cloud = virtual.cloud(server)
    cloud.store.get = function() return nil, require("fogcloud.errors").new("protocol", "it is damaged") end
    local none, err = cloud:client("app")
    assert.is_nil(none)
    assert.matches("damaged", tostring(err))
    assert.equal(0, server.clients)
  end)

  it("is refused with its place where it lacks what cannot be had again, and no other is made", function()
    for _, name in ipairs { "clientid", "loginname", "password", "mqtthost" } do
      local cloud = virtual.cloud(server, { app_id = "app" })
      assert(cloud:client())
      local made = server.clients
      local key = "client https://api.example.com key-id app"
      local record = assert(cloud.store:get(key))
      assert.equal(1, record.version)
      record[name] = nil
      cloud.store:set(key, record)
      local none, err = cloud:client()
      assert.is_nil(none)
      assert.is_truthy(tostring(err):find(("'%s' cannot be used: it has no '%s'"):format(key, name), 1, true), tostring(err))
      assert.is_nil(tostring(err):find("remove", 1, true))
      cloud.store.where = function() return "/the/file" end
      assert.matches("^/the/file cannot be used", (select(2, cloud:client())).message)
      assert.equal(made, server.clients)
    end
  end)

  it("keeps the fields that a later version adds to a token", function()
    local cloud = virtual.cloud(server)
    assert(cloud:token())
    local key = "token https://api.example.com key-id"
    local record = cloud.store:get(key)
    assert.equal(1, record.version)
    record.version, record.later = 2, "kept"
    cloud.store:set(key, record)
    local other = virtual.cloud(server, { store = cloud.store })
    server.down.token = true
    host.advance(6 * 86400) -- its renewal fails, and is put off
    assert(other:products())
    host.advance(60)
    local put_off = cloud.store:get(key)
    assert.is_true(put_off.renew > record.renew)
    assert.same({ 2, "kept" }, { put_off.version, put_off.later })
  end)

  it("is given out with an error where open cannot connect for want of a port", function()
    server.faults.create_client = { virtual.envelope(0, "mqtt info",
      '{"clientid":"c","loginname":"l","password":"p","mqtthost":"h","mqttport":"1883","sslport":null}') }
    local session, err, credentials = virtual.cloud(server):open { app_id = "app" }
    assert.is_nil(session)
    assert.equal("protocol", err.kind)
    assert.matches("no usable 'sslport'", err.message)
    assert.same({ "p", 1883 }, { credentials.password, credentials.mqttport })
  end)

  it("lets go of its lock when the caller is ended by an error", function()
    local cloud = virtual.cloud(server)
    local request = cloud.pump.request
    cloud.pump.request = function(_, name, ...)
      if name == "create_client" then error "a hook" end
      return request(cloud.pump, name, ...)
    end
    assert.error_matches(function() cloud:client("app") end, "a hook")
    cloud.pump.request = request
    assert(cloud:client("app", { timeout = 1 }))
  end)

  it("makes none that cannot be kept", function()
    local cloud = virtual.cloud(server)
    cloud.store.set = function() return nil, require("fogcloud.errors").new("protocol", "the disk is full") end
    for _ = 1, 3 do
      local none, err = cloud:client("app")
      assert.is_nil(none)
      assert.matches("the disk is full", tostring(err))
    end
    assert.equal(0, server.clients)
  end)

  it("gives out a client that cannot be kept, though there was room before", function()
    local entries = {}
    local cloud = virtual.cloud(server, { log = function(level, text) entries[#entries + 1] = level .. ": " .. text end })
    cloud.store.set = function(_, key)
      if key:find(" room$") then return true end
      return nil, require("fogcloud.errors").new("protocol", "the disk is full")
    end
    assert.equal("c1", assert(cloud:client("app")).clientid)
    assert.is_truthy(table.concat(entries):find("error: the created client could not be kept", 1, true))
  end)

  it("can forget one, by value", function()
    local cloud = virtual.cloud(server)
    assert(cloud:client("app"))
    assert(cloud:forget_client("app", { clientid = "c0" }))
    assert.equal("c1", assert(cloud:client("app")).clientid)
    assert(cloud:forget_client("app", { clientid = "c1" }))
    assert.equal("c2", assert(cloud:client("app")).clientid)
    assert(cloud:forget_client("app"))
    assert.equal("c3", assert(cloud:client("app")).clientid)
  end)

  it("wants to know of which application", function()
    local cloud = virtual.cloud(server)
    assert.has_error(function() cloud:client() end, "app_id: string expected, got nil")
  end)
end)
