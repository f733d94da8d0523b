-- SPDX-License-Identifier: MIT

-- Garbage on every port: the sandbox serves others as before, is the same process, and has not grown. FOG_FUZZ_SECONDS
-- makes it longer (a minute in `make test`), FOG_FUZZ_SEED another.
local socket = require "socket"
local support = require "spec.support.sandbox"

local SECONDS = tonumber(os.getenv("FOG_FUZZ_SECONDS") or 1)

-- Park and Miller's generator: the same garbage on every Lua.
local state = tonumber(os.getenv("FOG_FUZZ_SEED") or 20181)
local function below(n)
  state = (state * 48271) % 2147483647
  return state % n
end

local function garbage(length)
  local out = {}
  for i = 1, length do out[i] = string.char(below(256)) end
  return table.concat(out)
end

local HTTP = "POST /v3/open_api/token/ HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\ngrant_type=client_cr"
local MQTT = "\16\30\0\4MQTT\4\194\0\60\0\4bare\0\4dev1\0\4dev1\50\8\0\3d2c\0\7x"

-- A valid beginning with a few bytes changed, or nothing but noise.
local function spoil(sample)
  if below(4) == 0 then return garbage(1 + below(300)) end
  local out = sample:sub(1, 1 + below(#sample))
  for _ = 1, 1 + below(4) do
    local at = 1 + below(#out)
    out = out:sub(1, at - 1) .. garbage(below(3)) .. out:sub(at + 1) .. " "
  end
  return out
end

describe("garbage", function()
  local sandbox

  setup(function() sandbox = support.start { mqtt_faults = true } end)
  teardown(function() sandbox:stop() end)

  local function throw(port, sample)
    local peer = assert(socket.connect("127.0.0.1", ("%d"):format(port)))
    peer:settimeout(5)
    peer:send(spoil(sample)) -- may fail: closing early is an answer, too
    peer:close()
  end

  local function assert_serves()
    local health, fine = sandbox:health()
    assert.is_true(fine)
    assert.is_true(health.http and health.store and health.broker)
    assert.equal(2, #assert(support.cloud(sandbox):products()))
    local said, status = support.shell(("mosquitto_pub -h 127.0.0.1 -p %d -i after -u dev1 -P dev1-secret -q 1 "
      .. "-t d2c/dev1/status -m x"):format(sandbox.mqtt_port))
    assert.equal(0, status, said)
  end

  -- Resident kilobytes of the daemon (with its relay) and of the broker.
  local function memory()
    local text = support.shell(("ps -o rss=,comm= -p %d --ppid %d"):format(sandbox.pid, sandbox.pid))
    local total, n = 0, 0
    for kilobytes in text:gmatch("(%d+) %S+") do total, n = total + tonumber(kilobytes), n + 1 end
    assert.equal(2, n, text) -- daemon and broker
    return total
  end

  -- Throws for so long; what it grows by in the second half is a leak.
  local function storm(throw_one)
    local thrown, start, settled = 0, socket.gettime(), nil
    while socket.gettime() - start < SECONDS or thrown < 150 do
      for _ = 1, 50 do throw_one() end
      thrown = thrown + 50
      if settled == nil and socket.gettime() - start > SECONDS / 2 then settled = memory() end
    end
    assert_serves()
    local grown = memory() - (settled or memory())
    local bound = os.getenv("FOG_LUA") and 131072 or 8192 -- a sanitizer keeps what is freed for a while
    assert.is_true(SECONDS < 30 or grown < bound, ("%d kB more after %d samples"):format(grown, thrown))
  end

  it("on the API's port harms nobody", function()
    local port = tonumber(sandbox.url:match(":(%d+)$"))
    storm(function() throw(port, HTTP) end)
  end)

  it("on the broker's ports harms nobody", function()
    storm(function()
      throw(sandbox.mqtt_port, MQTT)
      throw(sandbox.tls_port, MQTT)
    end)
  end)
end)
