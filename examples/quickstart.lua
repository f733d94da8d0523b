-- SPDX-License-Identifier: MIT
-- The main job, end to end. Start a sandbox, export what it prints, then: lua examples/quickstart.lua
local fogcloud = require "fogcloud"
local sandbox = assert(require("fogcloud.sandbox").attach()) -- stands in for devices; nothing else here needs it

-- Where and who comes from FOGCLOUD_BASE_URL, FOGCLOUD_CLIENT_ID, FOGCLOUD_CLIENT_SECRET, FOGCLOUD_CA_FILE.
local cloud = assert(fogcloud.new {})

print("products:")
for _, product in ipairs(assert(cloud:products())) do print("  " .. product.productid, product.pname) end

local credentials = assert(cloud:create_client(os.getenv("FOGCLOUD_APP_ID")))
print(("client %s, password [redacted], broker %s:%d"):format(credentials.clientid, credentials.mqtthost,
  credentials.sslport))

for _, id in ipairs { "dev1", "dev2" } do
  assert(cloud:grant(credentials.clientid, id))
  print("granted " .. id)
end

fogcloud.spawn(function() -- a task: what waits, yields
  local session = assert(cloud:connect(credentials)) -- TLS; certificate and host name are checked
  print("connected over TLS")

  local heard = {}
  assert(session:subscribe("d2c/+/status", 1, function(topic, payload)
    print("  heard", topic, payload)
    heard[topic:match("d2c/(.-)/")] = payload
  end))
  local function wait_for(id)
    while not heard[id] do fogcloud.sleep(0.01) end
  end

  -- Two devices with accounts of their own at the broker. The first obeys commands.
  local lamp, meter = assert(sandbox:device("dev1")), assert(sandbox:device("dev2"))
  assert(lamp:on_command(function(command)
    print("  dev1 obeys", command.power)
    lamp:report("status", { power = command.power })
  end))
  assert(lamp:report("status", { power = "off" }))
  wait_for("dev1")

  heard = {}
  assert(session:device("dev1"):send("commands", { power = "on" }))
  wait_for("dev1")

  assert(cloud:revoke(credentials.clientid, "dev1"))
  print("revoked dev1: it reports, and only dev2 is heard")
  heard = {}
  assert(lamp:report("status", { power = "unheard" }))
  assert(meter:report("status", { watts = 7 }))
  wait_for("dev2")
  assert(heard.dev1 == nil)

  lamp:close()
  meter:close()
  session:close()
end)
fogcloud.run() -- until the task has ended and every session is closed
print("done")
