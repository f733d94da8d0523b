-- SPDX-License-Identifier: MIT

-- What `make embed` makes: which names the archive has, how its modules get into a state, and what is said of it.
local embed = require "spec.support.embed"
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

local succeed = embed.succeed

-- A host: runs the Lua text of its argument in a state that was prepared as its name says.
local HOST = [[
#include <fogcloud_embed.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

static int prepare(lua_State *L) {
  const char *how = lua_touserdata(L, 1);
  luaL_openlibs(L);
  if (strcmp(how, "preload") == 0) {
    fogcloud_preload(L);
    fogcloud_preload(L);
  } else if (strcmp(how, "core") == 0) {
    lua_pushcfunction(L, luaopen_fogcloud_core);
    lua_call(L, 0, 1);
    lua_setglobal(L, "core");
  } else { /* a state that has no package, and never had one */
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
    for (const char *const *name = (const char *const[]){"package", "require", NULL}; *name != NULL; name++) {
      lua_pushnil(L);
      lua_setglobal(L, *name);
    }
    if (strcmp(how, "bare preload") == 0) fogcloud_preload(L);
    lua_pushcfunction(L, luaopen_fogcloud);
    lua_call(L, 0, 1);
    lua_setglobal(L, "fogcloud");
    lua_pushcfunction(L, luaopen_fogcloud);
    lua_setglobal(L, "open");
  }
  return 0;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  lua_pushcfunction(L, prepare);
  lua_pushlightuserdata(L, argv[1]);
  if (argc < 3 || lua_pcall(L, 1, 0, 0) != 0 || luaL_loadstring(L, argv[2]) != 0 || lua_pcall(L, 0, 0, 0) != 0) {
    puts(lua_tostring(L, -1));
    lua_close(L);
    return 1;
  }
  lua_close(L);
  return 0;
}
]]

