-- SPDX-License-Identifier: MIT

--- A sandbox for a spec file and what its specs do with it again and again.
local fogcloud = require "fogcloud"
local sandboxes = require "fogcloud.sandbox"

local support = {}

function support.start(options)
  options = options or {}
  options.lua = options.lua or os.getenv("FOG_LUA")
  return sandboxes.start(options)
end

--- A cloud of the sandbox's account; `more` overrides options.
function support.cloud(sandbox, more)
  local options = sandbox:options()
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(fogcloud.new(options))
end

--- Credentials of a new client with permission on these devices.
function support.client(sandbox, cloud, devices)
  local credentials = assert(cloud:create_client(sandbox.app_id))
  for _, id in ipairs(devices or {}) do assert(cloud:grant(credentials.clientid, id)) end
  return credentials
end

--- What a device of the seed logs in with.
function support.device_credentials(sandbox, id)
  return {
    clientid = "device-" .. id, loginname = id, password = id .. "-secret", mqtthost = "localhost",
    mqttport = sandbox.mqtt_port, sslport = sandbox.tls_port,
  }
end

--- Serves handlers until `done()` is true; an error after `seconds` (20).
function support.serve_until(done, seconds)
  local core = require "fogcloud.core"
  local deadline = core.now() + (seconds or 20)
  while not done() do
    assert(core.now() < deadline, "it did not happen in time")
    fogcloud.step(0.05)
  end
end

--- Runs a shell command: what it printed (both streams) and its exit code.
function support.shell(command)
  local pipe = assert(io.popen(("(%s\n) 2>&1; s=$?; echo; echo $s"):format(command), "r"))
  local text, status = pipe:read("*a"):match("^(.*)\n(%d+)\n$")
  pipe:close()
  return text, tonumber(status)
end

--- The identity that holds at every moment.
support.assert_identity = require("spec.support.identity").check

return support
