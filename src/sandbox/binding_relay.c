/* SPDX-License-Identifier: MIT
 *
 * core.relay(seed) -> relay: tls, listen, set, kick, close.
 */
#include "binding.h"
#include "relay.h"

#define CLASS "fogcloud.SandboxRelay"

struct l_relay {
  struct fog_relay *relay; /* NULL: closed */
};

static struct fog_relay *check(lua_State *L) {
  struct l_relay *box = luaL_checkudata(L, 1, CLASS);
  if (box->relay == NULL) (void)luaL_argerror(L, 1, "the relay is closed");
  return box->relay;
}

static int l_close(lua_State *L) {
  struct l_relay *box = luaL_checkudata(L, 1, CLASS);
  struct fog_relay *relay = box->relay;
  box->relay = NULL;
  if (relay != NULL) fog_relay_free(relay);
  return 0;
}

static int l_relay(lua_State *L) {
  struct l_relay *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->relay = NULL;
  luaL_getmetatable(L, CLASS);
  lua_setmetatable(L, -2);
  box->relay = fog_relay_new((uint32_t)luaL_checkinteger(L, 1));
  if (box->relay == NULL) return luaL_error(L, "the relay cannot start");
  return 1;
}

/* relay:tls(cert, key, client_ca | nil) -> true, or nothing */
static int l_tls(lua_State *L) {
  if (!fog_relay_tls(check(L), luaL_checkstring(L, 2), luaL_checkstring(L, 3), luaL_optstring(L, 4, NULL))) return 0;
  lua_pushboolean(L, 1);
  return 1;
}

/* relay:listen(address, port, broker_port, tls) -> port, or nil */
static int l_listen(lua_State *L) {
  int port = fog_relay_listen(check(L), luaL_checkstring(L, 2), (int)luaL_checkinteger(L, 3),
                              (int)luaL_checkinteger(L, 4), lua_toboolean(L, 5) != 0);
  if (port < 0) return 0;
  lua_pushinteger(L, port);
  return 1;
}

static long number(lua_State *L, const char *name, long def) {
  lua_getfield(L, 2, name);
  long n = (long)luaL_optnumber(L, -1, (lua_Number)def);
  lua_pop(L, 1);
  return n;
}

static bool flag(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  bool on = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return on;
}

/* relay:set(rules): those of relay.h by name; what is left out spoils nothing. */
static int l_set(lua_State *L) {
  static const char *const names[] = {"pass", "swallow", "duplicate", NULL};
  struct fog_relay *relay = check(L);
  struct fog_relay_rules rules = fog_relay_no_rules;
  luaL_checktype(L, 2, LUA_TTABLE);
  rules.refuse = flag(L, "refuse");
  rules.silent = flag(L, "half_open");
  rules.mid = flag(L, "mid_packet");
  rules.connack = (int)number(L, "connack", -1);
  rules.cut_packets = number(L, "cut_after", -1);
  rules.cut_bytes = number(L, "cut_bytes", -1);
  rules.delay_ms = (unsigned)number(L, "delay_ms", 0);
  rules.puback_delay_ms = (unsigned)number(L, "puback_delay_ms", 0);
  rules.rate = number(L, "rate", 0);
  rules.count = number(L, "count", 0);
  lua_getfield(L, 2, "probability");
  rules.probability = luaL_optnumber(L, -1, 1);
  lua_getfield(L, 2, "puback");
  rules.puback = (enum fog_relay_puback)luaL_checkoption(L, -1, "pass", names);
  fog_relay_set(relay, &rules);
  return 0;
}

/* relay:kick(client_id | nil) -> how many */
static int l_kick(lua_State *L) {
  lua_pushinteger(L, fog_relay_kick(check(L), luaL_optstring(L, 2, NULL)));
  return 1;
}

/* relay:struck() -> how many connections have met the rules */
static int l_struck(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)fog_relay_struck(check(L)));
  return 1;
}

void fog_open_relay(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", l_close}, {"tls", l_tls},       {"listen", l_listen}, {"set", l_set},
                                     {"kick", l_kick},   {"struck", l_struck}, {NULL, NULL}};
  fog_class(L, CLASS, methods, l_close, NULL);
  lua_pushcfunction(L, l_relay);
  lua_setfield(L, -2, "relay");
}
