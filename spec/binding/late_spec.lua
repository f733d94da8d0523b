-- SPDX-License-Identifier: MIT

-- libcurl and the thirty libraries behind it are loaded by the first call of the API, and not before.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"
local scripted_broker = require "spec.support.scripted_broker"

local MAPPED = [[
local function mapped()
  local maps = assert(io.open "/proc/self/maps")
  local text = maps:read "*a"
  maps:close()
  return text:find("libcurl", 1, true) ~= nil
end
]]

describe("libcurl", function()
  it("is not loaded by a program that speaks MQTT alone", function()
    local broker = scripted_broker.start "mute"
    finally(function() broker:stop() end)
    local said, code = script.run(MAPPED .. ([[
      local fogcloud = require "fogcloud"
      local session = assert(fogcloud.connect({ mqtthost = "127.0.0.1", mqttport = %d, clientid = "c", loginname = "l",
        password = "p" }, { tls = false }))
      fogcloud.step(0.05)
      print(session:connected(), mapped())
      session:close()
      print(fogcloud.info().curl:match "^%%d+%%.", mapped())
    ]]):format(broker.port))
    assert.equal(0, code, said)
    assert.matches("^true\tfalse\n%d+%.\ttrue\n", said)
  end)

  it("is loaded by the first request, in either mode", function()
    for _, background in ipairs { "", "assert(engine:background())" } do
      local said = script.run(MAPPED .. ([[
        local core = require "fogcloud.core"
        local engine = core.engine()
        %s
        engine:wait(0)
        engine:cancel(1)
        local before = mapped()
        assert(engine:products({ base_url = "http://127.0.0.1:1", token = "t" }, {}))
        local deadline, e = core.now() + 20, {}
        while e[1] == nil and core.now() < deadline do
          engine:wait(1)
          e = { engine:next() }
        end
        print(before, mapped(), e[1], e[3])
      ]]):format(background))
      assert.matches("^false\ttrue\tfailure\tnetwork\n", said)
    end
  end)

  it("that is not there is told by the call", function()
    local library = os.tmpname()
    finally(function() os.remove(library) end)
    local command = "${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o %s spec/support/curl_asked.c -ldl"
    local built, failed = support.shell(command:format(library))
    assert.equal(0, failed, built)
    local said = script.run([[
      local fogcloud = require "fogcloud"
      local cloud = fogcloud.new { base_url = "http://127.0.0.1:1", client_id = "i", client_secret = "s" }
      local data, err = cloud:products()
      print(data, err, err.sent)
      print(fogcloud.info().curl)
    ]], script.preloading(library, "/none"))
    assert.matches("^nil\t[^\n]*libcurl cannot be loaded[^\n]*\tfalse\nnone\n", said)
  end)
end)
