-- SPDX-License-Identifier: MIT

--- What keeps a port small: where the code names a system, and which versions of Lua the rockspecs allow.
local sources = require "spec.support.sources"
local support = require "spec.support.sandbox"

local SYSTEMS = { "__linux", "__gnu_linux", "__APPLE__", "__MACH__", "BSD__", "_WIN32", "__unix", "__GLIBC", "__BIONIC", "<sys/eventfd.h>",
  "<sys/epoll.h>", "<sys/event.h>", "<sys/signalfd.h>", "<sys/prctl.h>", "<linux/" }

local function system_in(text)
  for _, name in ipairs(SYSTEMS) do
    if text:find(name, 1, true) then return name end
  end
end

describe("a system", function()
  -- Whatever else one may lack is asked for by its own name (SO_NOSIGPIPE, TCP_QUICKACK). The sandbox is a program for Linux;
  -- src/late says what the file of a library is called.
  it("is named in the loop and in the wake-up alone", function()
    local found = 0
    for _, path in ipairs(sources.C) do
      local mark = system_in(sources.bare(sources.read(path)))
      if path == "src/base/wake.c" or path == "src/mqtt/loop.c" then
        assert.equal("__linux", mark, path)
        found = found + 1
      elseif not path:find("^src/sandbox/") and not path:find("^src/late/") then
        assert.is_nil(mark, path)
      end
    end
    assert.equal(2, found)
  end)
end)

-- The lines of a text, indented as ours are, that assign to the first variable of a loop that they are in.
local function loop_assignments(text)
  local loops, found = {}, {}
  for line in text:gmatch "[^\n]+" do
    local blanks = #line:match "^ *"
    while #loops > 0 and blanks <= loops[#loops].blanks do table.remove(loops) end
    for _, loop in ipairs(loops) do
      local set = line:find("^ +" .. loop.name .. "[%w_, ]* = ") or line:find(" then " .. loop.name .. " = ")
      if set and not line:find ",$" then found[#found + 1] = line end
    end
    local name = line:match "^ *for ([%a_][%w_]*)"
    if name and not line:find " end$" then loops[#loops + 1] = { name = name, blanks = blanks } end
  end
  return found
end

describe("Lua 5.5", function()
  it("meets no assignment to a loop's variable, which it refuses", function()
    assert.same({ "  if v then k = 1 end", "  k = 2" },
      loop_assignments "for k, v in pairs(t) do\n  if v then k = 1 end\n  k = 2\n  v = 3\n  f {\n    k = 1,\n  }\nend\nk = 4")
    for _, path in ipairs(sources.LUA) do assert.same({}, loop_assignments(sources.read(path)), path) end
  end)
end)

describe("the rockspecs", function()
  it("allow Lua 5.1 to 5.5", function()
    local count = 0
    for path in support.shell "ls *.rockspec":gmatch "%S+" do
      assert.truthy(sources.read(path):find('"lua >= 5.1, < 5.6"', 1, true), path)
      count = count + 1
    end
    assert.equal(6, count)
  end)
end)

describe("the build", function()
  it("asks pkg-config where libraries and Lua are, unless a folder was named", function()
    local folder = support.shell "mktemp -d":match "%S+"
    finally(function() support.shell("rm -r " .. folder) end)
    local file = assert(io.open(folder .. "/pc", "w"))
    file:write "#!/bin/sh\nfor name; do :; done\necho -I/opt/$name/include -L/opt/$name/lib\n"
    file:close()
    support.shell("chmod +x " .. folder .. "/pc")
    local function flags(more)
      local command = "make --no-print-directory -n -B PKG_CONFIG=%s/pc BUILD=%s/b %s build-lua5.4 2>&1"
      return (support.shell(command:format(folder, folder, more)))
    end
    local said = flags ""
    for _, name in ipairs { "libcurl", "openssl", "sqlite3", "hiredis", "libmicrohttpd", "libmosquitto" } do
      assert.truthy(said:find("/opt/" .. name .. "/include", 1, true), name)
      assert.truthy(said:find("-L/opt/" .. name .. "/lib", 1, true), name)
    end
    assert.truthy(said:find("-I/opt/lua5.4/include", 1, true))
    said = flags "CURL_DIR=/usr LUA_INCDIR=/usr/include/lua5.4"
    assert.is_nil(said:find("/opt/libcurl", 1, true))
    assert.is_nil(said:find("/opt/lua5.4", 1, true))
  end)
end)

-- What is left out of the runs of every Lua is run by a suite of its own.
describe("a spec that runs once", function()
  it("is named by a suite", function()
    local text, count = sources.read "scripts/test.sh", 0
    local suites = text:gsub("once=\"[^\n]*", "")
    for folder, name in text:match("once=\"([^\n]*)\""):gmatch "(spec[%w_/]*)/([%w_]+)_spec%.lua" do
      local named = suites:find(folder .. "/" .. name .. "_spec.lua", 1, true)
      for names in suites:gmatch(folder .. "/{([%w_,]+)}_spec%.lua") do
        named = named or ("," .. names .. ","):find("," .. name .. ",", 1, true)
      end
      assert.is_truthy(named, folder .. "/" .. name)
      count = count + 1
    end
    assert.is_true(count > 5)
  end)
end)
