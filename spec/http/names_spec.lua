-- SPDX-License-Identifier: MIT

-- Requests whose host has a name server that does not answer, or many addresses that all refuse.
local names = require "spec.support.names"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local REQUEST = [[
local core = require "fogcloud.core"
for _, how in ipairs { "inline", "background" } do
  local engine, e = core.engine(), {}
  if how == "background" then engine:background() end
  local began = core.now()
  engine:token({ base_url = %q, timeout = %g, connect_timeout = %g }, { grant_type = "g", client_id = "i", client_secret = "s" })
  while e[1] == nil do
    engine:wait(5)
    e = { engine:next() }
  end
  print(how, e[3], e[4], core.now() - began < %g)
end
os.exit(0)
]]

describe("the engine's HTTP driver", function()
  for _, time in ipairs { { 0.5, 10 }, { 10, 0.5 } } do
    it(("names the host that takes too long to look up, by %s"):format(time[1] < 1 and "the call's time" or "connect_timeout"), function()
      local said = names.run(REQUEST:format("http://who:key@cloud.slow:8080/base", time[1], time[2], 3))
      for _, how in ipairs { "inline", "background" } do
        assert.matches(how .. "\ttimeout\tlooking up cloud.slow:8080 took too long\ttrue", said, 1, true)
      end
    end)
  end

  it("tries many addresses that refuse in less time than libcurl by itself", function()
    local said = names.run(REQUEST:format("http://cloud.ten:1", 20, 20, 4)) -- libcurl: five to six seconds
    assert.matches("inline\tnetwork\t[^\t]*cloud.ten[^\t]*\ttrue", said)
    assert.matches("background\tnetwork\t[^\t]*cloud.ten[^\t]*\ttrue", said)
  end)

  it("gives its connection cache a size", function()
    local library = os.tmpname()
    finally(function() os.remove(library) end)
    local command = "${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o %s spec/support/curl_asked.c -Wl,--no-as-needed -lcurl -ldl"
    local built, failed = support.shell(command:format(library))
    assert.equal(0, failed, built)
    local said = script.run(REQUEST:format("http://127.0.0.1:1", 1, 1, 4), script.preloading(library, library))
    assert.matches("maxconnects 256", said)
  end)
end)
