/* SPDX-License-Identifier: MIT
 *
 * MQTT 5 properties between a Lua table and the bytes of the wire (mqtt/properties.h).
 */
#ifndef FOG_BINDING_PROPERTIES_H
#define FOG_BINDING_PROPERTIES_H

#include "util.h"

/* core.properties(table, packet) -> the block as a string. packet: "publish", "will", "connect" or "subscribe". Raises,
 * naming the property, where one is unknown, not for this packet, or of the wrong type or range. */
int fog_l_properties(lua_State *L);

/* Pushes a table with the properties of a block. */
void fog_push_properties(lua_State *L, const char *bytes, size_t len);

#endif
