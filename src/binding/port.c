/* SPDX-License-Identifier: MIT
 *
 * engine:port(), by which a module of its own reports through this engine, and engine:id(), the number of its next
 * request there.
 */
#include "../base/port.h"

#include "../base/process.h"
#include "handles.h"

static int l_close(lua_State *L) {
  struct fog_port *port = luaL_checkudata(L, 1, FOG_PORT_CLASS);
  if (port->queue != NULL) port->unref(port->queue);
  port->queue = NULL;
  return 0;
}

static int l_tostring(lua_State *L) {
  lua_pushliteral(L, FOG_PORT_CLASS);
  return 1;
}

static int l_port(lua_State *L) {
  static const luaL_Reg methods[] = {{NULL, NULL}};
  struct fog_engine *engine = fog_check_engine(L, 1);
  fog_class(L, FOG_PORT_CLASS, methods, l_close, l_tostring);
  struct fog_port *port = lua_newuserdatauv(L, sizeof *port, 0);
  *port = (struct fog_port){.version = FOG_PORT_VERSION,
                            .push = fog_queue_push,
                            .ref = fog_queue_ref,
                            .unref = fog_queue_unref,
                            .thread = fog_process_thread};
  luaL_getmetatable(L, FOG_PORT_CLASS);
  lua_setmetatable(L, -2);
  port->queue = fog_queue_ref(fog_engine_queue(engine));
  return 1;
}

static int l_id(lua_State *L) {
  lua_pushnumber(L, (lua_Number)fog_engine_new_id(fog_check_engine(L, 1)));
  return 1;
}

const luaL_Reg fog_port_methods[] = {{"port", l_port}, {"id", l_id}, {NULL, NULL}};
