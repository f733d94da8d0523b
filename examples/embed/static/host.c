/* SPDX-License-Identifier: MIT
 * A program with a static Lua and no files: the main job of fogcloud, frame by frame, all of it from memory.
 *   make embed LUA=lua5.4 CJSON_DIR=…
 *   E=build/embed/lua5.4
 *   cc -I/usr/include/lua5.4 host.c $(pkg-config --cflags --libs $E/fogcloud.pc) -l:liblua5.4.a -lm -ldl
 *   host BASE_URL CLIENT_ID CLIENT_SECRET APP_ID DEVICE CA_PEM */
#include <fogcloud_embed.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

/* What a game would keep in its archive: gives the function that is called each frame. */
static const char job[] =
    "local base_url, client_id, client_secret, app_id, device, ca_pem = ...\n"
    "local fogcloud = require 'fogcloud'\n"
    "local cloud = fogcloud.new { base_url = base_url, client_id = client_id, client_secret = client_secret,\n"
    "  ca_pem = ca_pem, environment = false }\n"
    "local done\n"
    "fogcloud.spawn(function()\n"
    "  local session = assert(cloud:open { app_id = app_id, devices = { device } })\n"
    "  local got = 0\n"
    "  assert(session:subscribe('d2c/' .. device .. '/#', 1, function() got = got + 1 end))\n"
    "  assert(session:publish('c2d/' .. device .. '/power', 'on', { qos = 1 }))\n"
    "  assert(session:flush(10))\n"
    "  print('products: ' .. #assert(cloud:products()))\n"
    "  session:close()\n"
    "  done = true\n"
    "end)\n"
    "return function()\n"
    "  fogcloud.step(0.01, { events = 100, time = 0.002 })\n"
    "  return done == true\n"
    "end\n";

static int failed(lua_State *L) {
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return 1;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  fogcloud_preload(L);
  if (luaL_loadbuffer(L, job, sizeof job - 1, "=job") != 0) return failed(L);
  for (int i = 1; i < argc; i++) lua_pushstring(L, argv[i]);
  if (lua_pcall(L, argc - 1, 1, 0) != 0) return failed(L);
  for (int done = 0; !done;) { /* a game would draw in here */
    lua_pushvalue(L, -1);
    if (lua_pcall(L, 0, 1, 0) != 0) return failed(L);
    done = lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  lua_close(L);
  puts("done");
  return 0;
}
