-- SPDX-License-Identifier: MIT

-- A forked child has a copy of the session and none of its threads: every call says so, and nothing that it does reaches
-- its parent's journal. By LuaJIT, which can fork.
local journal = require "fogcloud.journal"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

describe("a forked child", function()
  local folder
  before_each(function() folder = support.shell("mktemp -d"):match "%S+" end)
  after_each(function() support.shell("rm -rf " .. folder) end)

  local CODE = [[
    local ffi = require "ffi"
    ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
    local fogcloud = require "fogcloud"
    local path = %q
    local where = { clientid = "x", loginname = "x", password = "x", mqtthost = "localhost", mqttport = 1, sslport = 1 }
    local options = { tls = false, journal = path, clean = false, retry = true }
    local session = assert(fogcloud.connect(where, options))
    local cloud = fogcloud.new { base_url = "http://127.0.0.1:1", client_id = "a", client_secret = "b" }
    assert(session:publish("t", "before", { qos = 1 }))
    fogcloud.step(0.3)
    local function child()
      local function told(name, fn, ...)
        local ok, value, err = pcall(fn, ...)
        local text = tostring(ok and err or value)
        if (ok and value) or not (text:find "forked" or text:find "in use by process") then print(name, ok, value, err) end
      end
      for qos = 0, 2 do told("publish", session.publish, session, "t", "child", { qos = qos }) end
      told("subscribe", session.subscribe, session, "t", 1, print)
      told("unsubscribe", session.unsubscribe, session, "t")
      told("flush", session.flush, session, 20)
      told("finish", session.finish, session, 20)
      told("token", cloud.token, cloud)
      told("step", fogcloud.step, 0)
      told("run", fogcloud.run)
      told("connect", fogcloud.connect, where, { tls = false, retry = true })
      told("the journal", fogcloud.connect, where, options)
      told("a look into it", require("fogcloud.journal").open, path)
      session:close()
      collectgarbage()
      io.write(tostring(session:connected()), " ended\n")
      io.stdout:flush()
      ffi.C._exit(0)
    end
    local pid = ffi.C.fork()
    if pid == 0 then child() end
    ffi.C.waitpid(pid, nil, 0)
    print("parent", (session:publish("t", "after", { qos = 1 })), session:stats().queued)
    fogcloud.step(0.3)
    session:close()
    fogcloud.run()
  ]]

  it("is told so by every call, and leaves its parent's journal alone", function()
    local cpath = ("env LUA_CPATH='%s/build/luajit/?.so;;' luajit"):format(os.getenv "PWD")
    local out = script.run(CODE:format(folder .. "/journal"), cpath)
    assert.equal("false ended\nparent\t2\t2\n", out)
    local opened = assert(journal.open(folder .. "/journal"))
    local list = assert(opened:list { payloads = true })
    opened:close()
    assert.same({ 2, "before", "after" }, { #list, list[1].payload, list[2].payload })
    assert.equal("journal\n", support.shell("ls " .. folder))
  end)
end)
