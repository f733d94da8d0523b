-- SPDX-License-Identifier: MIT

-- examples/embed/static: a program with a Lua of its own, linked statically, and no file of ours; what it opens, and
-- what else may be at work in it.
local embed = require "spec.support.embed"
local support = require "spec.support.sandbox"

-- What the C library reads to look a name up and to know the time zone, and what OpenSSL and GnuTLS (a part of
-- libcurl's) are configured by. Nothing else may be opened once the program was loaded.
local FOREIGN = {
  "^/etc/nsswitch%.conf$", "^/etc/host%.conf$", "^/etc/resolv%.conf$", "^/etc/hosts$", "^/etc/gai%.conf$",
  "^/etc/localtime$", "/openssl%.cnf$", "^/etc/gnutls/config$",
}

-- A sanitizer looks at its process.
if (os.getenv "SANITIZE" or "") ~= "" then
  FOREIGN[#FOREIGN + 1] = "^/proc/self/"
  FOREIGN[#FOREIGN + 1] = "/tsan%.rodata%.%d+$"
end

local function is_foreign(path)
  for _, pattern in ipairs(FOREIGN) do
    if path:find(pattern) then return true end
  end
  return false
end

-- The files that a traced program has opened, or tried to, after its libraries.
local function opened(trace)
  local paths = {}
  for line in io.lines(trace) do
    local path = line:match 'open[at2]*%(.-"([^"]*)"' or line:match 'creat%("([^"]*)"'
    if path and not path:find "%.so[%.%d]*$" and not path:find "/ld%.so%." then paths[#paths + 1] = path end
  end
  return paths
end

describe("a program with a static Lua and fogcloud in it", function()
  local sandbox, folder, ca_pem

  embed.beside_sandbox(function(...) sandbox, folder, ca_pem = ... end)

  local function account()
    local o = sandbox:options()
    return ("%s %s %s %s"):format(o.base_url, o.client_id, o.client_secret, sandbox.app_id)
  end

  for _, lua in ipairs { "lua5.4", "luajit" } do
    describe("on " .. lua, function()
      local made

      setup(function() made = embed.make(lua, folder .. "/" .. lua) end)

      it("does the main job frame by frame, and opens no file of ours", function()
        local host = embed.link(lua, made, "examples/embed/static/host.c", made .. "/host")
        assert.is_nil(embed.succeed("ldd " .. host):find("liblua", 1, true), "its Lua is not static")
        local said, code = support.shell(("cd / && ASAN_OPTIONS=detect_leaks=0 timeout 60 strace -f "
          .. "-e trace=open,openat,openat2,creat -o %s/trace %s %s dev1 '%s'"):format(made, host, account(), ca_pem))
        assert.same({ "products: 2\ndone\n", 0 }, { said, code })
        local paths = opened(made .. "/trace")
        for _, path in ipairs(paths) do assert.is_true(is_foreign(path), path .. " was opened") end
        assert.is_true(#paths > 0, "nothing was traced")
      end)

      it("leaves the host's own Paho, libcurl, OpenSSL and sockets alone", function()
        local host = embed.link(lua, made, "spec/support/embed_neighbour.c", made .. "/neighbour",
          "-D_GNU_SOURCE -lpaho-mqtt3as -lcurl -lssl -lcrypto")
        local said, code = support.shell(("timeout 100 %s %s '%s' %d %d"):format(host, account(), ca_pem, sandbox.mqtt_port,
          sandbox.tls_port))
        assert.equal(0, code, said)
        local got = {}
        for name, count in said:gmatch "(%a+)\t(%d+)" do got[name] = tonumber(count) end
        assert.same({ 200, 200, 0 }, { got.fogcloud, got.paho, got.wrong }, said)
        for _, name in ipairs { "bytes", "transfers", "handshakes" } do assert.is_true(got[name] > 0, said) end
      end)
    end)
  end
end)
