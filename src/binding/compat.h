/* SPDX-License-Identifier: MIT
 *
 * All differences between Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4 that the binding meets.
 */
#ifndef FOG_COMPAT_H
#define FOG_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

#if LUA_VERSION_NUM < 502
#define lua_rawlen lua_objlen
/* Into the table on the top; no upvalues are ever wanted here. */
static inline void fog_setfuncs(lua_State *L, const luaL_Reg *funcs) {
  for (; funcs->name != NULL; funcs++) {
    lua_pushcfunction(L, funcs->func);
    lua_setfield(L, -2, funcs->name);
  }
}
#else
static inline void fog_setfuncs(lua_State *L, const luaL_Reg *funcs) { luaL_setfuncs(L, funcs, 0); }
#endif

#if LUA_VERSION_NUM < 504
#define lua_newuserdatauv(L, size, values) lua_newuserdata(L, size)
#endif

/* A whole number, which Lua 5.3 and later tell from a float; the others know one kind, exact up to 2^53. */
static inline void fog_push_whole(lua_State *L, uint64_t n) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)n);
#else
  lua_pushnumber(L, (lua_Number)n);
#endif
}

/* Sets a whole number as a field of the table on top. Counters of 64 bits stay whole where lua_Integer has 32. */
static inline void fog_set_whole(lua_State *L, const char *name, uint64_t n) {
  fog_push_whole(L, n);
  lua_setfield(L, -2, name);
}

#define FOG_EXPORT __attribute__((visibility("default")))

#endif
