-- SPDX-License-Identifier: MIT

-- Against a broker that is not mosquitto: aedes, in Node.js, from npm.
require "spec.support.identity"
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

describe("with aedes", function()
  local pipe, pid, port, web_port, sessions

  setup(function()
    local said, status = support.shell "scripts/npm.sh"
    assert.equal(0, status, said)
    pipe = assert(io.popen("echo $$; NODE_PATH=build/npm/node_modules exec node spec/support/aedes.cjs", "r"))
    pid, port, web_port = pipe:read("*l"), tonumber(pipe:read("*l")), tonumber(pipe:read("*l"))
    assert(port and web_port, "aedes did not start")
  end)

  teardown(function()
    os.execute("kill " .. pid)
    pipe:close()
  end)

  before_each(function() sessions = {} end)

  after_each(function()
    for _, session in ipairs(sessions) do session:close() end
    fogcloud.run()
  end)

  local function connect(id, more)
    local opts = { tls = false }
    for name, value in pairs(more or {}) do opts[name] = value end
    local credentials = { clientid = id, mqtthost = "127.0.0.1", mqttport = opts.transport and web_port or port }
    local session = assert(fogcloud.connect(credentials, opts))
    sessions[#sessions + 1] = session
    return session
  end

  -- What comes on `filter`, as texts: topic, payload, QoS, and whether it was kept.
  local function hear(session, filter, qos)
    local heard = {}
    assert(session:subscribe(filter, qos, function(topic, payload, message)
      heard[#heard + 1] = ("%s %s %d %s"):format(topic, payload, message.qos, message.retained and "kept" or "new")
    end))
    return heard
  end

  local function comes(heard, expected)
    support.serve_until(function() return #heard >= #expected end)
    assert.same(expected, heard)
  end

  for transport, name in pairs { tcp = "TCP", websockets = "WebSockets" } do
    local opts = transport ~= "tcp" and { transport = transport } or nil

    it("messages of each QoS go out and come in, over " .. name, function()
      local one, two = connect("one", opts), connect("two", opts)
      local there, back = hear(two, "there/+", 2), hear(one, "back/#", 2)
      local expected_there, expected_back = {}, {}
      for i = 1, 30 do
        local qos = i % 3
        assert(one:publish("there/a", "m" .. i, { qos = qos }))
        assert(two:publish("back/a/b", "n" .. i, { qos = qos }))
        expected_there[i] = ("there/a m%d %d new"):format(i, qos)
        expected_back[i] = ("back/a/b n%d %d new"):format(i, qos)
      end
      assert.is_true(one:flush(20) and two:flush(20))
      table.sort(expected_there)
      table.sort(expected_back)
      support.serve_until(function() return #there >= 30 and #back >= 30 end)
      table.sort(there) -- a broker keeps the order within a QoS
      table.sort(back)
      assert.same(expected_there, there)
      assert.same(expected_back, back)
      local stats = one:stats()
      assert.same({ 30, 0, 0 }, { stats.acknowledged, stats.failed, stats.dropped })
    end)

    it("a large message comes whole, over " .. name, function()
      local session, got = connect("large", opts), nil
      assert(session:subscribe("large", 1, function(_, payload) got = payload end))
      local payload = ("0123456789"):rep(30000)
      assert(session:publish("large", payload, { qos = 1 }))
      support.serve_until(function() return got end)
      assert.is_true(got == payload)
    end)
  end

  it("a subscription is granted, ends, and says nothing more", function()
    local session = connect "ends"
    local heard = hear(session, "ends/#", 1)
    assert(session:publish("ends/1", "a", { qos = 1 }))
    comes(heard, { "ends/1 a 1 new" })
    assert(session:unsubscribe("ends/#"))
    local fence = hear(session, "fence", 1)
    assert(session:publish("ends/2", "b", { qos = 1 }))
    assert(session:publish("fence", "c", { qos = 1 }))
    comes(fence, { "fence c 1 new" })
    assert.equal(1, #heard)
  end)

  it("a retained message waits for who comes later, until it is taken back", function()
    local session = connect "keeper"
    assert(session:publish("kept", "old", { qos = 1, retained = true }))
    assert(session:publish("kept", "new", { qos = 1, retained = true }))
    assert.is_true(session:flush(20))
    comes(hear(connect "later", "kept", 1), { "kept new 1 kept" })
    assert(session:publish("kept", "", { qos = 1, retained = true }))
    assert.is_true(session:flush(20))
    local latest = connect "latest"
    local heard = hear(latest, "kept", 1)
    assert(session:publish("kept", "live", { qos = 1 }))
    comes(heard, { "kept live 1 new" })
  end)

  it("a will comes when the link is cut, and not after a goodbye", function()
    local witness = connect "witness"
    local heard = hear(witness, "will/#", 1)
    local function mortal(id)
      return connect(id, { backoff_base = 60, backoff_cap = 60, will = { topic = "will/" .. id, payload = "gone", qos = 1 } })
    end
    mortal("polite"):close()
    mortal "cut"
    assert(witness:publish("kick", "cut", { qos = 1 }))
    comes(heard, { "will/cut gone 1 new" })
  end)

  it("a session that the broker keeps is gone on with", function()
    local session, links = connect("kept", { clean = false, backoff_base = 0.05 }), {}
    session:on("connect", function(link) links[#links + 1] = link end)
    local heard = hear(session, "mine/#", 2)
    local other = connect "other"
    assert(other:publish("kick", "kept", { qos = 1 }))
    for i = 1, 20 do
      assert(session:publish("mine/a", "m" .. i, { qos = 1 + i % 2 }))
      assert(other:publish("mine/b", "n" .. i, { qos = 1 + i % 2 }))
    end
    assert.is_true(session:flush(20) and other:flush(20))
    support.serve_until(function()
      local distinct, count = {}, 0
      for _, text in ipairs(heard) do
        if not distinct[text] then distinct[text], count = true, count + 1 end
      end
      return count == 40
    end)
    support.serve_until(function() return #links >= 2 end)
    assert.is_true(links[2].session_present)
  end)
end)
