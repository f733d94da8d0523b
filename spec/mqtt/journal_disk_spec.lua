-- SPDX-License-Identifier: MIT

-- A session whose journal lies on a disk of some megabytes, which others fill to the last byte. Below it:
-- spec/c/durable_room_test.c.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"
local world = require "spec.support.world"

describe("a session on a small disk", function()
  local sandbox, cloud, folder
  local here = world.new({ sandbox = { mqtt_faults = true }, session = { tls = false } }, function(...) sandbox, cloud = ... end)

  before_each(function() folder = support.shell("mktemp -d"):match "%S+" end)
  after_each(function() support.shell("rm -rf " .. folder) end)

  local PROLOGUE = [[
    local fogcloud, core = require "fogcloud", require "fogcloud.core"
    local folder = %q
    local session = assert(fogcloud.connect({ clientid = %q, loginname = %q, password = %q, mqtthost = "localhost",
      mqttport = %d, sslport = %d }, { tls = false, journal = folder .. "/disk/journal", clean = false, window = 2000 }))
    local heard
    session:on("error", function(e) heard = heard or e.kind end)
    local function serve(done)
      local till = core.now() + 25
      while not done() do
        if core.now() > till then print("too long: " .. tostring(heard)) os.exit(1) end
        fogcloud.step(0.02)
      end
    end
    -- Says a word, and waits for whoever hears it.
    local function say(word)
      local file = assert(io.open(folder .. "/" .. word, "w"))
      file:close()
      serve(function()
        local answer = io.open(folder .. "/" .. word .. ".heard")
        return answer and answer:close()
      end)
    end
    local function fill() os.execute("cat /dev/zero >>" .. folder .. "/disk/others 2>/dev/null") end
    local accepted, refused = 0, nil
    local function publish()
      refused = nil
      for _ = 1, 20 do
        local id, err = session:publish("c2d/dev1/n", ("x"):rep(10000) .. accepted + 1, { qos = accepted %% 2 + 1 })
        if id then accepted = accepted + 1 else refused = err.kind break end
      end
      return refused
    end
  ]]

  -- Runs the code where folder/disk is a disk of that size; hears the words that it says.
  local function on_disk(size, code, heard)
    local c = support.client(sandbox, cloud, { "dev1" })
    local path = folder .. "/code.lua"
    local file = assert(io.open(path, "w"))
    file:write(PROLOGUE:format(folder, c.clientid, c.loginname, c.password, sandbox.mqtt_port, sandbox.tls_port), code)
    file:close()
    support.shell(("mkdir -p %s/disk"):format(folder))
    local user = support.shell("id -u"):match "%d+" == "0" and "m" or "rm"
    support.shell(("unshare -%s sh -c 'mount -t tmpfs -o size=%s tmpfs %s/disk && exec timeout 60 %s %s' >%s/out 2>&1; echo >%s/end")
      :format(user, size, folder, script.interpreter(), path, folder, folder):gsub("^(.*)$", "(%1) >/dev/null 2>&1 &"))
    local function is_there(name)
      local found = io.open(folder .. "/" .. name)
      return found and found:close()
    end
    support.serve_until(function()
      for word, answer in pairs(heard) do
        if is_there(word) and not is_there(word .. ".heard") then
          answer(c)
          support.shell(("touch %s/%s.heard"):format(folder, word))
        end
      end
      return is_there "end"
    end, 60)
    return support.shell(("cat %s/out"):format(folder))
  end

  local function listen(got)
    local device = here.device_session("dev1", { in_count = 1e5 })
    assert(device:subscribe("c2d/dev1/#", 2, function(_, payload) got[#got + 1] = tonumber(payload:sub(10001)) end))
  end

  local function assert_all(got, accepted)
    support.serve_until(function() return #got >= accepted end)
    local seen = {}
    for _, n in ipairs(got) do seen[n] = (seen[n] or 0) + 1 end
    for n = 1, accepted do
      assert.is_truthy(seen[n], "lost: " .. n)
      if n % 2 == 0 then assert.equal(1, seen[n]) end
    end
  end

  it("refuses what is new, and lets acknowledgements through, which make room", function()
    local got = {}
    listen(got)
    sandbox:fail_mqtt { puback = "swallow" }
    local out = on_disk("12m", [[
      serve(publish)
      fill()
      fogcloud.step(0.5)
      serve(publish)
      fill()
      serve(publish) -- a free page of the file may have taken one more
      print(refused, accepted > 500)
      say "full"
      -- Nobody else makes room.
      local before = accepted
      serve(function() publish() return accepted > before + 100 end)
      print(session:flush(20), heard, accepted, session:stats().acknowledged)
    ]], {
      full = function(c)
        sandbox:heal_mqtt()
        sandbox:kick(c.clientid)
      end,
    })
    local accepted, acknowledged = out:match("^overflow\ttrue\ntrue\toverflow\t(%d+)\t(%d+)\n")
    accepted = tonumber(accepted)
    assert.is_truthy(accepted, out)
    assert.equal(accepted, tonumber(acknowledged))
    assert_all(got, accepted)
  end)

  it("goes on when others have made room", function()
    local got = {}
    listen(got)
    local out = on_disk("4m", [[
      os.execute("head -c 1000000 /dev/zero >" .. folder .. "/disk/others")
      say "away"
      serve(function() return not session:connected() end)
      serve(publish)
      fill()
      fogcloud.step(0.5)
      serve(publish)
      local before = accepted
      os.remove(folder .. "/disk/others")
      serve(function() publish() return accepted > before + 5 end)
      serve(publish)
      say "back"
      print(session:flush(25), accepted > before, before > 150)
      print(accepted, session:stats().acknowledged == accepted)
    ]], {
      away = function(c)
        sandbox:fail_mqtt { refuse = true }
        sandbox:kick(c.clientid)
      end,
      back = function() sandbox:heal_mqtt() end,
    })
    local accepted = tonumber(out:match("^true\ttrue\ttrue\n(%d+)\ttrue\n"))
    assert.is_truthy(accepted, out)
    assert_all(got, accepted)
  end)
end)
