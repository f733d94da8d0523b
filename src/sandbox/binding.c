/* SPDX-License-Identifier: MIT */
#include "binding.h"

FOG_EXPORT int luaopen_fogcloud_sandbox_core(lua_State *L);

int luaopen_fogcloud_sandbox_core(lua_State *L) {
  lua_newtable(L);
  fog_open_child(L);
  fog_open_relay(L);
  fog_open_server(L);
  fog_open_store(L);
  fog_open_system(L);
  fog_open_tap(L);
  return 1;
}
