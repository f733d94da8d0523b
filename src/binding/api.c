/* SPDX-License-Identifier: MIT
 *
 * engine:token(opts, params) and its four sisters: Lua arguments to one request. opts says where and how: token,
 * timeout, connect_timeout and request_id; and base_url, encoding, user_agent, ca_file, ca_pem, cert_file, key_file,
 * key_password, proxy and max_body, or `common`, what core.common made of these once for all requests of a cloud.
 * params has the call's own parameters. Each returns the request's id, or nil and why it could not be sent.
 */
#include <stdlib.h>
#include <string.h>

#include "../http/library.h"
#include "handles.h"

#define FOG_COMMON_CLASS "fogcloud.Common"

enum { MAX_FIELDS = 4, MAX_HEADER = 8192 };

static const double DEFAULT_TIMEOUT = 30, DEFAULT_CONNECT_TIMEOUT = 10, MAX_TIMEOUT = 86400;
static const double DEFAULT_MAX_BODY = 4 * 1024 * 1024;

static size_t read_fields(lua_State *L, const struct fog_endpoint_info *e, struct fog_field *fields) {
  size_t n = 0;
  for (; e->fields[n] != NULL; n++) {
    fields[n].name = e->fields[n];
    fields[n].value = fog_opt_string(L, 3, e->fields[n], &fields[n].value_len);
    const char *bad = fields[n].value == NULL ? "is missing" : fog_api_bad_value(fields[n].value, fields[n].value_len);
    if (bad != NULL) (void)luaL_error(L, "%s: parameter '%s' %s", e->name, fields[n].name, bad);
  }
  return n;
}

/* What all requests of a cloud have in common. The strings are those of a Lua table. */
struct common {
  const char *base;
  size_t base_len;
  bool json;
  struct fog_http_options o; /* the rest of them */
  int strings;               /* of a userdata: the table, by its number in the registry */
};

struct headers {
  char authorization[MAX_HEADER], request_id[MAX_HEADER];
};

/* An option as one header line behind prefix; raises where its value could break out of it. */
static void header_line(lua_State *L, char *line, const char *prefix, const char *option) {
  size_t len = 0, prefix_len = strlen(prefix);
  const char *value = fog_opt_string(L, 2, option, &len);
  line[0] = '\0';
  if (value == NULL) return;
  const char *bad = fog_api_bad_value(value, len);
  if (bad == NULL && len + prefix_len + 1 > MAX_HEADER) bad = "is too long";
  if (bad != NULL) (void)luaL_error(L, "option '%s' %s", option, bad);
  memcpy(line, prefix, prefix_len);
  memcpy(line + prefix_len, value, len + 1);
}

/* The token last: nothing raises any more once it lies on the stack. */
static void read_headers(lua_State *L, const struct fog_endpoint_info *e, struct headers *h) {
  header_line(L, h->request_id, "X-Request-Id: ", "request_id");
  h->authorization[0] = '\0';
  if (!e->authorized) return;
  if (fog_opt_string(L, 2, "token", NULL) == NULL) (void)luaL_error(L, "%s: option 'token' is missing", e->name);
  header_line(L, h->authorization, "Authorization: Bearer ", "token");
}

static bool use_json(lua_State *L, int t) {
  const char *encoding = fog_opt_string(L, t, "encoding", NULL);
  if (encoding == NULL || strcmp(encoding, "form") == 0) return false;
  if (strcmp(encoding, "json") != 0)
    (void)luaL_error(L, "option 'encoding': 'form' or 'json' expected, got '%s'", encoding);
  return true;
}

static void read_common(lua_State *L, int t, struct common *c) {
  c->base = fog_opt_string(L, t, "base_url", &c->base_len);
  if (c->base == NULL) (void)luaL_error(L, "option 'base_url' is missing");
  c->json = use_json(L, t);
  c->o = (struct fog_http_options){
      .user_agent = fog_opt_string(L, t, "user_agent", NULL),
      .ca_file = fog_opt_string(L, t, "ca_file", NULL),
      .ca_pem = fog_opt_string(L, t, "ca_pem", NULL),
      .cert_file = fog_opt_string(L, t, "cert_file", NULL),
      .key_file = fog_opt_string(L, t, "key_file", NULL),
      .key_password = fog_opt_string(L, t, "key_password", NULL),
      .proxy = fog_opt_string(L, t, "proxy", NULL),
      .max_body = (size_t)fog_opt_number(L, t, "max_body", DEFAULT_MAX_BODY, 1, 1e9),
  };
}

/* The common options of opts, at index 2: made before, or in `own` now. */
static const struct common *get_common(lua_State *L, struct common *own) {
  lua_getfield(L, 2, "common");
  const struct common *made = lua_isnil(L, -1) ? NULL : luaL_checkudata(L, -1, FOG_COMMON_CLASS);
  lua_pop(L, 1); /* opts keeps it alive */
  if (made != NULL) return made;
  read_common(L, 2, own);
  return own;
}

