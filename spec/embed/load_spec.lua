-- SPDX-License-Identifier: MIT

-- What cannot work says so when it is loaded.
local embed = require "spec.support.embed"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

-- A libcurl of version VERSION and with FEATURES, which whoever loads one gets.
local CURL = [[
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void *dlopen(const char *name, int flags) {
  void *(*next)(const char *, int) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
  return next(name != NULL && strcmp(name, "libcurl.so.4") == 0 ? getenv("LD_PRELOAD") : name, flags);
}

curl_version_info_data *curl_version_info(CURLversion age) {
  static curl_version_info_data data = {.version = VERSION, .version_num = NUMBER, .features = FEATURES};
  (void)age;
  return &data;
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

  -- What the first request says.
  local function with_curl(version, number, features)
    local library = folder .. "/curl.so"
    embed.write(folder .. "/curl.c", CURL)
    embed.succeed("${CC:-cc} -shared -fPIC -D_GNU_SOURCE %s -D'VERSION=\"%s\"' -DNUMBER=%s -DFEATURES=%s %s/curl.c -o %s "
      .. "-Wl,--no-as-needed -lcurl -ldl", embed.FLAGS, version, number, features, folder, library)
    return script.run('print(require("fogcloud.core").engine():products({ base_url = "http://127.0.0.1:1", token = "t" }, {}))',
      ("env LD_PRELOAD=%s %s"):format(library, script.interpreter()))
  end

  it("refuses a libcurl that is older than the headers, and says whose it is", function()
    assert.matches("nil\tfogcloud was built for libcurl [%d.]+ and later, and the one of %S+/curl.so is 7%.19%.7: the program, "
      .. "or a library that it loaded before, has one of its own", with_curl("7.19.7", "0x071307", "CURL_VERSION_SSL"))
  end)

  it("refuses one without TLS", function()
    assert.matches("nil\tfogcloud needs a libcurl with TLS, and the one of %S+/curl.so has none",
      with_curl("99.0.0", "0x630000", "0"))
  end)

  it("takes a later one", function()
    assert.matches("^1%.?0?\n", with_curl("99.0.0", "0x630000", "CURL_VERSION_SSL"))
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
