-- SPDX-License-Identifier: MIT

local script = require "spec.support.script"
local support = require "spec.support.sandbox"

it("the quickstart does the main job and shows no secret", function()
  local sandbox = support.start()
  finally(function() sandbox:stop() end)
  local environment = ("env FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s FOGCLOUD_CLIENT_SECRET=%s FOGCLOUD_CA_FILE=%s FOGCLOUD_APP_ID=%s")
    :format(sandbox.url, sandbox.account.client_id, sandbox.account.client_secret, sandbox.ca_file, sandbox.app_id)
  local output, status = support.shell(("%s timeout 30 %s examples/quickstart.lua"):format(environment, script.interpreter()))
  assert.equal(0, status, output)
  for _, line in ipairs { "prod%-lamp", "granted dev2", "connected over TLS", "dev1 obeys%s+on", "heard%s+d2c/dev2/status", "done\n*$" } do
    assert.matches(line, output)
  end
  assert.is_nil(output:find("unheard", 1, true) and output:find('heard%s+d2c/dev1/status%s+{"power":"unheard"}'))
  assert.is_nil(output:find("key%-secret"))
end)
