/* SPDX-License-Identifier: MIT
 *
 * fogcloud.redis: client(port, options), with send(id, arguments) and close(); tls and version.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>

#include "../binding/util.h"
#include "client.h"
#include "tls.h"

FOG_EXPORT int luaopen_fogcloud_redis(lua_State *L);

#define CLIENT_CLASS "fogcloud.RedisClient"

enum { MAX_ARGUMENTS = 16 };

static const double DEFAULT_TIMEOUT = 3, MAX_TIMEOUT = 60;

struct l_client {
  struct fog_redis *client; /* NULL: closed */
};

static struct fog_redis *check_client(lua_State *L) {
  struct l_client *box = luaL_checkudata(L, 1, CLIENT_CLASS);
  if (box->client == NULL) (void)luaL_argerror(L, 1, "the client is closed");
  if (fog_redis_forked(box->client)) (void)luaL_error(L, "fogcloud was started before this process was forked");
  return box->client;
}

static const struct fog_port *check_port(lua_State *L) {
  const struct fog_port *port = luaL_checkudata(L, 1, FOG_PORT_CLASS);
  if (port->version != FOG_PORT_VERSION)
    (void)luaL_error(L, "fogcloud.redis and fogcloud.core are not of one version: install them together");
  return port;
}

static void check_options(lua_State *L, const struct fog_redis_options *o) {
  if (o->path == NULL && (o->host == NULL || o->port == NULL))
    (void)luaL_error(L, "option 'host' or 'path' is missing");
  if ((o->cert_file == NULL) != (o->key_file == NULL))
    (void)luaL_error(L, "options 'cert_file' and 'key_file': both or none expected");
  if (o->tls && o->path != NULL) (void)luaL_error(L, "option 'tls': not on a socket of this machine");
}

/* client(port, options): nothing is sent yet. nil, err: no memory or descriptor */
static int l_client(lua_State *L) {
  const struct fog_port *port = check_port(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const struct fog_redis_options o = {
      .host = fog_opt_string(L, 2, "host", NULL),
      .port = fog_opt_string(L, 2, "port", NULL),
      .path = fog_opt_string(L, 2, "path", NULL),
      .user = fog_opt_string(L, 2, "user", NULL),
      .password = fog_opt_string(L, 2, "password", NULL),
      .database = fog_opt_string(L, 2, "database", NULL),
      .tls = fog_opt_bool(L, 2, "tls", false),
      .ca_file = fog_opt_string(L, 2, "ca_file", NULL),
      .cert_file = fog_opt_string(L, 2, "cert_file", NULL),
      .key_file = fog_opt_string(L, 2, "key_file", NULL),
      .timeout_ms = (int)(fog_opt_number(L, 2, "timeout", DEFAULT_TIMEOUT, 0.001, MAX_TIMEOUT) * 1e3) + 1,
  };
  check_options(L, &o);
  struct l_client *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->client = NULL; /* closed until all is well */
  luaL_getmetatable(L, CLIENT_CLASS);
  lua_setmetatable(L, -2);
  box->client = fog_redis_new(port, &o);
  if (box->client != NULL) return 1;
  lua_pushnil(L);
  lua_pushliteral(L, "not enough memory or descriptors");
  return 2;
}

/* send(id, arguments): true; nil, why it is not sent. Its end comes as an event with this id. */
static int l_send(lua_State *L) {
  struct fog_redis *client = check_client(L);
  uint64_t id = (uint64_t)luaL_checknumber(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  const char *argv[MAX_ARGUMENTS];
  size_t lens[MAX_ARGUMENTS] = {0};
  int argc = (int)lua_rawlen(L, 3);
  luaL_argcheck(L, argc >= 1 && argc <= MAX_ARGUMENTS, 3, "1 to 16 arguments expected");
  luaL_checkstack(L, argc, "arguments");
  for (int i = 0; i < argc; i++) {
    lua_rawgeti(L, 3, i + 1); /* stays on the stack, and so the text alive */
    if (lua_type(L, -1) != LUA_TSTRING) return luaL_argerror(L, 3, "strings expected");
    argv[i] = lua_tolstring(L, -1, &lens[i]);
  }
  enum fog_error rc = fog_redis_submit(client, id, argc, argv, lens);
  if (rc == FOG_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, rc == FOG_EFULL ? "too many commands wait" : fog_error_text(rc));
  return 2;
}

static int l_close(lua_State *L) {
  struct l_client *box = luaL_checkudata(L, 1, CLIENT_CLASS);
  struct fog_redis *client = box->client;
  box->client = NULL;
  if (client != NULL && !fog_redis_forked(client)) fog_redis_close(client);
  return 0;
}

static int l_tostring(lua_State *L) {
  const struct l_client *box = luaL_checkudata(L, 1, CLIENT_CLASS);
  lua_pushfstring(L, CLIENT_CLASS " (%s)", box->client == NULL ? "closed" : "open");
  return 1;
}

int luaopen_fogcloud_redis(lua_State *L) {
  static const luaL_Reg methods[] = {{"send", l_send}, {"close", l_close}, {NULL, NULL}};
  fog_class(L, CLIENT_CLASS, methods, l_close, l_tostring);
  lua_newtable(L);
  lua_pushcfunction(L, l_client);
  lua_setfield(L, -2, "client");
  lua_pushboolean(L, fog_redis_has_tls());
  lua_setfield(L, -2, "tls");
  lua_pushfstring(L, "%d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
  lua_setfield(L, -2, "version");
  return 1;
}
