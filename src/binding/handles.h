/* SPDX-License-Identifier: MIT
 *
 * The userdata classes and how the files of the binding reach the core objects in them.
 */
#ifndef FOG_HANDLES_H
#define FOG_HANDLES_H

#include <sys/types.h>

#include "../mqtt/driver.h"
#include "../mqtt/handled.h"
#include "driver_class.h"
#include "engine.h"
#include "util.h"

#define FOG_ENGINE_CLASS "fogcloud.Engine"
#define FOG_SESSION_CLASS "fogcloud.CoreSession"

/* The userdata behind FOG_SESSION_CLASS. */
struct fog_l_session {
  struct fog_session *session; /* NULL: never opened, or collected */
  uint32_t id;
  bool closed; /* no command is taken any more */
  bool handled_mode;
  struct fog_handled handled; /* acknowledge = "handled" */
  pid_t pid;                  /* where it was made */
  double told;                /* when the driver was last told of what is handled */
};

/* Raises when the engine is closed, or was made before this process was forked. */
struct fog_engine *fog_check_engine(lua_State *L, int arg);

/* engine:session(limits) */
int fog_l_session(lua_State *L);

/* The options of session:connect(options), for the driver, to whom they belong then. Wrong ones raise; NULL: no
 * memory. */
struct fog_link_options *fog_l_link_options(lua_State *L);
void fog_open_link_options(lua_State *L);

/* engine:port() and engine:id() */
extern const luaL_Reg fog_port_methods[];

/* session:receiver() */
int fog_l_receiver(lua_State *L);

/* session:handled(number) */
int fog_l_handled(lua_State *L);

/* core.common(opts), engine:token(opts, params) and the other four; after fog_open_engine. */
int fog_open_api(lua_State *L);

/* headers(block): a reply's header block as a table of lower-case names. */
int fog_l_headers(lua_State *L);

/* plain_data(body): see plain.c. */
int fog_l_plain_data(lua_State *L);

/* probe(host, port, options): see probe.c. */
int fog_l_probe(lua_State *L);

/* Pushes ev as Lua values and releases it. The number of values. */
int fog_push_event(lua_State *L, struct fog_event *ev);

/* The same, and ev stays the caller's. */
int fog_push_event_kept(lua_State *L, const struct fog_event *ev);

#endif
