/* SPDX-License-Identifier: MIT */
#include "util.h"

#include <string.h>

static void wrong_type(lua_State *L, const char *field, const char *expected) {
  (void)luaL_error(L, "option '%s': %s expected, got %s", field, expected, luaL_typename(L, -1));
}

const char *fog_opt_string(lua_State *L, int t, const char *field, size_t *len) {
  lua_getfield(L, t, field);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING) wrong_type(L, field, "string");
  const char *s = lua_tolstring(L, -1, len);
  lua_pop(L, 1); /* the table keeps the string alive */
  return s;
}

char *fog_opt_copy(lua_State *L, int t, const char *field, bool *no_memory) {
  size_t len = 0;
  const char *s = fog_opt_string(L, t, field, &len);
  if (s == NULL) return NULL;
  if (strlen(s) != len) (void)luaL_error(L, "option '%s' holds a NUL byte", field);
  char *copy = strdup(s);
  if (copy == NULL) *no_memory = true;
  return copy;
}

double fog_opt_number(lua_State *L, int t, const char *field, double def, double min, double max) {
  lua_getfield(L, t, field);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER) wrong_type(L, field, "number");
  double n = lua_isnil(L, -1) ? def : lua_tonumber(L, -1);
  lua_pop(L, 1);
  if (!(n >= min && n <= max)) (void)luaL_error(L, "option '%s' is out of range", field);
  return n;
}

bool fog_opt_bool(lua_State *L, int t, const char *field, bool def) {
  lua_getfield(L, t, field);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TBOOLEAN) wrong_type(L, field, "boolean");
  bool b = lua_isnil(L, -1) ? def : lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return b;
}

int fog_check_timeout_ms(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return -1;
  double s = luaL_checknumber(L, arg);
  if (!(s >= 0)) return s < 0 ? -1 : 0;
  if (s > 86400) s = 86400; /* a day: callers loop on their deadline anyway */
  int ms = (int)(s * 1e3);
  return (double)ms < s * 1e3 ? ms + 1 : ms;
}
