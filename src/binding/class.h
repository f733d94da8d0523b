/* SPDX-License-Identifier: MIT
 *
 * How a class of userdata is made: by all modules, fogcloud.core and the others.
 */
#ifndef FOG_CLASS_H
#define FOG_CLASS_H

#include "compat.h"

/* Makes the metatable `name` with these methods under __index, gc as __gc and __close, and __tostring unless that is
 * NULL. Leaves nothing. */
void fog_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring);

/* Adds methods to the class `name`, which is there. Leaves nothing. */
void fog_class_extend(lua_State *L, const char *name, const luaL_Reg *methods);

#endif
