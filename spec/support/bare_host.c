/* SPDX-License-Identifier: MIT
 * bare_host MAIN MODULE ARGUMENT…: a state without os, io, debug, package, require, print and whatever loads code,
 * whose globals are strict, as a game's sandbox may be, with fogcloud in it. Runs the chunk MAIN(fogcloud, module,
 * print, ARGUMENT…), where `module` is what the chunk MODULE gives. Both get a `require` of our modules. */
#include <fogcloud_embed.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char strict[] =
    "for _, name in ipairs { 'load', 'loadstring', 'loadfile', 'dofile', 'require', 'module', 'print', 'jit', 'bit' } "
    "do\n"
    "  _G[name] = nil\n"
    "end\n"
    "setmetatable(_G, {\n"
    "  __index = function(_, name) error('there is no global ' .. name, 2) end,\n"
    "  __newindex = function(_, name) error('a new global ' .. name, 2) end,\n"
    "})\n";

static int l_print(lua_State *L) {
  puts(luaL_checkstring(L, 1));
  return 0;
}

static int l_require(lua_State *L) {
  lua_pushcfunction(L, luaopen_fogcloud);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static void open(lua_State *L, lua_CFunction library, const char *name) {
  lua_pushcfunction(L, library);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  if (*name != '\0' && lua_istable(L, -1)) lua_setglobal(L, name); /* as some Luas do by themselves */
  lua_settop(L, 0);
}

static void open_few(lua_State *L) {
  open(L, luaopen_base, "");
#if LUA_VERSION_NUM >= 502
  open(L, luaopen_coroutine, "coroutine");
#endif
  open(L, luaopen_string, "string");
  open(L, luaopen_table, "table");
  open(L, luaopen_math, "math");
  if (luaL_loadstring(L, strict) != 0) (void)lua_error(L);
  lua_call(L, 0, 0);
}

/* The chunk of a file, to which `require` is a local variable. */
static void load(lua_State *L, const char *path) {
  static char text[65536] = "local require = ... ";
  size_t len = strlen("local require = ... ");
  FILE *file = fopen(path, "r");
  if (file == NULL) (void)luaL_error(L, "%s is not there", path);
  len += fread(text + len, 1, sizeof text - len, file);
  (void)fclose(file);
  if (luaL_loadbuffer(L, text, len, path) != 0) (void)lua_error(L);
  lua_pushcfunction(L, l_require);
}

static int run(lua_State *L) {
  char **argv = lua_touserdata(L, 1);
  open_few(L);
  lua_pushcfunction(L, luaopen_fogcloud);
  lua_call(L, 0, 1);
  load(L, argv[1]);
  lua_call(L, 1, 1);
  lua_insert(L, 1);
  load(L, argv[2]);
  lua_call(L, 1, 1);
  lua_pushcfunction(L, l_print);
  int arguments = 0;
  for (; argv[3 + arguments] != NULL; arguments++) lua_pushstring(L, argv[3 + arguments]);
  lua_call(L, 3 + arguments, 0);
  return 0;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, argv);
  int failed = argc < 3 || lua_pcall(L, 1, 0, 0) != 0;
  if (failed) puts(lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
