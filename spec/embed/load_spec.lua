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
  return next(name != NULL && strcmp(name, "libcurl.so.4") == 0 ? getenv("CURL_ASKED") : name, flags);
}

curl_version_info_data *curl_version_info(CURLversion age) {
  static curl_version_info_data data = {.version = VERSION, .version_num = NUMBER, .features = FEATURES};
  (void)age;
  return &data;
}
]]

-- A program that shows an OpenSSL of its own to what it loads, and runs the Lua text of its argument; behind that, what it
-- loads before, by RTLD_DEEPBIND.
local OPENSSL_HOST = [[
#include <dlfcn.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

unsigned long OpenSSL_version_num(void);
unsigned long OpenSSL_version_num(void) { return NUMBER; }
const char *OpenSSL_version(int which);
const char *OpenSSL_version(int which) { return which == 0 ? "OpenSSL of the host" : ""; }

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (argc > 2 && dlopen(argv[2], RTLD_NOW | RTLD_DEEPBIND) == NULL) puts(dlerror());
  int failed = argc < 2 || luaL_loadstring(L, argv[1]) != 0 || lua_pcall(L, 0, 0, 0) != 0;
  if (failed) puts(lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
]]

-- A host of the archive that is linked with an old libcurl.
local CURL_HOST = [[
#include <curl/curl.h>
#include <fogcloud_embed.h>
#include <lauxlib.h>
#include <stdio.h>

curl_version_info_data *curl_version_info(CURLversion age) {
  static curl_version_info_data data = {.version = "7.19.7", .version_num = 0x071307, .features = CURL_VERSION_SSL};
  (void)age;
  return &data;
}

int main(void) {
  lua_State *L = luaL_newstate();
  lua_pushcfunction(L, luaopen_fogcloud_core);
  int failed = lua_pcall(L, 0, 1, 0) != 0;
  puts(failed ? lua_tostring(L, -1) : "loaded");
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

  -- What the first request says.
  local function with_curl(version, number, features)
    local library = folder .. "/curl.so"
    embed.write(folder .. "/curl.c", CURL)
    embed.succeed("${CC:-cc} -shared -fPIC -D_GNU_SOURCE %s -D'VERSION=\"%s\"' -DNUMBER=%s -DFEATURES=%s %s/curl.c -o %s "
      .. "-Wl,--no-as-needed -lcurl -ldl", embed.FLAGS, version, number, features, folder, library)
    return script.run('print(require("fogcloud.core").engine():products({ base_url = "http://127.0.0.1:1", token = "t" }, {}))',
      script.preloading(library, library))
  end

  it("refuses a libcurl that is older than the headers, and says whose it is", function()
    assert.matches("nil\tfogcloud was built for libcurl [%d.]+ and later, and the one of %S+/curl.so is 7%.19%.7: the program, "
      .. "or a library that it loaded before, has one of its own", with_curl("7.19.7", "0x071307", "CURL_VERSION_SSL"))
  end)

  it("refuses it at once where it is linked", function()
    local made = embed.make("lua5.4", folder .. "/lua5.4")
    local host = embed.link("lua5.4", made, embed.write(folder .. "/old.c", CURL_HOST), folder .. "/old")
    local said, code = support.shell(host)
    assert.equal(1, code, said)
    assert.matches("fogcloud was built for libcurl [%d.]+ and later, and the one of %S+/old is 7%.19%.7", said)
  end)

  local function with_openssl(number, first)
    local program = folder .. "/openssl"
    embed.write(folder .. "/openssl.c", OPENSSL_HOST)
    embed.succeed("${CC:-cc} %s -D_GNU_SOURCE -rdynamic -I/usr/include/lua5.4 -DNUMBER=%s %s/openssl.c -o %s "
      .. "-Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive -lm -ldl", embed.FLAGS, number, folder, program)
    return support.shell(("%s 'package.cpath = \"%s/?.so\" require \"fogcloud.core\"' %s"):format(program,
      os.getenv "FOGCLOUD_BUILD", first or ""))
  end

  it("refuses an OpenSSL that the program shows, of another major version or an older one", function()
    for _, number in ipairs { "0x1010117fL", "0x7FFFFFFFL", "0x2FF00000L" } do
      local said, code = with_openssl(number)
      assert.equal(1, code, number .. said)
      assert.matches("fogcloud was built for OpenSSL [^,]+, and that of %S+/openssl is OpenSSL of the host: the program, or a "
        .. "library that it loaded before, has one of its own", said)
    end
    assert.same({ "", 0 }, { with_openssl "0x3FF00000L" })
  end)

  it("takes the module's own where that was loaded with RTLD_DEEPBIND before", function()
    if (os.getenv "SANITIZE" or "") ~= "" then return end -- no sanitizer bears that flag
    assert.same({ "", 0 }, { with_openssl("0x1010117fL", os.getenv "FOGCLOUD_BUILD" .. "/fogcloud/core.so") })
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
