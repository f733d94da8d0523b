/* SPDX-License-Identifier: MIT */
#include "binding.h"

FOG_EXPORT int luaopen_fogcloud_sandbox_core(lua_State *L);

void fog_sandbox_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
  if (luaL_newmetatable(L, name) != 0) {
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__close");
    lua_newtable(L);
    fog_setfuncs(L, methods);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "close");
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}

int luaopen_fogcloud_sandbox_core(lua_State *L) {
  lua_newtable(L);
  fog_open_child(L);
  fog_open_relay(L);
  fog_open_server(L);
  fog_open_store(L);
  fog_open_system(L);
  return 1;
}
