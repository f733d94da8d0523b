-- SPDX-License-Identifier: MIT

local core = require "fogcloud.core"
local script = require "spec.support.script"
local stores = require "fogcloud.store"
local virtual = require "spec.support.virtual"

local KEY = "token https://api.example.com/base key id"

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return (text:gsub("%s+$", ""))
end

-- Code for another process that ends with the rest of the arguments.
local function elsewhere(folder, code)
  local prologue = [[
    local core = require "fogcloud.core"
    local plain = require "fogcloud.host.plain"
    local store = require("fogcloud.store.file").new(plain, %q)
    local KEY = %q
  ]]
  return prologue:format(folder, KEY) .. code
end

describe("the file store", function()
  local host, folder, store

  before_each(function()
    host = virtual.host()
    folder = os.tmpname()
    os.remove(folder)
    store = require("fogcloud.store.file").new(host, folder .. "/a/b")
  end)
  after_each(function() shell(("rm -rf '%s'"):format(folder)) end)

  local function path() return shell(("ls '%s'/a/b/*.json"):format(folder)) end

  it("keeps records, each by its key", function()
    assert.is_nil((store:get(KEY)))
    local record = { value = "a/b+c=\n\0\195\164", expires = 1600000000.125, n = 7, on = true }
    assert(store:set(KEY, record))
    assert(store:set(KEY .. "2", { value = "other" }))
    assert.same(record, store:get(KEY))
    assert.same({ value = "other" }, store:get(KEY .. "2"))
    local other = require("fogcloud.store.file").new(host, folder .. "/a/b")
    assert.same(record, other:get(KEY))
  end)

  it("tells long keys apart that begin alike", function()
    local long = ("k"):rep(3000)
    assert(store:set(long .. "a", { value = "a" }))
    assert(store:set(long .. "b", { value = "b" }))
    assert.same({ "a", "b" }, { store:get(long .. "a").value, store:get(long .. "b").value })
    assert.is_nil((store:get(long .. "c")))
  end)

  it("does not take one key's record for another's", function()
    assert(store:set("one", { value = "1" }))
    shell(("cp '%s/a/b/one.json' '%s/a/b/two.json'"):format(folder, folder))
    assert.is_nil((store:get("two")))
    assert.equal("1", store:get("one").value)
  end)

  it("is nobody else's to read", function()
    assert(store:set(KEY, { value = "x" }))
    assert.equal("600", shell(("stat -c %%a '%s'"):format(path())))
    assert.equal("700", shell(("stat -c %%a '%s/a/b'"):format(folder)))
    assert.equal("1", shell(("ls '%s/a/b' | wc -l"):format(folder))) -- no temporary file is left
  end)

  it("forgets by value", function()
    assert(store:set(KEY, { value = "new" }))
    assert.is_true(store:delete(KEY, { value = "old" }))
    assert.equal("new", store:get(KEY).value)
    assert.is_true(store:delete(KEY, { value = "new" }))
    assert.is_nil(store:get(KEY))
    assert.is_true(store:delete(KEY))
  end)

  describe("never uses, and replaces whole,", function()
    local function refuses(what, word)
      assert(store:set(KEY, { value = "x" }))
      shell(what:format(path()))
      local none, err = store:get(KEY)
      assert.is_nil(none)
      assert.equal("protocol", err.kind)
      assert.is_truthy(tostring(err):find(word, 1, true), tostring(err))
      assert(store:set(KEY, { value = "y" }))
      assert.equal("y", store:get(KEY).value)
      assert.equal("600 0", shell(("stat -c '%%a %%u' '%s'"):format(path())):gsub(" %d+$", " 0"))
    end

    it("a damaged file", function()
      for _, text in ipairs { "", "{", "null", "[]", '{"key":"x","record":5}', '{"key":"x","record":["a"]}', "\\0\\1" } do
        refuses(("printf '%s' > '%%s'"):format(text), "damaged")
      end
      refuses("truncate -s 20 '%s'", "damaged")
    end)

    it("a file that others may read or write", function()
      for _, mode in ipairs { "644", "640", "620", "602" } do refuses("chmod " .. mode .. " '%s'", "chmod 600") end
    end)

    it("another user's file", function()
      if shell("id -u") ~= "0" then return pending("only root can give a file away") end
      refuses("chown 65534 '%s'", "another user")
    end)

    it("what is no file, without waiting for it or following it", function()
      refuses("f='%s'; mv \"$f\" \"$f.real\"; ln -s \"$f.real\" \"$f\"; rm -f /nonexistent", "cannot be used")
      shell(("rm -f '%s'/a/b/*.real"):format(folder))
      refuses("f='%s'; rm \"$f\"; mkfifo -m 600 \"$f\"", "not a regular file")
    end)

    it("a file that is too large", function() refuses("truncate -s 2M '%s'", "too large") end)
  end)

  it("keeps numbers with all their digits, whatever a program sets in its cjson", function()
    local cjson = require "cjson"
    cjson.encode_number_precision(3)
    cjson.decode_max_depth(1)
    local record = { value = "v", wall = 1701234567.8901234, port = 1883, third = 1 / 3, big = 2 ^ 53 }
    local kept, err = store:set(KEY, record)
    local got, why = store:get(KEY)
    cjson.encode_number_precision(14)
    cjson.decode_max_depth(1000)
    assert(kept, err)
    assert.same(record, got, why)
    assert.equal("1883", tostring(got.port))
  end)

  it("keeps what a later version has put there, and says where a record is", function()
    assert(store:set(KEY, { value = "v" }))
    local text = '{"version":9,"key":"%s","by":{},"record":{"value":"v","version":9,"tags":["a",{"b":1}]}}'
    assert(core.file.write(path(), text:format(KEY)))
    local record = assert(store:get(KEY))
    assert.same({ "a", { b = 1 } }, record.tags)
    assert(store:set(KEY, record))
    assert.same({ "a", { b = 1 } }, store:get(KEY).tags)
    assert.equal(path(), store:where(KEY))
  end)

  it("names the lock that is held", function()
    local unlock = assert(store:lock(KEY, host.now() + 1))
    local none, err = store:lock(KEY, host.now())
    unlock()
    assert.is_nil(none)
    assert.matches("another process holds the lock " .. store:where(KEY):gsub("json$", "lock") .. " for too long", tostring(err), 1, true)
  end)

  it("never says to remove what cannot be had again", function()
    assert(store:set(KEY, { value = "v" }))
    assert(core.file.write(path(), "{"))
    local none, err = store:get(KEY)
    assert.is_nil(none)
    assert.is_nil(tostring(err):find("remove", 1, true))
    assert.matches(path() .. " cannot be used: it is damaged", tostring(err), 1, true)
  end)

  it("makes its folder again where it was removed", function()
    assert(store:set(KEY, { value = "x" }))
    for _, call in ipairs {
      function() return store:set(KEY, { value = "y" }) end,
      function() return store:lock(KEY, host.now() + 1) end,
      function() return store:hold(KEY) end,
    } do
      shell(("rm -r '%s'"):format(folder))
      assert.is_nil(store:get(KEY))
      assert.is_truthy(call())
    end
  end)

  it("says what is wrong with its folder", function()
    assert(store:set(KEY, { value = "x" }))
    shell(("chmod 777 '%s/a/b'"):format(folder))
    local other = require("fogcloud.store.file").new(host, folder .. "/a/b")
    local ok, err = other:set(KEY, { value = "y" })
    assert.is_nil(ok)
    assert.matches("chmod", tostring(err))
    shell(("chmod 755 '%s/a/b'; ln -s '%s/a/b' '%s/a/link'; touch '%s/a/file'"):format(folder, folder, folder, folder))
    assert(require("fogcloud.store.file").new(host, folder .. "/a/b"):set(KEY, { value = "y" }))
    for _, name in ipairs { "link", "file" } do
      ok, err = require("fogcloud.store.file").new(host, folder .. "/a/" .. name):set(KEY, { value = "z" })
      assert.is_nil(ok)
      assert.matches("no link is followed", tostring(err))
    end
    assert.equal("y", other:get(KEY).value)
    ok, err = require("fogcloud.store.file").new(host, "/proc/nowhere"):lock(KEY, 0)
    assert.is_nil(ok)
    assert.equal("protocol", err.kind)
  end)

  it("is chosen by an option", function()
    assert.equal(folder, stores.resolve("file:" .. folder, host).folder)
    assert.matches("/fogcloud$", stores.resolve("file", host).folder)
    assert.is_false(stores.resolve("memory", host).shared)
    for _, wrong in ipairs { "redis", "file:", "files" } do
      assert.has_error(function() stores.resolve(wrong, host) end)
    end
    assert.has_error(function() stores.resolve({ get = print }, host) end)
    local custom = { get = print, set = print, delete = print, lock = print }
    assert.equal(custom, stores.resolve(custom, host))
  end)

  describe("has a lock that", function()
    it("one holds at a time, here and elsewhere", function()
      local unlock = assert(store:lock(KEY, math.huge))
      assert(store:lock(KEY .. "2", math.huge))() -- another key's is another lock
      local none, err = store:lock(KEY, host.now() + 1)
      assert.is_nil(none)
      assert.equal("timeout", err.kind)
      local code = elsewhere(folder .. "/a/b", [[
        local unlock, err = store:lock(KEY, plain.now())
        io.write(unlock and "held" or err.kind)
      ]])
      assert.equal("timeout", (script.run(code)))
      unlock()
      unlock()
      assert.equal("held", (script.run(code)))
      assert(store:lock(KEY, host.now()))()
    end)

    it("is given up when its holder dies", function()
      local output = script.run(elsewhere(folder .. "/a/b", [[
        io.write(assert(store:lock(KEY, plain.now())) and "held")
        io.flush()
        os.execute("kill -9 " .. core.pid())
      ]]))
      assert.matches("^held", output)
      assert(store:lock(KEY, host.now()))()
    end)

    it("is given up when it is forgotten", function()
      assert(store:lock(KEY, math.huge))
      collectgarbage()
      collectgarbage()
      assert(store:lock(KEY, host.now()))()
    end)

    it("is waited for in turn, and not by a task that was cancelled", function()
      local unlock, got = assert(store:lock(KEY, math.huge)), {}
      local task = host.spawn_task(function() got[1] = { store:lock(KEY, math.huge) } end)
      host.spawn_task(function()
        got[2] = { store:lock(KEY, math.huge) }
        got[2][1]()
      end)
      host.spawn_task(function()
        host.sleep(1)
        task:cancel()
        host.sleep(1)
        unlock()
      end)
      host.run()
      assert.equal("cancelled", got[1][2].kind)
      assert.is_function(got[2][1])
    end)
  end)

  it("is replaced in one step: a reader sees one whole record or the other", function()
    local code = elsewhere(folder .. "/a/b", [[
      for i = 1, 300 do assert(store:set(KEY, { value = (i % 2 == 0 and "a" or "b"):rep(5000) })) end
    ]])
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write(code)
    file:close()
    assert(store:set(KEY, { value = ("a"):rep(5000) }))
    local writer = assert(io.popen(("timeout 60 %s %s && echo written"):format(script.interpreter(), name)))
    for _ = 1, 2000 do
      local value = assert(store:get(KEY)).value
      assert.is_true(value == ("a"):rep(5000) or value == ("b"):rep(5000))
    end
    assert.equal("written\n", writer:read("*a"))
    writer:close()
    os.remove(name)
  end)

  it("shares a token between clouds on a virtual clock", function()
    local server = virtual.server(host)
    for _ = 1, 3 do assert(virtual.cloud(server, { store = "file:" .. folder .. "/s" }):products()) end
    assert.equal(1, server:count("token"))
    shell(("for f in '%s'/s/token*.json; do printf x > \"$f\"; done"):format(folder))
    assert(virtual.cloud(server, { store = "file:" .. folder .. "/s" }):products())
    assert.equal(2, server:count("token"))
    assert(virtual.cloud(server, { store = "file:" .. folder .. "/s" }):products())
    assert.equal(2, server:count("token"))
  end)

  it("keeps clients over processes, and does not replace one it cannot read", function()
    local server = virtual.server(host)
    local options = { store = "file:" .. folder .. "/s" }
    local first = assert(virtual.cloud(server, options):client("app"))
    local again = assert(virtual.cloud(server, options):client("app"))
    assert.same(first, again)
    assert.equal("1884", tostring(again.sslport))
    shell(("chmod 644 '%s'/s/client*.json"):format(folder))
    local none, err = virtual.cloud(server, options):client("app")
    assert.is_nil(none)
    assert.matches("chmod 600", tostring(err))
    assert.equal(1, server.clients)
  end)
end)

describe("core.file", function()
  it("raises on what is no path", function()
    for _, name in ipairs { "read", "write", "folder", "lock" } do
      for _, bad in ipairs { "", "a\0b", {}, false } do
        assert.has_error(function() core.file[name](bad, "x") end)
      end
    end
  end)

  it("has locks that show their state", function()
    local path = os.tmpname()
    os.execute("chmod 600 " .. path)
    local lock = assert(core.file.lock(path))
    assert.matches("held", tostring(lock))
    assert.same({ n = 4, nil, "busy", "Resource temporarily unavailable", core.pid() }, { n = 4, core.file.lock(path) })
    lock:unlock()
    lock:unlock()
    assert.matches("given up", tostring(lock))
    os.remove(path)
  end)
end)
