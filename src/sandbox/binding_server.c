/* SPDX-License-Identifier: MIT
 *
 * core.server(options) -> server: run, next, reply, stream, push, hurry, port, fd, timeout, close.
 */
#include <string.h>

#include "binding.h"
#include "server.h"

#define CLASS "fogcloud.SandboxServer"

enum { MAX_HEADERS = 16 };

struct l_server {
  struct fog_server *server; /* NULL: closed */
};

static struct fog_server *check(lua_State *L) {
  struct l_server *box = luaL_checkudata(L, 1, CLASS);
  if (box->server == NULL) (void)luaL_argerror(L, 1, "the server is closed");
  return box->server;
}

static int l_close(lua_State *L) {
  struct l_server *box = luaL_checkudata(L, 1, CLASS);
  struct fog_server *server = box->server;
  box->server = NULL;
  if (server != NULL) fog_server_free(server);
  return 0;
}

static const char *opt(lua_State *L, const char *name, const char *def) {
  lua_getfield(L, 1, name);
  const char *s = luaL_optstring(L, -1, def);
  lua_pop(L, 1); /* the table keeps it */
  return s;
}

static int l_server(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "port");
  lua_Integer port = luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  luaL_argcheck(L, port >= 0 && port <= 65535, 1, "the port is out of range");
  struct l_server *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->server = NULL;
  luaL_getmetatable(L, CLASS);
  lua_setmetatable(L, -2);
  const char *cert = opt(L, "tls_cert", NULL), *key = opt(L, "tls_key", NULL);
  box->server = fog_server_new(opt(L, "address", "127.0.0.1"), (uint16_t)port, cert, key);
  if (box->server != NULL) return 1;
  lua_pushnil(L);
  lua_pushliteral(L, "the server cannot listen there");
  return 2;
}

static int l_run(lua_State *L) {
  fog_server_run(check(L));
  return 0;
}

static void push_pairs(lua_State *L, const struct fog_server_pair *p, int lower) {
  lua_newtable(L);
  for (; p != NULL; p = p->next) {
    lua_pushstring(L, p->name);
    if (lower) {
      luaL_Buffer b;
      size_t n = strlen(p->name);
      luaL_buffinit(L, &b);
      for (size_t i = 0; i < n; i++) {
        char c = p->name[i];
        luaL_addchar(&b, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
      }
      luaL_pushresult(&b);
      lua_remove(L, -2);
    }
    lua_pushstring(L, p->value == NULL ? "" : p->value);
    lua_rawset(L, -3);
  }
}

static int l_next(lua_State *L) {
  const struct fog_server_request *q = fog_server_next(check(L));
  if (q == NULL) return 0;
  lua_newtable(L);
  lua_pushnumber(L, (lua_Number)q->id);
  lua_setfield(L, -2, "id");
  lua_pushinteger(L, (lua_Integer)q->connection);
  lua_setfield(L, -2, "connection");
  lua_pushstring(L, q->method);
  lua_setfield(L, -2, "method");
  lua_pushstring(L, q->path);
  lua_setfield(L, -2, "path");
  lua_pushlstring(L, q->body_len == 0 ? "" : q->body, q->body_len);
  lua_setfield(L, -2, "body");
  lua_pushboolean(L, q->too_large);
  lua_setfield(L, -2, "too_large");
  push_pairs(L, q->headers, 1);
  lua_setfield(L, -2, "headers");
  push_pairs(L, q->query, 0);
  lua_setfield(L, -2, "query");
  return 1;
}

static void read_fault(lua_State *L, int t, struct fog_server_fault *fault) {
  *fault = (struct fog_server_fault){.cut_after = -1};
  if (!lua_istable(L, t)) return;
  lua_getfield(L, t, "cut");
  fault->cut = lua_toboolean(L, -1) != 0;
  lua_getfield(L, t, "hang_up");
  fault->hang_up = lua_toboolean(L, -1) != 0;
  lua_getfield(L, t, "cut_after");
  fault->cut_after = luaL_optinteger(L, -1, -1);
  lua_getfield(L, t, "trickle_ms");
  fault->trickle_ms = (unsigned)luaL_optinteger(L, -1, 0);
  lua_getfield(L, t, "delay");
  fault->delay = luaL_optnumber(L, -1, 0);
  lua_pop(L, 5);
}

/* The lines of a list, which keeps them. */
static void read_headers(lua_State *L, int t, const char *headers[MAX_HEADERS + 1]) {
  size_t n = 0;
  luaL_checktype(L, t, LUA_TTABLE);
  for (; n < MAX_HEADERS; n++) {
    lua_rawgeti(L, t, (int)n + 1);
    headers[n] = lua_tostring(L, -1);
    lua_pop(L, 1);
    if (headers[n] == NULL) break;
  }
  headers[n] = NULL;
}

/* server:reply(id, status, headers, body, fault) */
static int l_reply(lua_State *L) {
  const char *headers[MAX_HEADERS + 1];
  struct fog_server_fault fault;
  size_t len;
  struct fog_server *server = check(L);
  uint64_t id = (uint64_t)luaL_checknumber(L, 2);
  lua_Integer status = luaL_checkinteger(L, 3);
  luaL_argcheck(L, status >= 100 && status <= 999, 3, "a status has three digits");
  read_headers(L, 4, headers);
  const char *body = luaL_checklstring(L, 5, &len);
  read_fault(L, 6, &fault);
  lua_pushboolean(L, fog_server_reply(server, id, (unsigned)status, headers, body, len, &fault));
  return 1;
}

/* server:stream(id, headers) -> whether the peer is still there */
static int l_stream(lua_State *L) {
  const char *headers[MAX_HEADERS + 1];
  struct fog_server *server = check(L);
  uint64_t id = (uint64_t)luaL_checknumber(L, 2);
  read_headers(L, 3, headers);
  lua_pushboolean(L, fog_server_stream(server, id, headers));
  return 1;
}

/* server:push(id, bytes) -> whether the stream goes on */
static int l_push(lua_State *L) {
  size_t len;
  struct fog_server *server = check(L);
  uint64_t id = (uint64_t)luaL_checknumber(L, 2);
  const char *bytes = luaL_checklstring(L, 3, &len);
  lua_pushboolean(L, fog_server_push(server, id, bytes, len));
  return 1;
}

static int l_hurry(lua_State *L) {
  fog_server_hurry(check(L));
  return 0;
}

static int l_port(lua_State *L) {
  lua_pushinteger(L, fog_server_port(check(L)));
  return 1;
}

static int l_fd(lua_State *L) {
  lua_pushinteger(L, fog_server_fd(check(L)));
  return 1;
}

/* Seconds until run wants to be called, nil when there is no need. */
static int l_timeout(lua_State *L) {
  int ms = fog_server_timeout(check(L));
  if (ms < 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, ms / 1e3);
  return 1;
}

void fog_open_server(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", l_close},     {"run", l_run},       {"next", l_next},
                                     {"reply", l_reply},     {"stream", l_stream}, {"push", l_push},
                                     {"hurry", l_hurry},     {"port", l_port},     {"fd", l_fd},
                                     {"timeout", l_timeout}, {NULL, NULL}};
  fog_class(L, CLASS, methods, l_close, NULL);
  lua_pushcfunction(L, l_server);
  lua_setfield(L, -2, "server");
}
