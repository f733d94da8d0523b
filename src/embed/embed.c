/* SPDX-License-Identifier: MIT
 *
 * How our modules get into a state that finds no files: each is a function in package.preload, which compiles its text
 * when it is required. Inside of them `require` is ours, so that a state needs none: it looks among the loaded modules,
 * which it shares with Lua's own, then among ours, and asks Lua's for all others.
 */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "fogcloud_embed.h"
#include "modules.h"

static const char LOADED[] = "_LOADED"; /* package.loaded, in the registry of every Lua; without `package` too */

static const struct fog_module *find(const char *name) {
  const struct fog_module *module = fog_modules;
  while (module->name != NULL && strcmp(module->name, name) != 0) module++;
  return module->name == NULL ? NULL : module;
}

/* Pushes the field of the table on top without its metamethods, nil where that is no table; removes what was there. */
static void take_field(lua_State *L, const char *name) {
  if (lua_istable(L, -1)) {
    lua_pushstring(L, name);
    lua_rawget(L, -2);
  } else {
    lua_pushnil(L);
  }
  lua_remove(L, -2);
}

static void push_registry(lua_State *L) { lua_pushvalue(L, LUA_REGISTRYINDEX); }

/* The table of loaded modules, made where there is none. */
static void push_loaded(lua_State *L) {
  push_registry(L);
  take_field(L, LOADED);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, LOADED);
}

static void push_globals(lua_State *L) {
#if LUA_VERSION_NUM < 502
  lua_pushvalue(L, LUA_GLOBALSINDEX);
#else
  lua_pushglobaltable(L);
#endif
}

static int l_require(lua_State *L);

/* Runs the module and leaves what it gives. */
static void run(lua_State *L, const struct fog_module *module) {
  if (module->open != NULL) {
    lua_pushcfunction(L, module->open);
  } else {
    if (luaL_loadbuffer(L, module->text, module->len, module->chunk) != 0) (void)lua_error(L);
    lua_pushcfunction(L, l_require);
  }
  lua_pushstring(L, module->name);
  lua_call(L, module->open != NULL ? 1 : 2, 1);
}

/* Of a module that is not ours: by the program's require, where it has one. */
static int require_foreign(lua_State *L, const char *name) {
  push_globals(L);
  take_field(L, "require");
  if (!lua_isfunction(L, -1))
    return luaL_error(L, "module '%s' not found: it is not in fogcloud's archive, and Lua has no require", name);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* require(name) of our modules: without package, and without the program's searchers. */
static int l_require(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  push_loaded(L);
  lua_pushvalue(L, 2);
  take_field(L, name);
  if (lua_toboolean(L, -1)) return 1;
  const struct fog_module *module = find(name);
  if (module == NULL) return require_foreign(L, name);
  run(L, module);
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, name);
  return 1;
}

/* A function of package.preload. */
static int l_preloaded(lua_State *L) {
  run(L, &fog_modules[lua_tointeger(L, lua_upvalueindex(1))]);
  return 1;
}

/* package.preload; nil in a state without package. */
static void push_preload(lua_State *L) {
  push_loaded(L);
  take_field(L, "package");
  take_field(L, "preload");
}

void fogcloud_preload(lua_State *L) {
  push_preload(L);
  if (!lua_istable(L, -1))
    (void)luaL_error(L, "fogcloud_preload: this state has no package.preload; use luaopen_fogcloud");
  for (lua_Integer i = 0; fog_modules[i].name != NULL; i++) {
    lua_pushinteger(L, i);
    lua_pushcclosure(L, l_preloaded, 1);
    lua_setfield(L, -2, fog_modules[i].name);
  }
  lua_pop(L, 1);
}

int luaopen_fogcloud(lua_State *L) {
  bool named = lua_type(L, 1) == LUA_TSTRING && find(lua_tostring(L, 1)) != NULL;
  lua_pushcfunction(L, l_require);
  if (named)
    lua_pushvalue(L, 1);
  else
    lua_pushliteral(L, "fogcloud");
  lua_call(L, 1, 1);
  return 1;
}
