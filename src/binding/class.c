/* SPDX-License-Identifier: MIT */
#include "class.h"

static void set_function(lua_State *L, const char *field, lua_CFunction function) {
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, field);
}

void fog_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring) {
  if (luaL_newmetatable(L, name) != 0) {
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    set_function(L, "__gc", gc);
    set_function(L, "__close", gc);
    if (tostring != NULL) set_function(L, "__tostring", tostring);
    lua_newtable(L);
    fog_setfuncs(L, methods);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}

void fog_class_extend(lua_State *L, const char *name, const luaL_Reg *methods) {
  luaL_getmetatable(L, name);
  lua_getfield(L, -1, "__index");
  fog_setfuncs(L, methods);
  lua_pop(L, 2);
}
