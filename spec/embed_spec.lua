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

  -- The medians of what was noted in the second quarter of the time, and in the last.
  local function left(path)
    local names, lines = { "fds", "threads", "kb" }, {}
    for line in io.lines(path) do lines[#lines + 1] = line end
    os.remove(path)
    local function median(from, to)
      local result = {}
      for i, name in ipairs(names) do
        local values = {}
        for at = from, to do values[#values + 1] = tonumber((lines[at]:gsub("^" .. ("%d+ "):rep(i - 1), ""):match("^%d+"))) end
        table.sort(values)
        result[name] = values[math.ceil(#values / 2)]
      end
      return result
    end
    local quarter = math.floor(#lines / 4)
    return median(quarter + 1, 2 * quarter), median(3 * quarter + 1, 4 * quarter)
  end

  it("runs two states side by side", function()
    assert.same({ "done\n", 0 }, { run("examples/embed/game.lua", 3) })
  end)

  it("closes them with all that is under way, a thousand times", function()
    local file = assert(io.open(game, "w"))
    file:write(([[
      if math.random(10) == 1 then -- what the process has now, of two thousand times
        local function read(path)
          local file = io.open(path)
          local text = file and file:read("*a")
          if file then file:close() end
          return text
        end
        local fds, status = 0, read "/proc/self/status"
        for fd = 0, 499 do
          if read("/proc/self/fdinfo/" .. fd) then fds = fds + 1 end
        end
        local file = assert(io.open(%q, "a"))
        file:write(fds, " ", status:match("Threads:%%s*(%%d+)"), " ", status:match("VmRSS:%%s*(%%d+)"), "\n")
        file:close()
      end
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
      end]]):format(game .. ".left", sandbox.mqtt_port, sandbox.tls_port, sandbox.ca_file))
    file:close()
    assert.same({ "done\n", 0 }, { run(game, 1000) })
    local early, late = left(game .. ".left")
    for name, more in pairs { fds = 20, threads = 10, kb = 8192 } do -- 2,000 states, of which each could leave one, and 8 KB
      assert.is_true(late[name] <= early[name] + more, ("%s: %d, then %d"):format(name, early[name], late[name]))
    end
  end)
end)
