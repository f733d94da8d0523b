-- SPDX-License-Identifier: MIT

--- examples/openresty/ as it stands, with a sandbox behind it.
local Nginx = require "spec.support.nginx"

local gateway = {}

--- Starts it; it serves once every worker has its session.
---@param sandbox fogcloud.Sandbox
---@param workers integer
---@return table nginx
function gateway.start(sandbox, workers)
  local account = sandbox:options()
  local nginx = Nginx.start {
    config = Nginx.example("examples/openresty/nginx.conf", workers), prefix = Nginx.root,
    environment = {
      FOGCLOUD_BASE_URL = account.base_url, FOGCLOUD_CA_FILE = sandbox.ca_file, FOGCLOUD_APP_ID = sandbox.app_id,
      FOGCLOUD_CLIENT_ID = account.client_id, FOGCLOUD_CLIENT_SECRET = account.client_secret,
      GATEWAY_DEVICES = "dev1,dev2",
    },
  }
  return nginx
end

return gateway
