-- SPDX-License-Identifier: MIT

-- A frame loop in a small state: what a frame leaves behind, and how much heap and stack it takes.
local embed = require "spec.support.embed"
local support = require "spec.support.sandbox"

local STACK_KB, HEAP_KB = 64, 1024

describe("frames in a state of 1 MiB, on a stack of 64 KiB", function()
  local sandbox, folder, ca_pem

  embed.beside_sandbox(function(...) sandbox, folder, ca_pem = ... end)

  -- A sanitizer's code takes more of a stack.
  local stack = (os.getenv "SANITIZE" or "") == "" and STACK_KB or 1024

  for _, lua in ipairs { "lua5.4", "luajit", "lua5.1" } do
    it("leave no garbage while nothing happens, on " .. lua, function()
      local made = embed.make(lua, folder .. "/" .. lua)
      local host = embed.link(lua, made, "spec/support/measured_host.c", made .. "/host", "-D_GNU_SOURCE")
      local o = sandbox:options()
      local said, code = support.shell(("timeout 60 %s %d %d bench/embed_frames.lua 30 %s %s %s %s '%s'"):format(host, stack,
        HEAP_KB, o.base_url, o.client_id, o.client_secret, sandbox.app_id, ca_pem))
      assert.equal(0, code, said)
      local value = {}
      for name, number in said:gmatch "([%w_]+)\t(%S+)" do value[name] = tonumber(number) end
      assert.equal(0, value.idle_bytes, said)
      assert.is_true(value.preload_bytes < 32768, said) -- no module is compiled by it
      assert.is_true(value.most_bytes <= HEAP_KB * 1024, said)
    end)
  end
end)