static int l_common_gc(lua_State *L) {
  struct common *c = luaL_checkudata(L, 1, FOG_COMMON_CLASS);
  luaL_unref(L, LUA_REGISTRYINDEX, c->strings);
  c->strings = LUA_NOREF;
  return 0;
}

/* core.common(opts) -> what opts.common of a request may be. Wrong ones raise. */
static int l_common(lua_State *L) {
  static const char *const names[] = {"base_url", "encoding",     "user_agent", "ca_file",  "ca_pem", "cert_file",
                                      "key_file", "key_password", "proxy",      "max_body", NULL};
  luaL_checktype(L, 1, LUA_TTABLE);
  struct common *c = lua_newuserdatauv(L, sizeof *c, 0);
  c->strings = LUA_NOREF;
  luaL_getmetatable(L, FOG_COMMON_CLASS);
  lua_setmetatable(L, -2);
  lua_newtable(L);
  for (int i = 0; names[i] != NULL; i++) {
    lua_getfield(L, 1, names[i]);
    lua_setfield(L, -2, names[i]);
  }
  read_common(L, lua_gettop(L), c);
  c->strings = luaL_ref(L, LUA_REGISTRYINDEX);
  return 1;
}

static void read_options(lua_State *L, const struct fog_endpoint_info *e, struct fog_http_options *o) {
  o->method = e->method;
  o->timeout_ms = (long)(fog_opt_number(L, 2, "timeout", DEFAULT_TIMEOUT, 0, MAX_TIMEOUT) * 1e3) + 1;
  o->connect_timeout_ms =
      (long)(fog_opt_number(L, 2, "connect_timeout", DEFAULT_CONNECT_TIMEOUT, 0, MAX_TIMEOUT) * 1e3) + 1;
  o->fresh = !e->repeatable;
}

static int failed(lua_State *L, const char *why) {
  lua_pushnil(L);
  lua_pushstring(L, why);
  return 2;
}

/* NULL, or why the request with this id could not be sent. */
static const char *submit(struct fog_http *http, uint64_t id, const struct fog_http_options *o) {
  struct fog_http_request *r = fog_http_request_new(http, id, o);
  if (r == NULL) return "not enough memory";
  if (fog_http_submit(http, r) == 0) return NULL;
  fog_http_request_free(r);
  return "too many requests are in flight";
}

static int call(lua_State *L, enum fog_endpoint endpoint) {
  const struct fog_endpoint_info *e = fog_api_endpoint(endpoint);
  struct fog_engine *engine = fog_check_engine(L, 1);
  struct fog_field fields[MAX_FIELDS];
  struct common own;
  struct headers h;
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  const struct common *c = get_common(L, &own);
  struct fog_http_options o = c->o;
  size_t count = read_fields(L, e, fields);
  read_options(L, e, &o);
  read_headers(L, e, &h);
  o.url = fog_api_url(c->base, c->base_len, e->path);
  if (count > 0) {
    o.body = c->json ? fog_api_json(fields, count, &o.body_len) : fog_api_form(fields, count, &o.body_len);
    if (c->json) o.content_type = "Content-Type: application/json"; /* a form's is libcurl's own, and costs less */
  }
  if (h.authorization[0] != '\0') o.authorization = h.authorization;
  if (h.request_id[0] != '\0') o.request_id = h.request_id;
  uint64_t id = fog_engine_new_id(engine);
  const char *why = "not enough memory";
  struct fog_http *http = fog_engine_http(engine);
  char unfit[512];
  if (http == NULL && !fog_library_fits(unfit, sizeof unfit)) why = unfit;
  if (http == NULL || o.url == NULL || (count > 0 && o.body == NULL))
    fog_http_options_free(&o);
  else
    why = submit(http, id, &o);
  explicit_bzero(h.authorization, strlen(h.authorization));
  if (why != NULL) return failed(L, why);
  lua_pushnumber(L, (lua_Number)id);
  return 1;
}

static int l_token(lua_State *L) { return call(L, FOG_TOKEN); }
static int l_create_client(lua_State *L) { return call(L, FOG_CREATE_CLIENT); }
static int l_grant(lua_State *L) { return call(L, FOG_GRANT); }
static int l_revoke(lua_State *L) { return call(L, FOG_REVOKE); }
static int l_products(lua_State *L) { return call(L, FOG_PRODUCTS); }

static const luaL_Reg methods[] = {
    {"token", l_token},   {"create_client", l_create_client}, {"grant", l_grant},
    {"revoke", l_revoke}, {"products", l_products},           {NULL, NULL},
};

int fog_open_api(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  fog_class(L, FOG_COMMON_CLASS, none, l_common_gc, NULL);
  fog_class_extend(L, FOG_ENGINE_CLASS, methods);
  lua_pushcfunction(L, l_common);
  lua_setfield(L, -2, "common");
  return 0;
}
