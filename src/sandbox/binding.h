/* SPDX-License-Identifier: MIT
 *
 * The opens of the sandbox's module; each sets its functions in the table on the top.
 */
#ifndef FOG_SANDBOX_BINDING_H
#define FOG_SANDBOX_BINDING_H

#include "../binding/class.h"

void fog_open_child(lua_State *L);
void fog_open_relay(lua_State *L);
void fog_open_server(lua_State *L);
void fog_open_store(lua_State *L);
void fog_open_system(lua_State *L);
void fog_open_tap(lua_State *L);

#endif
