/* SPDX-License-Identifier: MIT
 *
 * engine:token(opts, params) and its four sisters: Lua arguments to one request. opts says where and how (base_url,
 * token, encoding, user_agent, ca_file, ca_pem, cert_file, key_file, key_password, proxy, timeout, connect_timeout,
 * max_body, request_id), params has the call's own parameters. Each returns the request's id, or nil and why it could
 * not be sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handles.h"

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

struct headers {
  char authorization[MAX_HEADER], request_id[MAX_HEADER];
};

/* An option as one header line behind prefix; raises where its value could break out of it. */
static void header_line(lua_State *L, char *line, const char *prefix, const char *option) {
  size_t len = 0;
  const char *value = fog_opt_string(L, 2, option, &len);
  line[0] = '\0';
  if (value == NULL) return;
  const char *bad = fog_api_bad_value(value, len);
  if (bad == NULL && len + strlen(prefix) + 1 > MAX_HEADER) bad = "is too long";
  if (bad != NULL) (void)luaL_error(L, "option '%s' %s", option, bad);
  (void)snprintf(line, MAX_HEADER, "%s%s", prefix, value);
}

/* The token last: nothing raises any more once it lies on the stack. */
static void read_headers(lua_State *L, const struct fog_endpoint_info *e, struct headers *h) {
  header_line(L, h->request_id, "X-Request-Id: ", "request_id");
  h->authorization[0] = '\0';
  if (!e->authorized) return;
  if (fog_opt_string(L, 2, "token", NULL) == NULL) (void)luaL_error(L, "%s: option 'token' is missing", e->name);
  header_line(L, h->authorization, "Authorization: Bearer ", "token");
}

static void read_options(lua_State *L, const struct fog_endpoint_info *e, struct fog_http_options *o) {
  *o = (struct fog_http_options){
      .method = e->method,
      .user_agent = fog_opt_string(L, 2, "user_agent", NULL),
      .ca_file = fog_opt_string(L, 2, "ca_file", NULL),
      .ca_pem = fog_opt_string(L, 2, "ca_pem", NULL),
      .cert_file = fog_opt_string(L, 2, "cert_file", NULL),
      .key_file = fog_opt_string(L, 2, "key_file", NULL),
      .key_password = fog_opt_string(L, 2, "key_password", NULL),
      .proxy = fog_opt_string(L, 2, "proxy", NULL),
      .timeout_ms = (long)(fog_opt_number(L, 2, "timeout", DEFAULT_TIMEOUT, 0, MAX_TIMEOUT) * 1e3) + 1,
      .connect_timeout_ms =
          (long)(fog_opt_number(L, 2, "connect_timeout", DEFAULT_CONNECT_TIMEOUT, 0, MAX_TIMEOUT) * 1e3) + 1,
      .max_body = (size_t)fog_opt_number(L, 2, "max_body", DEFAULT_MAX_BODY, 1, 1e9),
      .fresh = !e->repeatable,
  };
}

static bool use_json(lua_State *L) {
  const char *encoding = fog_opt_string(L, 2, "encoding", NULL);
  if (encoding == NULL || strcmp(encoding, "form") == 0) return false;
  if (strcmp(encoding, "json") != 0)
    (void)luaL_error(L, "option 'encoding': 'form' or 'json' expected, got '%s'", encoding);
  return true;
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
  struct fog_http_options o;
  struct headers h;
  size_t base_len = 0;
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  const char *base = fog_opt_string(L, 2, "base_url", &base_len);
  if (base == NULL) return luaL_error(L, "option 'base_url' is missing");
  size_t count = read_fields(L, e, fields);
  bool json = use_json(L);
  read_options(L, e, &o);
  read_headers(L, e, &h);
  o.url = fog_api_url(base, base_len, e->path);
  if (count > 0) {
    o.body = json ? fog_api_json(fields, count, &o.body_len) : fog_api_form(fields, count, &o.body_len);
    if (json) o.content_type = "Content-Type: application/json"; /* a form's is libcurl's own, and costs less */
  }
  if (h.authorization[0] != '\0') o.authorization = h.authorization;
  if (h.request_id[0] != '\0') o.request_id = h.request_id;
  uint64_t id = fog_engine_new_id(engine);
  const char *why = "not enough memory";
  if (o.url == NULL || (count > 0 && o.body == NULL))
    fog_http_options_free(&o);
  else
    why = submit(fog_engine_http(engine), id, &o);
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

const luaL_Reg fog_api_methods[] = {
    {"token", l_token},   {"create_client", l_create_client}, {"grant", l_grant},
    {"revoke", l_revoke}, {"products", l_products},           {NULL, NULL},
};
