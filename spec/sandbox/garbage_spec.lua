-- SPDX-License-Identifier: MIT

-- Garbage on every port: the sandbox serves others as before, is the same process, and has not grown. FOG_FUZZ_SECONDS
-- makes it longer (a minute in `make test`), FOG_FUZZ_SEED another.
local random = require "spec.support.random"
local socket = require "socket"
local ssl = require "ssl"
local support = require "spec.support.sandbox"

local SECONDS = tonumber(os.getenv("FOG_FUZZ_SECONDS") or 1)

local draw = random.new(tonumber(os.getenv("FOG_FUZZ_SEED") or 20181))
local function below(n) return draw(n) - 1 end

local function one_of(list) return list[1 + below(#list)] end

local function garbage(length)
  local out = {}
  for i = 1, length do out[i] = string.char(below(256)) end
  return table.concat(out)
end

-- What is valid with a few bytes changed, often its beginning alone, or nothing but noise.
local function spoil(sample)
  if below(8) == 0 then return garbage(1 + below(300)) end
  local out = sample:sub(1, below(2) == 0 and #sample or below(#sample + 1))
  for _ = 1, 1 + below(4) do
    local at = 1 + below(#out + 1)
    out = out:sub(1, at - 1) .. garbage(below(3)) .. out:sub(at + below(2))
  end
  return out
end

-- Requests: a method, a path, a body and its media type. What is asked of the control API does no harm, spoilt or not.
local FORM, JSON = "application/x-www-form-urlencoded", "application/json"
local API = "/v3/open_api/"
local REQUESTS = {
  { "POST", API .. "token/", "grant_type=client_credentials&client_id=sandbox-key-id&client_secret=sandbox-key-secret", FORM },
  { "POST", API .. "token/", '{"grant_type":"client_credentials","client_id":"sandbox-key-id",'
    .. '"client_secret":"sandbox-key-secret"}', JSON },
  { "POST", API .. "mqtt/client/", "app_id=sandbox-app", FORM },
  { "POST", API .. "mqtt/client/", '{"app_id":"sandbox-app"}', JSON },
  { "POST", API .. "mqtt/permission/", "client_id=%s&device_id=dev1", FORM },
  { "POST", API .. "mqtt/permission/", '{"client_id":"%s","device_id":"dev1"}', JSON },
  { "DELETE", API .. "mqtt/permission/?client_id=%s&device_id=dev1", "", FORM },
  { "GET", API .. "product/ids/", "", FORM },
  { "GET", "/_sandbox/health", "", JSON }, { "GET", "/_sandbox/info", "", JSON }, { "GET", "/_sandbox/state", "", JSON },
  { "GET", "/_sandbox/journal?endpoint=token", "", JSON }, { "DELETE", "/_sandbox/journal", "", JSON },
  { "POST", "/_sandbox/faults", '{"endpoint":"grant","truncate":5,"retry_after":"7","count":1}', JSON },
  { "POST", "/_sandbox/clock", '{"advance":0,"freeze":false}', JSON },
  { "POST", "/_sandbox/tokens", '{"life":604800,"revoke":"nobody\'s"}', JSON },
  { "POST", "/_sandbox/switches", '{"always_200":false}', JSON },
  { "POST", "/_sandbox/mqtt", '{"kick":"nobody"}', JSON },
  { "GET", "/_sandbox/events", "", JSON }, { "GET", "/_sandbox/timeline?after=5&most=9", "", JSON },
  { "GET", "/_sandbox/spec?as=pytest&upto=50", "", JSON }, { "GET", "/_sandbox/links", "", JSON }, { "GET", "/", "", JSON },
  { "POST", "/_sandbox/grants", '{"client_id":"%s","device_id":"dev1"}', JSON },
  { "POST", "/_sandbox/play", '{"device":"dev1","on":true}', JSON },
  { "POST", "/_sandbox/report", '{"device":"dev1","channel":"x","payload":"{}","qos":1,"retain":false}', JSON },
  { "POST", "/_sandbox/publish", '{"topic":"c2d/dev1/x","payload":"on","qos":2}', JSON },
  { "POST", "/_sandbox/seed", '{"accounts":[{"client_id":"more","client_secret":"s","apps":["a"],"products":[{"productid":"p",'
    .. '"pname":"n"}],"devices":[{"id":"d","password":"w","productid":"p"}]}]}', JSON },
}

local function request_text(request, body, token, client)
  local method, path, media = request[1], request[2]:gsub("%%s", client), request[4]
  body = body:gsub("%%s", client)
  return ("%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"):format(
    method, path, token, media, #body) .. body
end

-- Connections: what a device says first, and what afterwards.
local function text(s) return string.char(0, #s) .. s end
local function packet(first, body) return string.char(first, #body) .. body end
local function connect(level, properties)
  return packet(16, text "MQTT" .. string.char(level) .. "\194\0\60" .. properties .. text "bare" .. text "dev1" .. text "dev1-secret")
end
local function talk(properties)
  return packet(130, "\0\1" .. properties .. text "c2d/dev1/#" .. "\1") -- SUBSCRIBE
    .. packet(50, text "d2c/dev1/x" .. "\0\2" .. properties .. "one") -- PUBLISH, QoS 1
    .. packet(52, text "d2c/dev1/x" .. "\0\3" .. properties .. "two") -- QoS 2, and its PUBREL
    .. "\98\2\0\3" .. packet(162, "\0\4" .. properties .. text "c2d/dev1/#") .. "\192\0" -- UNSUBSCRIBE, PINGREQ
end
local TALKS = {
  { connect(4, ""), talk "", "\32\2\0\0", "\144\3\0\1\1\64\2\0\2\80\2\0\3\112\2\0\3\176\2\0\4\208\0" },
  { connect(5, "\0"), talk "\0", "\32", false },
}

describe("garbage", function()
  local sandbox

  setup(function() sandbox = support.start { mqtt_faults = true } end)
  teardown(function() sandbox:stop() end)

  local function dial(port)
    local peer = assert(socket.connect("127.0.0.1", ("%d"):format(port)))
    peer:settimeout(10)
    return peer
  end

  local function dial_tls()
    local peer = assert(ssl.wrap(dial(sandbox.tls_port), { mode = "client", protocol = "any", verify = "peer",
      cafile = sandbox.ca_file }))
    peer:settimeout(10)
    assert(peer:dohandshake())
    return peer
  end

  local function assert_serves()
    sandbox:reset() -- what got through may have set a fault, or moved the clock
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
    local out = support.shell(("ps -o rss=,comm= -p %d --ppid %d"):format(sandbox.pid, sandbox.pid))
    local total, n = 0, 0
    for kilobytes in out:gmatch("(%d+) %S+") do total, n = total + tonumber(kilobytes), n + 1 end
    assert.equal(2, n, out) -- daemon and broker
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

  -- The status of a request that is complete, whatever its body.
  local function status_of(request, body, token, client)
    local peer = dial(sandbox.url:match(":(%d+)$"))
    assert(peer:send(request_text(request, body, token, client)))
    local line, why = peer:receive("*l")
    peer:close()
    return assert(line, ("%s %q: %s"):format(request[2], body, tostring(why))):match("^HTTP/1.1 (%d+)")
  end

  it("on the API's port harms nobody, and is no internal error", function()
    local cloud = support.cloud(sandbox)
    local token, client = assert(cloud:token()), support.client(sandbox, cloud).clientid
    for _, request in ipairs(REQUESTS) do assert.equal("200", status_of(request, request[3], token, client), request[2]) end
    storm(function()
      local request = one_of(REQUESTS)
      if below(2) == 0 then
        local body = spoil(request[3])
        assert.is_true(status_of(request, body, token, client) ~= "500", request[2] .. " " .. body)
      else
        local peer = dial(sandbox.url:match(":(%d+)$"))
        peer:send(spoil(request_text(request, request[3], token, client))) -- may fail: closing early is an answer, too
        peer:close()
      end
    end)
  end)

  it("on the broker's ports harms nobody, before a login and after it", function()
    local function log_in(peer, sample)
      assert(peer:send(sample[1]))
      assert.equal(sample[3], peer:receive(#sample[3]))
      return peer
    end
    for _, peer in ipairs { dial(sandbox.mqtt_port), dial_tls() } do
      log_in(peer, TALKS[1]):send(TALKS[1][2])
      assert.equal(TALKS[1][4], peer:receive(#TALKS[1][4]))
      peer:close()
    end
    storm(function()
      local sample = one_of(TALKS)
      local ways = { function() return dial(sandbox.mqtt_port), sample[1] .. sample[2] end,
        function() return dial(sandbox.tls_port), sample[1] end,
        function() return log_in(dial(sandbox.mqtt_port), sample), sample[2] end,
        function() return log_in(dial_tls(), sample), sample[2] end }
      local peer, bytes = one_of(ways)()
      peer:send(spoil(bytes))
      peer:close()
    end)
  end)
end)
