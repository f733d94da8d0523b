/* SPDX-License-Identifier: MIT
 *
 * The module fogcloud.paho: the driver as the core takes it, its version, and what it can do.
 */
#include "../binding/class.h"
#include "../binding/driver_class.h"
#include "paho.h"

FOG_EXPORT int luaopen_fogcloud_paho(lua_State *L);

int luaopen_fogcloud_paho(lua_State *L) {
  const struct fog_capabilities *can = &fog_paho.can;
  const struct {
    const char *name;
    bool has;
  } CAPABILITIES[] = {{"qos2", can->qos2},
                      {"hold", can->hold},
                      {"durable", can->durable},
                      {"connection", can->connection},
                      {"authenticate", can->authenticate},
                      {"exact", can->exact},
                      {"goodbye", can->goodbye},
                      {"callers_thread", can->callers_thread}};
  lua_createtable(L, 0, 4);
  struct fog_l_driver *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->driver = &fog_paho;
  (void)luaL_newmetatable(L, FOG_DRIVER_CLASS);
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "driver");
  lua_pushstring(L, fog_paho.version());
  lua_setfield(L, -2, "version");
  lua_pushstring(L, can->why_not);
  lua_setfield(L, -2, "why_not");
  lua_createtable(L, 0, 8);
  for (size_t i = 0; i < sizeof CAPABILITIES / sizeof *CAPABILITIES; i++) {
    lua_pushboolean(L, CAPABILITIES[i].has);
    lua_setfield(L, -2, CAPABILITIES[i].name);
  }
  lua_setfield(L, -2, "can");
  return 1;
}
