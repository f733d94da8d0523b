-- SPDX-License-Identifier: MIT

-- Whom the API's calls trust: the authorities that are given, instead of the system's; and who the client says it is.
local fogcloud = require "fogcloud"
local script = require "spec.support.script"
local socket = require "socket"
local support = require "spec.support.sandbox"

local SAY = [[
local options = { base_url = %q, client_id = %q, client_secret = %q, timeout = 5, %s }
local list, err = require("fogcloud").new(options):products()
print(list and "trusted" or err.kind)
os.exit(0)
]]

describe("a call's trust", function()
  local sandbox, folder

  setup(function()
    sandbox = support.start { tls = true }
    folder = support.shell("mktemp -d"):match "%S+"
    -- The system's folder with the sandbox's authority in it.
    local hash = support.shell(("openssl x509 -hash -noout -in '%s'"):format(sandbox.ca_file)):match "%x+"
    local _, code = support.shell(("cp -a /etc/ssl/certs %s/certs && cp '%s' %s/certs/%s.0"):format(folder, sandbox.ca_file, folder,
      hash))
    assert.equal(0, code)
  end)
  teardown(function()
    support.shell("rm -r " .. folder)
    sandbox:stop()
  end)

  -- What a call says in a process for which that is the system's folder.
  local function says(more)
    local o = sandbox:options()
    -- In a chroot the root is no mount, and has no propagation to set; what is mounted is thus taken away again.
    local mounted = ("unshare -%s --propagation unchanged sh -c 'mount --make-rprivate / 2>/dev/null; "
      .. "mount --bind %s/certs /etc/ssl/certs && %s \"$0\"; umount /etc/ssl/certs'")
      :format(support.shell("id -u"):match "%d+" == "0" and "m" or "rm", folder, script.interpreter())
    local text = script.run(SAY:format(o.base_url, o.client_id, o.client_secret, more), mounted)
    return text:match "(%S+)%s*$" or text
  end

  it("is the system's by default", function() assert.equal("trusted", says "") end)

  it("is ca_file alone, or ca_pem alone", function()
    assert.equal("tls", says 'ca_file = "spec/support/other_ca.pem"')
    assert.equal("tls", says 'ca_pem = io.open("spec/support/other_ca.pem"):read "*a"')
  end)

  it("is what the file holds at the time", function()
    local ca = folder .. "/ca.pem"
    local function copy(from) support.shell(("cp %s %s"):format(from, ca)) end
    local o = sandbox:options()
    o.ca_pem, o.ca_file = nil, ca
    local cloud = fogcloud.new(o)
    copy "spec/support/other_ca.pem"
    assert.equal("tls", select(2, cloud:products()).kind)
    copy(sandbox.ca_file)
    assert(cloud:products())
  end)

  it("shows a client certificate, whose key is never asked for at the terminal", function()
    local _, code = support.shell(("cd %s && openssl req -x509 -newkey rsa:2048 -keyout locked.key -out client.pem -days 2 -subj /CN=me "
      .. "-passout pass:open && openssl rsa -in locked.key -passin pass:open -out open.key"):format(folder))
    assert.equal(0, code)
    local probe = assert(socket.bind("127.0.0.1", 0))
    local port = select(2, probe:getsockname())
    probe:close()
    local o = sandbox:options()
    -- A server that wants to see it; s_server says who it saw.
    support.shell(("cd %s && (openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.pem -days 2 -subj /CN=localhost "
      .. "-addext subjectAltName=DNS:localhost; openssl s_server -accept %d -cert server.pem -key server.key -Verify 1 -CAfile client.pem "
      .. "-www >server.log 2>&1 & echo $! >server.pid; sleep 1)"):format(folder, port))
    local function call(more)
      return (script.run(([[
        local options = { base_url = "https://localhost:%d", client_id = %q, client_secret = "s", timeout = 2, ca_file = "%s/server.pem" }
        for name, value in pairs { %s } do options[name] = value end
        local list, err = require("fogcloud").new(options):products()
        print("kind " .. err.kind)
        os.exit(0)
      ]]):format(port, o.client_id, folder, more)))
    end
    local key = ('cert_file = "%s/client.pem", key_file = "%s/%%s", %%s'):format(folder, folder)
    assert.matches("kind tls", call "") -- refused without
    assert.matches("kind timeout", call(key:format("open.key", ""))) -- taken; it answers no POST
    assert.matches("kind timeout", call(key:format("locked.key", 'key_password = "open"')))
    assert.matches("kind tls", call(key:format("locked.key", "")))
    assert.matches("kind tls", call(key:format("locked.key", 'key_password = "wrong"')))
    support.shell(("kill $(cat %s/server.pid)"):format(folder))
  end)

  it("is one of them", function()
    local o = sandbox:options()
    o.ca_pem, o.ca_file = "x", "y"
    assert.error_matches(function() fogcloud.new(o) end, "option 'ca_file' and option 'ca_pem' say the same", 1, true)
  end)
end)
