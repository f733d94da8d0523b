/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "../core/process.h"
#include "handles.h"
#include "properties.h"

FOG_EXPORT int luaopen_fogcloud_core(lua_State *L);

static int l_now(lua_State *L) {
  lua_pushnumber(L, fog_process_now());
  return 1;
}

static int l_wall(lua_State *L) {
  lua_pushnumber(L, fog_process_wall());
  return 1;
}

static int l_pid(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)getpid());
  return 1;
}

static void push_versions(lua_State *L) {
  lua_newtable(L);
  lua_pushstring(L, fog_http_curl_version());
  lua_setfield(L, -2, "curl");
  lua_pushstring(L, fog_http_tls_version());
  lua_setfield(L, -2, "tls");
  lua_pushstring(L, fog_dispatcher_paho_version());
  lua_setfield(L, -2, "paho");
}

int luaopen_fogcloud_core(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"now", l_now}, {"wall", l_wall}, {"pid", l_pid}, {"headers", fog_l_headers}, {"properties", fog_l_properties},
      {NULL, NULL},
  };
  lua_newtable(L);
  fog_setfuncs(L, functions);
  (void)fog_open_engine(L);
  (void)fog_open_mqtt(L);
  (void)fog_open_file(L);
  lua_setfield(L, -2, "file");
  push_versions(L);
  lua_setfield(L, -2, "versions");
  return 1;
}
