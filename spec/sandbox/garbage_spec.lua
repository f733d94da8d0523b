-- SPDX-License-Identifier: MIT

-- Garbage on every port: the sandbox and its broker go on serving. FOG_FUZZ_ROUNDS makes it as long as one likes.
local socket = require "socket"
local support = require "spec.support.sandbox"

local ROUNDS = tonumber(os.getenv("FOG_FUZZ_ROUNDS")) or 150

-- The same garbage at every run.
local state = 20180807
local function random(n)
  state = (state * 48271) % 2147483647
  return state % n
end

local function garbage(n)
  local bytes = {}
  for i = 1, n do bytes[i] = string.char(random(256)) end
  return table.concat(bytes)
end

-- A good message with some bytes changed, and perhaps cut.
local function spoil(text)
  for _ = 1, 1 + random(6) do
    local at = 1 + random(#text)
    text = text:sub(1, at - 1) .. string.char(random(256)) .. text:sub(at + 1)
  end
  return random(3) == 0 and text:sub(1, 1 + random(#text)) or text
end

local REQUESTS = {
  "POST /v3/open_api/token/ HTTP/1.1\r\nHost: x\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials",
  "DELETE /v3/open_api/mqtt/permission/?client_id=a&device_id=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
  "POST /_sandbox/faults HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[[[[{\"a\":",
}
local PACKETS = {
  "\16\36\0\4MQTT\4\194\0\60\0\4fuzz\0\4dev1\0\11dev1-secret\130\8\0\1\0\3c2d\0",
  "\16\17\0\4MQTT\5\2\0\60\0\0\4fuzz\48\7\0\3a/bxy",
}

local function throw(port, text)
  local peer = assert(socket.connect("127.0.0.1", ("%d"):format(port)))
  peer:send(text)
  peer:settimeout(0)
  peer:receive(1)
  peer:close()
end

local function throw_all(port, samples)
  for i = 1, ROUNDS do
    throw(port, i % 4 == 0 and garbage(1 + random(300)) or spoil(samples[1 + random(#samples)]))
  end
end

local function assert_serves(sandbox)
  local health, all = sandbox:health()
  assert.is_true(health.http and health.store and health.broker and all)
  assert.equal(2, #assert(support.cloud(sandbox):products()))
  local command = "mosquitto_pub -h localhost -p %d --cafile %s -i g -u dev1 -P dev1-secret -q 1 -t d2c/dev1/x -m x"
  assert.equal(0, select(2, support.shell(command:format(sandbox.tls_port, sandbox.ca_file))))
end

for _, relayed in ipairs { false, true } do
  describe(relayed and "garbage, by way of the relay," or "garbage", function()
    local sandbox

    setup(function() sandbox = support.start { mqtt_faults = relayed } end)
    teardown(function() sandbox:stop() end)

    it("over HTTP does not hurt", function()
      throw_all(sandbox.url:match(":(%d+)$"), REQUESTS)
      sandbox:reset() -- by chance a fault may have been asked for
      assert_serves(sandbox)
    end)

    it("over MQTT, plain and TLS, does not hurt", function()
      throw_all(sandbox.mqtt_port, PACKETS)
      throw_all(sandbox.tls_port, PACKETS)
      assert_serves(sandbox)
    end)
  end)
end
