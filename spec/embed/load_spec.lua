-- SPDX-License-Identifier: MIT

-- What cannot work says so when it is loaded.
local embed = require "spec.support.embed"
local support = require "spec.support.sandbox"

-- A program that exports a libcurl of its own, of version VERSION and with FEATURES, and runs the Lua text of its argument.
local CURL_HOST = [[
#include <curl/curl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

curl_version_info_data *curl_version_info(CURLversion age) {
  static curl_version_info_data data = {.version = VERSION, .version_num = NUMBER, .features = FEATURES};
  (void)age;
  return &data;
}
CURL *curl_easy_init(void) { return NULL; }

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  int failed = argc < 2 || luaL_loadstring(L, argv[1]) != 0 || lua_pcall(L, 0, 0, 0) != 0;
  if (failed) puts(lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
]]

-- A Lua whose numbers, or whose whole numbers, have 32 bits, as the archive sees it.
local NARROW_HOST = [[
#include <fogcloud_embed.h>
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>

lua_Number __real_lua_tonumberx(lua_State *L, int at, int *is);
lua_Number __wrap_lua_tonumberx(lua_State *L, int at, int *is);
lua_Number __wrap_lua_tonumberx(lua_State *L, int at, int *is) { return NARROW(__real_lua_tonumberx(L, at, is)); }

int main(void) {
  lua_State *L = luaL_newstate();
  lua_pushcfunction(L, luaopen_fogcloud_core);
  int failed = lua_pcall(L, 0, 1, 0) != 0;
  puts(failed ? lua_tostring(L, -1) : "loaded");
  lua_close(L);
  return failed;
}
]]

describe("loading", function()
  local folder

  setup(function() folder = embed.succeed("mktemp -d"):match "%S+" end)
  teardown(function() support.shell("rm -rf " .. folder) end)

  local function with_curl(version, number, features)
    local program = folder .. "/curl"
    embed.write(folder .. "/curl.c", CURL_HOST)
    embed.succeed("${CC:-cc} %s -rdynamic -I/usr/include/lua5.4 -D'VERSION=\"%s\"' -DNUMBER=%s -DFEATURES=%s %s/curl.c -o %s "
      .. "-Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive -lm -ldl", embed.FLAGS, version, number, features, folder, program)
    return support.shell(("%s 'package.cpath = \"%s/?.so\" require \"fogcloud.core\"'"):format(program,
      os.getenv "FOGCLOUD_BUILD"))
  end

  it("refuses a libcurl that is older than the headers, and says whose it is", function()
    local said, code = with_curl("7.19.7", "0x071307", "CURL_VERSION_SSL")
    assert.equal(1, code, said)
    assert.matches("fogcloud was built for libcurl [%d.]+ and later, and the one of %S+/curl is 7%.19%.7: the program, or a "
      .. "library that it loaded before, has one of its own", said)
  end)

  it("refuses one without TLS", function()
    local said, code = with_curl("99.0.0", "0x630000", "0")
    assert.equal(1, code, said)
    assert.matches("fogcloud needs a libcurl with TLS, and the one of %S+/curl has none", said)
  end)

  it("takes a later one", function()
    local said, code = with_curl("99.0.0", "0x630000", "CURL_VERSION_SSL")
    assert.same({ "", 0 }, { said, code })
  end)

  it("refuses a Lua whose numbers have 32 bits", function()
    local made = embed.make("lua5.4", folder .. "/lua5.4")
    for narrow, expected in pairs { float = 1, int32_t = 1, lua_Number = 0 } do
      embed.write(folder .. "/narrow.c", (NARROW_HOST:gsub("NARROW", "(lua_Number)(" .. narrow .. ")")))
      local host = embed.link("lua5.4", made, folder .. "/narrow.c", folder .. "/narrow", "-Wl,--wrap=lua_tonumberx")
      local said, code = support.shell(host)
      assert.equal(expected, code, narrow .. ": " .. said)
      assert.equal(expected == 1, said:find("needs a Lua whose numbers have 64 bits", 1, true) ~= nil, said)
    end
  end)
end)
