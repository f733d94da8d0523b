/* SPDX-License-Identifier: MIT
 *
 * fogcloud in one archive, for a program that has Lua states of its own. docs/guide-embedding.md has what is linked
 * with it, and hosts in ten lines.
 */
#ifndef FOGCLOUD_EMBED_H
#define FOGCLOUD_EMBED_H

#include <lua.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Puts the core and every module into package.preload, so that `require "fogcloud"` finds them in memory. Opens and
 * starts nothing; a module is compiled when it is required first. Raises a Lua error in a state that has no package
 * library, and without memory. Harmless twice. */
void fogcloud_preload(lua_State *L);

/* Pushes what `require "fogcloud"` gives, and returns 1: for states that have no `package`, no `require`. With the name
 * of another module as its argument, as `luaL_requiref(L, "fogcloud.metrics", luaopen_fogcloud, 0)` calls it, that one.
 * Raises what loading raises. */
int luaopen_fogcloud(lua_State *L);

/* The core alone, for whoever loads fogcloud.lua, the modules in one file, by a way of the program's own. */
int luaopen_fogcloud_core(lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
