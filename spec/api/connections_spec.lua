-- SPDX-License-Identifier: MIT

--- Which connections the calls go over: few, kept, and with HTTP/2 one for all.
local Nginx = require "spec.support.nginx"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local socket = require "socket"
local support = require "spec.support.sandbox"

-- How many connections the sandbox saw these requests on.
local function connections(entries)
  local seen, count = {}, 0
  for _, entry in ipairs(entries) do
    if not seen[entry.connection] then
      seen[entry.connection] = true
      count = count + 1
    end
  end
  return count
end

describe("the connections of the calls", function()
  local sandbox, cloud

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    sandbox:reset()
    cloud = support.cloud(sandbox)
  end)

  it("are one for calls that follow each other", function()
    for _ = 1, 20 do assert(cloud:products()) end
    local entries = sandbox:journal {}
    assert.equal(21, #entries) -- the token too
    assert.equal(1, connections(entries))
  end)

  it("are a pool for ten thousand grants, and the memory of Lua does not grow with them", function()
    local ids = {}
    for i = 1, 10000 do ids[i] = "dev" .. i % 2 + 1 end
    local client = assert(cloud:create_client(sandbox.app_id))
    assert(cloud:grant_all(client.clientid, { "dev1" }))
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    local results = assert(cloud:grant_all(client.clientid, ids))
    collectgarbage()
    collectgarbage()
    assert.equal(10000, #results)
    local grown = collectgarbage "count" - before
    assert.is_true(grown < 500, ("%.0f KB more, of which the results are a part"):format(grown))
    local entries = sandbox:journal { endpoint = "grant" }
    assert.equal(10001, #entries)
    assert.is_true(connections(entries) <= 64, connections(entries) .. " connections")
  end)

  -- libcurl 8.14 alone would close all but a few of them again and again, and make 400.
  it("are sixteen for three thousand grants, sixteen at a time", function()
    local ids = {}
    for i = 1, 3000 do ids[i] = "dev" .. i % 2 + 1 end
    local client = assert(cloud:create_client(sandbox.app_id))
    assert.equal(3000, #assert(cloud:grant_all(client.clientid, ids, { concurrency = 16 })))
    local entries = sandbox:journal { endpoint = "grant" }
    assert.equal(3000, #entries)
    assert.equal(16, connections(entries))
  end)
end)

describe("HTTP/2", function()
  local nginx, port

  setup(function()
    local probe = assert(socket.bind("127.0.0.1", 0))
    port = select(2, probe:getsockname())
    probe:close()
    local folder = support.shell("mktemp -d"):match("%S+")
    local command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout %s/key.pem "
      .. "-out %s/cert.pem -addext subjectAltName=DNS:localhost"
    local said, status = support.shell(command:format(folder, folder))
    assert.equal(0, status, said)
    local function text(name) return assert(io.open(folder .. "/" .. name)):read("*a") end
    nginx = Nginx.start {
      files = { ["cert.pem"] = text "cert.pem", ["key.pem"] = text "key.pem" },
      http = ([[
        log_format seen "$server_protocol $connection $uri";
        server {
          listen 127.0.0.1:%d ssl http2;
          ssl_certificate $folder/cert.pem;
          ssl_certificate_key $folder/key.pem;
          access_log $folder/seen.log seen;
          default_type application/json;
          location ~ /token/ {
            return 200 '{"meta":{"message":"","code":0},"data":{"access_token":"t","token_type":"Bearer","expires_in":99}}';
          }
          location / {
            return 200 '{"meta":{"message":"","code":0},"data":{"client_id":"c","device_id":"dev1"}}';
          }
        }
      ]]):format(port),
    }
    os.execute("rm -r " .. folder)
  end)
  teardown(function() nginx:stop() end)

  -- How many connections nginx saw these requests on, once all of them are in its log.
  local function seen_on(uri, expected)
    local lines, seen, count = 0, {}, 0
    nginx:wait_for("its log", function()
      lines, seen, count = 0, {}, 0
      for line in io.lines(nginx.folder .. "/seen.log") do
        local protocol, connection, asked = line:match("^(%S+) (%d+) (/.*)$")
        if asked:find(uri, 1, true) == 1 then
          assert.equal("HTTP/2.0", protocol)
          lines, count = lines + 1, seen[connection] and count or count + 1
          seen[connection] = true
        end
      end
      return lines == expected
    end)
    return count
  end

  it("carries all calls of a moment over one connection", function()
    local cloud = assert(fogcloud.new {
      base_url = "https://localhost:" .. port, client_id = "id", client_secret = "secret",
      ca_file = nginx.folder .. "/cert.pem",
    })
    assert(cloud:token())
    local done = 0
    for _ = 1, 64 do
      fogcloud.spawn(function()
        assert(cloud:grant("c", "dev1"))
        done = done + 1
      end)
    end
    fogcloud.run()
    assert.equal(64, done)
    assert.equal(1, seen_on("/v3/", 65))
  end)

  for _, how in ipairs { "inline", "background" } do
    it("carries the first calls of all over one connection, with a token that was kept, " .. how, function()
      local engine = assert(core.engine())
      if how == "background" then assert.is_true(engine:background()) end
      local opts = {
        base_url = ("https://localhost:%d/%s"):format(port, how), token = "t", ca_file = nginx.folder .. "/cert.pem",
      }
      for _ = 1, 64 do assert(engine:products(opts, {})) end
      local replies, deadline = 0, core.now() + 20
      while replies < 64 and core.now() < deadline do
        engine:wait(1)
        for name in function() return engine:next() end do
          assert.equal("reply", name)
          replies = replies + 1
        end
      end
      engine:close()
      assert.equal(64, replies)
      assert.equal(1, seen_on("/" .. how, 64))
    end)
  end
end)
