-- SPDX-License-Identifier: MIT

-- Every adapter keeps the host's contract, in its real loop and beside the loop's own timers and sockets.
local conformance = require "spec.host.conformance"
local pages = require "spec.support.pages"
local support = require "spec.support.sandbox"

local RUNS = {
  { host = "luv", lua = "luajit", title = "luv in Neovim #neovim",
    command = [[sh -c 'nvim --clean --headless -n -c "lua arg = { \"$1\", \"$2\" }" -c "luafile $0" -c "qa!"']] },
}
for _, lua in ipairs { "lua5.4", "luajit", "lua5.1", "lua5.2", "lua5.3" } do
  for _, host in ipairs { "plain", "cqueues", "luv" } do RUNS[#RUNS + 1] = { host = host, lua = lua } end
end
for _, lua in ipairs { "lua5.4", "luajit" } do
  RUNS[#RUNS + 1] = { host = "plain", lua = lua, loop = "frames", title = "plain, frame by frame," }
end
-- The example of docs/writing-a-host.md, saved where it says. lgi is there for no other Lua.
for _, lua in ipairs { "lua5.1", "lua5.2", "lua5.3" } do
  RUNS[#RUNS + 1] = { host = "glib", lua = lua, command = "env LUA_PATH=$EXAMPLE/?.lua\\;\"$LUA_PATH\" " .. lua }
end
-- Debian's Copas is too old. COPAS_PATH finds another one and what it needs, as LUA_PATH would.
local copas_path = os.getenv "COPAS_PATH"
if copas_path then
  for _, lua in ipairs { "lua5.4", "luajit", "lua5.1", "lua5.3" } do
    RUNS[#RUNS + 1] = { host = "copas", lua = lua, command = ("env LUA_PATH='%s;'\"$LUA_PATH\" %s"):format(copas_path, lua) }
  end
end

-- A sanitizer is loaded by one interpreter.
local sanitized = os.getenv "FOG_LUA"
if sanitized then
  RUNS = {}
  for _, host in ipairs { "plain", "cqueues", "luv" } do
    RUNS[#RUNS + 1] = { host = host, lua = os.getenv("lua") or "lua5.4", command = sanitized }
  end
end

local SETTINGS = [[return {
  options = { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q }, app_id = %q, ca_file = %q,
  device = { clientid = "device-dev1", loginname = "dev1", password = "dev1-secret", mqtthost = "localhost",
    sslport = %d },
}
]]

describe("the contract of hosts", function()
  local sandbox, settings, example

  setup(function()
    example = support.shell("mktemp -d"):match "%S+"
    support.shell(("mkdir -p %s/fogcloud/host"):format(example))
    for _, block in ipairs(pages.blocks "docs/writing-a-host.md") do
      if block.language == "lua" then
        local file = assert(io.open(example .. "/fogcloud/host/glib.lua", "w"))
        file:write(block.text)
        file:close()
      end
    end
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
    support.shell("rm -r " .. example)
    sandbox:stop()
  end)

  for _, run in ipairs(RUNS) do
    it(("is kept by %s on %s"):format(run.title or run.host, run.lua), function()
      local text, code = support.shell(("make -s build LUA=%s >/dev/null && lua=%s && . scripts/env.sh && "
        .. "EXAMPLE=%s; timeout 90 %s spec/host/conformance_main.lua %s %s %s")
        :format(run.lua, run.lua, example, run.command or run.lua, run.host, settings, run.loop or ""))
      local kept = select(2, text:gsub("[%w_]+: ok%f[^%w]", ""))
      assert(code == 0 and kept == #conformance.names(), text)
      if run.host == "plain" then return end
      local long = 0
      for case, ms, beats, echoes in text:gmatch "([%w_]+): ok; (%d+) ms, (%d+) beats, (%d+) echoes" do
        if tonumber(ms) >= 100 then -- whatever waits so long has let the loop turn
          assert(tonumber(beats) > 0 and tonumber(echoes) > 0, case .. "\n" .. text)
          long = long + 1
        end
      end
      assert(long > 2, text)
    end)
  end

  it("is kept by plain outside of tasks, where the user's wait for step or run", function()
    for _, name in ipairs { "signal_before_wait", "signal_while_waiting", "signal_at_the_deadline", "many_waiters",
      "deadline_is_never_early", "arguments_and_results", "a_task_that_waits_no_longer" } do
      assert.equal("ok", conformance.run(name), name)
    end
  end)
end)
