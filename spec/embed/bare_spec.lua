-- SPDX-License-Identifier: MIT

-- States from which a program has taken what reaches outside of them.
local conformance = require "spec.host.conformance"
local embed = require "spec.support.embed"
local support = require "spec.support.sandbox"

describe("a state without os, io, debug, package, load and with strict globals", function()
  local sandbox, folder, ca_pem

  embed.beside_sandbox(function(...) sandbox, folder, ca_pem = ... end)

  for _, lua in ipairs { "lua5.4", "luajit", "lua5.1", "lua5.2", "lua5.3" } do
    it("keeps the contract of the plain host, reads files and tells of errors, on " .. lua, function()
      local made = embed.make(lua, folder .. "/" .. lua)
      local host = embed.link(lua, made, "spec/support/bare_host.c", made .. "/host")
      local o = sandbox:options()
      -- Each of these would be a complaint, were it looked at.
      local surroundings = "FOGCLOUD_BASE_URL=nonsense FOGCLOUD_MQTT_DRIVER=nonsense FOGCLOUD_LOG=debug HOME=/nonexistent"
      local said, code = support.shell(("env %s timeout 90 %s spec/support/bare_main.lua spec/host/conformance.lua "
        .. "'%s' '%s' '%s' '%s' '%s' %d %s %s"):format(surroundings, host, o.base_url, o.client_id, o.client_secret, ca_pem,
        sandbox.app_id, sandbox.tls_port, sandbox.ca_file, made .. "/kept"))
      local kept = select(2, said:gsub("[%w_]+: ok%f[^%w]", ""))
      assert(code == 0 and kept == #conformance.names() + 2, said)
      assert.is_nil(said:find("fogcloud debug", 1, true), said)
    end)
  end
end)
