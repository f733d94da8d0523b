-- SPDX-License-Identifier: MIT

-- The host's contract, case by case, in a request of a real nginx.
local conformance = require "spec.host.conformance"
local Nginx = require "spec.support.nginx"
local support = require "spec.support.sandbox"

local ACCOUNT = [[
local fogcloud = require "fogcloud"
local M = {}
function M.cloud()
  M.one = M.one or assert(fogcloud.new { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q })
  return M.one
end
function M.session() return assert(M.cloud():open { app_id = %q, devices = { "dev1" } }) end
function M.device()
  return assert(fogcloud.connect({ clientid = "device-dev1", loginname = "dev1", password = "dev1-secret",
    mqtthost = "localhost", sslport = %d }, { ca_file = %q }))
end
return M
]]

describe("the host of nginx", function()
  local sandbox, nginx

  setup(function()
    sandbox = support.start()
    local o = sandbox:options()
    nginx = Nginx.start {
      files = { ["account.lua"] = ACCOUNT:format(o.base_url, o.client_id, o.client_secret, sandbox.ca_file, sandbox.app_id,
        sandbox.tls_port, sandbox.ca_file) },
      server = [[ location / { content_by_lua_block {
        ngx.say(require("spec.host.conformance").run(ngx.var.uri:sub(2), require "account"))
      } } ]],
    }
  end)
  teardown(function()
    nginx:stop()
    sandbox:stop()
  end)

  for _, name in ipairs(conformance.names()) do
    it("keeps its promise: " .. name:gsub("_", " "), function() assert.equal("ok\n", (nginx:get("/" .. name))) end)
  end

  it("leaves no complaint and no folder", function()
    assert.same({}, nginx:complaints())
    assert.equal("", nginx:wake_up_folders())
  end)
end)
