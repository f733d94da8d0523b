-- SPDX-License-Identifier: MIT

-- Every adapter keeps the host's contract, in its real loop and beside the loop's own timers and sockets.
local support = require "spec.support.sandbox"

local RUNS = {
  { host = "plain", lua = "lua5.4" }, { host = "plain", lua = "luajit" },
  { host = "cqueues", lua = "lua5.4" }, { host = "cqueues", lua = "luajit" },
  { host = "luv", lua = "lua5.4" }, { host = "luv", lua = "luajit" },
  { host = "luv", lua = "luajit", title = "luv in Neovim",
    command = [[sh -c 'nvim --clean --headless -n -c "lua arg = { \"$1\", \"$2\" }" -c "luafile $0" -c "qa!"']] },
}

local SETTINGS = [[return {
  options = { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q }, app_id = %q, ca_file = %q,
  device = { clientid = "device-dev1", loginname = "dev1", password = "dev1-secret", mqtthost = "localhost",
    sslport = %d },
}
]]

describe("the contract of hosts", function()
  local sandbox, settings

  setup(function()
    sandbox = support.start()
    local o = sandbox:options()
    settings = os.tmpname()
    local file = assert(io.open(settings, "w"))
    file:write(SETTINGS:format(o.base_url, o.client_id, o.client_secret, sandbox.ca_file, sandbox.app_id,
      sandbox.ca_file, sandbox.tls_port))
    file:close()
  end)
  teardown(function()
    os.remove(settings)
    sandbox:stop()
  end)

  for _, run in ipairs(RUNS) do
    it(("is kept by %s on %s"):format(run.title or run.host, run.lua), function()
      local text, code = support.shell(("make -s build LUA=%s >/dev/null && lua=%s && . scripts/env.sh && "
        .. "timeout 90 %s spec/host/conformance_main.lua %s %s")
        :format(run.lua, run.lua, run.command or run.lua, run.host, settings))
      local kept = select(2, text:gsub("[%w_]+: ok%f[^%w]", ""))
      assert(code == 0 and kept == 10, text)
      if run.host == "plain" then return end
      local beats, echoes = tonumber(text:match("beats (%d+)")), tonumber(text:match("echoes (%d+)"))
      assert(beats >= 20 and echoes >= 20, text)
    end)
  end
end)
