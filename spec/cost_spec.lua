-- SPDX-License-Identifier: MIT

-- What a message may cost, and what is loaded when: counted, not timed.
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local socket = require "socket"
local support = require "spec.support.sandbox"

local MESSAGES = 10000
local MOST = 10 * MESSAGES -- bytes; a table, a closure or a string of 100 bytes for each message is more

describe("a message received", function()
  local sandbox, session, device
  local topic = "d2c/dev1/" .. ("x"):rep(100) -- too long to be interned by Lua 5.3 and 5.4

  setup(function()
    sandbox = support.start()
    local cloud = support.cloud(sandbox)
    session = assert(cloud:connect(support.client(sandbox, cloud, { "dev1" }), { tls = false, in_count = 2 * MESSAGES }))
    device = assert(fogcloud.connect(support.device_credentials(sandbox, "dev1"), { tls = false, out_count = 2 * MESSAGES }))
  end)
  teardown(function()
    collectgarbage "restart"
    device:close()
    session:close()
    fogcloud.run()
    sandbox:stop()
  end)

  -- What Lua's memory grows by, in bytes, while MESSAGES of one topic and one payload are handled.
  local function growth(publish_qos, handled)
    local from = handled()
    for _ = 1, MESSAGES do assert(device:publish(topic, "on", { qos = publish_qos })) end
    local deadline = socket.gettime() + 60
    while session:stats().inbox < MESSAGES do
      assert(socket.gettime() < deadline, "the messages did not come")
      socket.sleep(0.01)
    end
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    support.serve_until(function() return handled() == from + MESSAGES end)
    local grown = (collectgarbage "count" - before) * 1024
    collectgarbage "restart"
    return grown
  end

  for qos = 0, 1 do
    it("of QoS " .. qos .. " costs no memory but that of new strings, and a topic that repeats is none", function()
      local count = 0
      assert(session:subscribe("d2c/dev1/#", qos, function() count = count + 1 end))
      local function handled() return count end
      growth(qos, handled) -- whatever is made once
      assert.is_true(growth(qos, handled) < MOST)
      assert.equal(2 * MESSAGES, count)
      session:unsubscribe "d2c/dev1/#"
    end)
  end
end)

describe("a session that is idle", function()
  local SESSIONS = 30
  -- Bytes of Lua's own memory: tables and coroutines are larger in some.
  local LARGER = { ["Lua 5.1"] = 21000, ["Lua 5.2"] = 17000 }
  local BOUND = not rawget(_G, "jit") and LARGER[_VERSION] or 13800

  it("takes little memory", function()
    local sandbox = support.start()
    finally(function() sandbox:stop() end)
    local cloud, sessions, each = support.cloud(sandbox), {}, nil
    local function connect(many)
      local credentials = {}
      for i = 1, many do credentials[i] = support.client(sandbox, cloud, { "dev1" }) end
      collectgarbage() collectgarbage()
      local before = collectgarbage "count"
      for i = 1, many do sessions[#sessions + 1] = assert(fogcloud.connect(credentials[i], { tls = false })) end
      collectgarbage() collectgarbage()
      each = (collectgarbage "count" - before) * 1024 / many
    end
    connect(2) -- whatever is made once
    connect(SESSIONS)
    for _, session in ipairs(sessions) do session:close() end
    fogcloud.run()
    assert.is_true(each < BOUND, ("%.0f bytes"):format(each))
  end)
end)

describe("require 'fogcloud'", function()
  -- Each in a process of its own: what is loaded of fogcloud after `code`.
  local function loaded(code)
    local text, status = script.run(([[
      local fogcloud = require "fogcloud"
      %s
      for name in pairs(package.loaded) do
        if name:find "^fogcloud" then print(name) end
      end
      os.exit(0)]]):format(code))
    assert.equal(0, status, text)
    local names = {}
    for name in text:gmatch "%S+" do names[name] = true end
    assert.is_true(names.fogcloud)
    return names
  end

  it("loads what it stands on, and no more", function()
    local names = loaded ""
    for name in pairs(names) do
      for _, part in ipairs { "api", "mqtt", "store", "log", "config", "cli", "sandbox" } do
        assert.is_nil(name:find("^fogcloud%." .. part .. "%f[.%z]"), name)
      end
      if not name:find "^fogcloud%.task%." then assert.is_nil(name:find "^fogcloud%.[^.]+%.", name) end
    end
  end)

  it("loads no MQTT for a cloud, and no journal, command line or sandbox ever", function()
    local names = loaded [[fogcloud.new { base_url = "http://127.0.0.1:1", client_id = "a", client_secret = "b" }]]
    assert.is_true(names["fogcloud.api.cloud"])
    for name in pairs(names) do
      for _, part in ipairs { "mqtt.session", "mqtt.keeper", "mqtt.handlers", "mqtt.router", "mqtt.journal", "cli", "sandbox" } do
        assert.is_nil(name:find("fogcloud." .. part, 1, true), name)
      end
    end
  end)
end)
