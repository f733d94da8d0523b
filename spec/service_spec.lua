-- SPDX-License-Identifier: MIT

-- What a service manager hears of a program, and examples/service under one of the spec's that sends what systemd sends.
local core = require "fogcloud.core"
local script = require "spec.support.script"
local service = require "fogcloud.service"
local support = require "spec.support.sandbox"

describe("a word to the service manager", function()
  it("is for nobody where nobody listens", function()
    assert.same({ false }, { service.notify "READY=1" })
    assert.same({ false }, { service.ready() })
    assert.same({ false }, { service.stopping() })
    assert.is_false(service.watch())
  end)

  it("that cannot be told is an error, at run time", function()
    for path, why in pairs {
      ["/no/such/socket"] = "No such file", ["relative"] = "Invalid argument", ["/"] = "Invalid argument",
      ["@"] = "Invalid argument", ["/" .. ("x"):rep(200)] = "too long", ["@" .. ("x"):rep(107)] = "too long",
      ["@nobody-listens-there"] = "refused",
    } do
      local ok, said = core.notify(path, "READY=1")
      assert.is_nil(ok, path)
      assert.matches(why, said)
    end
    assert.has_error(function() service.notify(1) end, "text: string expected, got number")
    assert.has_error(function() service.watch(1) end, "healthy: function expected, got number")
  end)

  local function supervise(code, environment)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(code)
    file:close()
    local text = support.shell(("%s python3 spec/support/supervisor.py 20 %s %s"):format(environment or "", script.interpreter(), path))
    os.remove(path)
    return text
  end

  for name, environment in pairs { ["a path"] = "", ["an abstract socket"] = "ABSTRACT=1" } do
    it("reaches it at " .. name .. ", with signs of life while the loop turns", function()
      local text = supervise([[
        local fogcloud, service = require "fogcloud", require "fogcloud.service"
        assert(service.watch())
        assert(service.ready("all\nis well") == true)
        fogcloud.spawn(function() fogcloud.sleep(60) end)
        fogcloud.run()
      ]], environment)
      assert.matches("READY=1\nSTATUS=all is well\n", text)
      assert.matches("WATCHDOG=1\n.-WATCHDOG=1\n", text)
      assert.is_nil(text:find "killed")
    end)
  end

  it("is no sign of life from a loop that is stuck, or where the program says that it is ill", function()
    for _, how in ipairs { "while core.now() < ends do end", "fogcloud.sleep(0.7)" } do
      local text = supervise(([[
        local fogcloud, service, core = require "fogcloud", require "fogcloud.service", require "fogcloud.core"
        local ends = core.now() + 0.7
        fogcloud.spawn(function()
          local well = false
          assert(service.watch(function() return well end))
          fogcloud.sleep(0)
          %s
          well = true
          service.notify "STATUS=now"
          fogcloud.sleep(0.3)
          service.stopping()
        end)
        fogcloud.run()
      ]]):format(how))
      local before, after = text:match "^(.-)STATUS=now\n(.*)$"
      assert.is_nil(before:find "WATCHDOG", text)
      assert.is_truthy(after:find "WATCHDOG=1", text)
      assert.matches("STOPPING=1\nended 0", text)
    end
  end)

  it("is not sent for another process's watchdog", function()
    local text = script.run([[
      print(require("fogcloud.service").watch())
    ]], "env WATCHDOG_USEC=1000 WATCHDOG_PID=1 " .. script.interpreter())
    assert.equal("false", text:match "%a+")
  end)
end)

describe("examples/service", function()
  local sandbox

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  -- The supervisor's command with the example.
  local function command()
    local o = sandbox:options()
    return ("FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s FOGCLOUD_CLIENT_SECRET='%s' FOGCLOUD_CA_FILE=%s FOGCLOUD_APP_ID=%s "
      .. "BRIDGE_DEVICES=dev1 python3 spec/support/supervisor.py 40 %s examples/service/main.lua"):format(o.base_url, o.client_id,
      o.client_secret, sandbox.ca_file, sandbox.app_id, script.interpreter())
  end

  it("is ready when its session is, alive from then on, and ends when it is told to", function()
    local text = support.shell(command())
    assert.matches("READY=1\nSTATUS=connected, 1 devices\n", text)
    assert.matches("WATCHDOG=1", text)
    assert.is_nil(text:find("killed", 1, true), text)
  end)

  it("waits for a broker that is not there yet, and is alive meanwhile", function()
    local path = os.tmpname()
    sandbox:broker "stop"
    os.execute(("(%s) >%s 2>&1 &"):format(command(), path))
    local function said(what)
      local file = assert(io.open(path))
      local text = file:read "*a"
      file:close()
      return text:find(what, 1, true) ~= nil
    end
    support.serve_until(function() return said "WATCHDOG=1" end)
    assert.is_false(said "READY=1")
    sandbox:broker "start"
    support.serve_until(function() return said "READY=1" end)
    support.serve_until(function() return said "ended" end)
    assert.is_false(said "killed")
    os.remove(path)
  end)

  it("has a unit that systemd takes", function()
    local found = select(2, support.shell "command -v systemd-analyze") == 0
    local unit = support.shell("cat examples/service/fogcloud-bridge.service")
    for line in unit:gmatch "[^\n]+" do assert.is_truthy(line:find "^[#%[]" or line:find "^%u[%w]+=", line) end
    if not found then return end
    -- Where it will be installed there is nothing yet: another program in its place.
    local text, code = support.shell([[d=$(mktemp -d) && sed 's|^ExecStart=.*|ExecStart=/bin/true|' \
      examples/service/fogcloud-bridge.service >$d/fogcloud-bridge.service && systemd-analyze verify $d/fogcloud-bridge.service
      s=$?; rm -r $d; exit $s]])
    assert.same({ "", 0 }, { text, code })
  end)
end)