-- Those that `nm` says other objects can see.
local function seen_by_others(archive)
  local names = {}
  for name in succeed("nm --extern-only --defined-only %s", archive):gmatch "%x+ %a ([%w_]+)" do names[#names + 1] = name end
  table.sort(names)
  return names
end

local THREE = { "fogcloud_preload", "luaopen_fogcloud", "luaopen_fogcloud_core" }

describe("the archive of make embed", function()
  local folder

  setup(function() folder = succeed("mktemp -d"):match "%S+" end)
  teardown(function() support.shell("rm -rf " .. folder) end)

  for _, lua in ipairs { "lua5.4", "luajit", "lua5.1", "lua5.2", "lua5.3" } do
    describe("on " .. lua, function()
      local made, host

      setup(function()
        made = embed.make(lua, folder .. "/" .. lua)
        host = embed.link(lua, made, embed.write(folder .. "/host.c", HOST), made .. "/host")
      end)

      local function run(how, text)
        local said, code = support.shell(("cd / && env -i %s '%s' '%s'"):format(host, how, text:gsub("'", "'\\''")))
        return said, code
      end

      it("has three names that others see", function() assert.same(THREE, seen_by_others(made .. "/libfogcloud.a")) end)

      it("puts all its modules into package.preload, and runs none before it is required", function()
        local said, code = run("preload", [[
          package.path, package.cpath = "", ""
          for name in pairs(package.loaded) do assert(not name:find "fogcloud", name) end
          for name in pairs(package.preload) do
            if name ~= "fogcloud.paho" then assert(pcall(require, name)) end
          end
          assert(not package.preload["fogcloud.cli"] and not package.preload["fogcloud.sandbox"])
          assert(not package.preload["fogcloud.host.luv"] and not package.preload["fogcloud._meta"])
          assert(require "fogcloud" == package.loaded.fogcloud)
          assert(require "fogcloud.errors" == package.loaded["fogcloud.errors"])
          print(require("fogcloud")._VERSION, pcall(require, "cjson"))]])
        assert.equal(0, code, said)
        assert.equal(fogcloud._VERSION .. "\tfalse", said:match "^[^\t]*\t[^\t]*")
      end)

      it("serves a state that never had package or require", function()
        local said, code = run("bare", [[
          local seen
          fogcloud.spawn(function()
            fogcloud.sleep(0.001)
            seen = fogcloud.info().fogcloud
          end)
          fogcloud.run()
          assert(open() == fogcloud and open "fogcloud" == fogcloud and open "other" == fogcloud)
          assert(open "fogcloud.metrics" == open "fogcloud.metrics" and open "fogcloud.metrics".text)
          print(seen, package, require)]])
        assert.same({ fogcloud._VERSION .. "\tnil\tnil\n", 0 }, { said, code })
        said, code = run("bare", "fogcloud.lead('a', print, 'redis://localhost')")
        assert.equal(1, code)
        assert.truthy(said:find("fogcloud.redis", 1, true), said)
      end)

      it("says that fogcloud_preload is not for such a state", function()
        assert.same({ "fogcloud_preload: this state has no package.preload; use luaopen_fogcloud\n", 1 },
          { run("bare preload", "") })
      end)

      it("names its own lines in errors", function()
        local said = run("preload", [[require("fogcloud.errors").new("nonsense")]])
        assert.truthy(said:find("unknown kind of error: nonsense", 1, true), said)
        said = run("preload", [[print(pcall(require("fogcloud.errors").one_line, nil, {}))]])
        local line = tonumber(said:match "fogcloud/errors.lua:(%d+):")
        local at = 0
        for text in io.lines "lua/fogcloud/errors.lua" do
          at = at + 1
          if at == line then assert.truthy(text:find("4 * limit", 1, true), said) end
        end
        assert.truthy(line, said)
      end)

      it("comes with all modules in one file, as text and as bytecode", function()
        for _, file in ipairs { "fogcloud.lua", "fogcloud.luac" } do
          local said, code = run("core", ([[
            local chunk = assert(loadfile(%q))
            local cores = { core }
            package.preload["cjson"] = nil
            package.preload["fogcloud.cjson"] = function()
              local coder = { decode_invalid_numbers = print, encode_invalid_numbers = print }
              return { new = function() return coder end }
            end
            local fogcloud = chunk(cores[1])
            assert(fogcloud == require "fogcloud" and require "fogcloud.metrics")
            print(fogcloud._VERSION)]]):format(made .. "/" .. file))
          assert.equal(0, code, said)
          assert.equal(fogcloud._VERSION, said:match "(%S+)\n$")
        end
        local text, bytes = io.open(made .. "/fogcloud.lua"):read "*a", io.open(made .. "/fogcloud.luac", "rb"):read "*a"
        assert.is_nil(text:find("FogCloud account. Sends nothing yet", 1, true), "a comment is left")
        assert.is_nil(bytes:find("check_budget", 1, true), "bytecode with names")
      end)
    end)
  end

  it("brings the journal and the store in Redis where they are asked for", function()
    local made = embed.make("lua5.4", folder .. "/with", "WITH='durable redis'")
    assert.same(THREE, seen_by_others(made .. "/libfogcloud.a"))
    local host = embed.link("lua5.4", made, embed.write(folder .. "/host.c", HOST), made .. "/host")
    local said, code = support.shell(host .. [[ preload 'package.path, package.cpath = "", ""
      local journal = os.tmpname()
      os.remove(journal)
      local opened = assert(require("fogcloud.durable").open(journal))
      opened:close()
      os.remove(journal)
      print(type(require "fogcloud.redis"))']])
    assert.same({ "table\n", 0 }, { said, code })
    said, code = support.shell("make -s embed WITH=paho EMBED=" .. folder .. "/none")
    assert.truthy(code ~= 0 and said:find("WITH: durable and redis are what there is", 1, true), said)
  end)

  for _, lua in ipairs { "lua5.4", "luajit", "lua5.1" } do
    it("holds bytecode where that is asked for, on " .. lua, function()
      local made = embed.make(lua, folder .. "/bytecode-" .. lua, "CODE=bytecode")
      local host = embed.link(lua, made, embed.write(folder .. "/host.c", HOST), made .. "/host")
      assert.equal(fogcloud._VERSION .. "\n", succeed(host .. [[ preload 'print(require("fogcloud")._VERSION)']]))
      local file = assert(io.open(made .. "/libfogcloud.a", "rb"))
      assert.is_nil(file:read("*a"):find("local require=", 1, true))
      file:close()
    end)
  end

  it("hides the libraries that are put inside", function()
    local libraries = succeed("for l in ssl crypto; do ${CC:-cc} -print-file-name=lib$l.a; done"):gsub("\n", " ")
    local made = embed.make("lua5.4", folder .. "/inside", ("INSIDE='%s'"):format(libraries))
    assert.same(THREE, seen_by_others(made .. "/libfogcloud.a"))
    local said = succeed("pkg-config --libs %s/fogcloud.pc", made)
    assert.truthy(said:find("-lcurl", 1, true) and not said:find("-lssl", 1, true), said)
    local host = embed.link("lua5.4", made, embed.write(folder .. "/host.c", HOST), made .. "/host")
    said = succeed(host .. [[ preload 'print(require("fogcloud").info().mqtt)']])
    assert.truthy(said:find("%S"), said)
    assert.is_nil(succeed("nm --undefined-only %s/libfogcloud.a", made):find "SSL_")
  end)

  it("is made for the Lua whose headers are named, and anew when they are others", function()
    local made = embed.make("lua5.4", folder .. "/own", "LUA_INCDIR=/usr/include/lua5.4")
    embed.make("lua5.4", folder .. "/own", "LUA_INCDIR=/usr/include/lua5.3")
    local host = embed.link("lua5.3", made, embed.write(folder .. "/host.c", HOST), made .. "/host")
    assert.equal(fogcloud._VERSION .. "\n", succeed(host .. [[ preload 'print(require("fogcloud")._VERSION)']]))
  end)

  it("is found by CMake", function()
    local made = embed.make("lua5.4", folder .. "/cmake")
    embed.write(folder .. "/cmake/host.c", HOST)
    embed.write(folder .. "/cmake/CMakeLists.txt", [[
      cmake_minimum_required(VERSION 3.16)
      project(host C)
      find_package(Fogcloud CONFIG REQUIRED)
      add_executable(host host.c)
      target_include_directories(host PRIVATE /usr/include/lua5.4)
      target_link_libraries(host fogcloud::fogcloud liblua5.4.a m dl)]])
    succeed("cmake -S %s -B %s/out -DFogcloud_DIR=%s -DCMAKE_C_FLAGS='%s' && cmake --build %s/out", made, made, made, embed.FLAGS,
      made)
    assert.equal(fogcloud._VERSION .. "\n", succeed(made .. [[/out/host preload 'print(require("fogcloud")._VERSION)']]))
  end)
end)
