-- SPDX-License-Identifier: MIT

-- examples/embed: a C program that has Lua states, makes and closes them again and again.
local support = require "spec.support.sandbox"

describe("a C program with a frame loop of its own", function()
  local sandbox, program, game

  setup(function()
    sandbox = support.start()
    program, game = os.tmpname(), os.tmpname()
    local sanitizers = os.getenv("SANITIZE") or "" -- make sets it empty
    local flags = sanitizers ~= "" and "-fsanitize=" .. sanitizers or ""
    local said, status = support.shell(("${CC:-cc} -std=c11 -Wall -Wextra %s examples/embed/host.c -o %s "
      .. "$(pkg-config --cflags --libs lua5.4)"):format(flags, program))
    assert.equal(0, status, said)
  end)
  teardown(function()
    sandbox:stop()
    os.remove(program)
    os.remove(game)
  end)

  local function run(script, rounds)
    local environment = ("FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s FOGCLOUD_CLIENT_SECRET=%s LUA_PATH='lua/?.lua;lua/?/init.lua;;'")
      :format(sandbox.url, sandbox.account.client_id, sandbox.account.client_secret)
    local path = (os.getenv("LUA_CPATH") or ""):gsub("build/([%w,%-]*/?)lua[%w%.]+/", "build/%1lua5.4/")
    return support.shell(("%s LUA_CPATH='%s' timeout 120 %s %s %d"):format(environment, path, program, script, rounds))
  end

  it("runs two states side by side", function()
    assert.same({ "done\n", 0 }, { run("examples/embed/game.lua", 3) })
  end)

  it("closes them with all that is under way, a thousand times", function()
    local file = assert(io.open(game, "w"))
    file:write(([[
      local fogcloud = require "fogcloud"
      local cloud, frames = fogcloud.new(), 0
      fogcloud.spawn(function() cloud:products() end)
      if math.random(20) == 1 then
        fogcloud.spawn(function()
          fogcloud.connect({ clientid = "c", loginname = "dev1", password = "dev1-secret", mqtthost = "localhost",
            mqttport = %d, sslport = %d }, { ca_file = %q })
        end)
      end
      return function()
        fogcloud.step(0)
        frames = frames + 1
        return frames > math.random(40)
      end]]):format(sandbox.mqtt_port, sandbox.tls_port, sandbox.ca_file))
    file:close()
    assert.same({ "done\n", 0 }, { run(game, 1000) })
  end)
end)
