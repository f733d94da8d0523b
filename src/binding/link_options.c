/* SPDX-License-Identifier: MIT
 *
 * The options of session:connect, copied out of Lua for the driver.
 */
#include <stdlib.h>
#include <string.h>

#include "handles.h"

#define OPTIONS_CLASS "fogcloud.LinkOptions"

/* Options are copied into this userdata: reading the next may raise, and its collection then frees those before it. */
struct options_box {
  struct fog_link_options *options;
  bool no_memory; /* something could not be copied: without it, a link would be made with less than was asked for */
};

static char *copy_text(lua_State *L, struct options_box *box, const char *field) {
  return fog_opt_copy(L, 2, field, &box->no_memory);
}

/* Bytes of any kind, *len of them, with a NUL behind; NULL and 0 where there are none. */
static char *copy_bytes(lua_State *L, struct options_box *box, const char *field, size_t *len) {
  size_t n = 0;
  const char *bytes = fog_opt_string(L, 2, field, &n);
  char *copy = bytes == NULL ? NULL : malloc(n + 1);
  if (copy != NULL) memcpy(copy, bytes, n + 1);
  if (bytes != NULL && copy == NULL) box->no_memory = true;
  *len = copy == NULL ? 0 : n;
  return copy;
}

static uint16_t port(lua_State *L, const char *field) { return (uint16_t)fog_opt_number(L, 2, field, 0, 0, 65535); }

static void copy_connection(lua_State *L, struct options_box *box) {
  struct fog_connection_options *to = box->options->to;
  to->host = copy_text(L, box, "host");
  to->port = port(L, "port");
  to->tls = fog_opt_bool(L, 2, "tls", true);
  to->server_name = copy_text(L, box, "server_name");
  to->ca_file = copy_text(L, box, "ca_file");
  to->ca_path = copy_text(L, box, "ca_path");
  to->ca_pem = copy_text(L, box, "ca_pem");
  to->cert_file = copy_text(L, box, "cert_file");
  to->key_file = copy_text(L, box, "key_file");
  to->key_password = copy_text(L, box, "key_password");
  to->alpn = copy_text(L, box, "alpn");
  to->websocket = fog_opt_bool(L, 2, "websocket", false);
  to->path = copy_text(L, box, "path");
  to->headers = copy_text(L, box, "headers");
  to->proxy_host = copy_text(L, box, "proxy_host");
  to->proxy_port = port(L, "proxy_port");
  to->proxy_user = copy_text(L, box, "proxy_user");
  to->proxy_password = copy_text(L, box, "proxy_password");
}

static void copy_will(lua_State *L, struct options_box *box) {
  struct fog_link_options *o = box->options;
  o->will.topic = copy_text(L, box, "will_topic");
  if (o->will.topic == NULL) return;
  o->will.payload = copy_bytes(L, box, "will_payload", &o->will.payload_len);
  o->will.properties = copy_bytes(L, box, "will_properties", &o->will.properties_len);
  o->will.qos = (int)fog_opt_number(L, 2, "will_qos", 0, 0, 2);
  o->will.retained = fog_opt_bool(L, 2, "will_retained", false);
}

static void copy_numbers(lua_State *L, struct fog_link_options *o) {
  o->number = (uint64_t)fog_opt_number(L, 2, "link", 1, 1, 9e15);
  o->clean = fog_opt_bool(L, 2, "clean", true);
  o->version = (int)fog_opt_number(L, 2, "version", 4, 4, 5);
  o->keepalive_s = (int)fog_opt_number(L, 2, "keepalive", 60, 0, 65535);
  o->connect_timeout_ms = (int)(fog_opt_number(L, 2, "connect_timeout", 30, 0.001, 86400) * 1000 + 0.5);
  o->topic_alias_maximum = port(L, "topic_alias_maximum");
  o->receive_maximum = port(L, "receive_maximum");
  o->maximum_packet_size = (uint32_t)fog_opt_number(L, 2, "maximum_packet_size", 0, 0, 4294967295.0);
  o->quiet_ms = (int)(fog_opt_number(L, 2, "probe", 0, 0, 3600) * 1000 + 0.5);
  o->discard = (uint64_t)fog_opt_number(L, 2, "discard", 0, 0, 9e15);
}

static int l_free_options(lua_State *L) {
  struct options_box *box = lua_touserdata(L, 1);
  fog_link_options_free(box->options);
  box->options = NULL;
  return 0;
}

static struct options_box *new_options(lua_State *L) {
  struct options_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (struct options_box){NULL, false};
  luaL_getmetatable(L, OPTIONS_CLASS);
  lua_setmetatable(L, -2);
  box->options = calloc(1, sizeof *box->options);
  if (box->options != NULL) box->options->to = calloc(1, sizeof *box->options->to);
  return box;
}

struct fog_link_options *fog_l_link_options(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  struct options_box *box = new_options(L);
  struct fog_link_options *o = box->options;
  if (o == NULL || o->to == NULL) return NULL;
  copy_connection(L, box);
  o->client_id = copy_text(L, box, "client_id");
  o->username = copy_text(L, box, "username");
  o->password = copy_bytes(L, box, "password", &o->password_len);
  o->properties = copy_bytes(L, box, "properties", &o->properties_len);
  copy_numbers(L, o);
  copy_will(L, box);
  if (box->no_memory) return NULL;
  if (o->to->host == NULL || o->to->port == 0) (void)luaL_error(L, "options 'host' and 'port' are required");
  box->options = NULL;
  return o;
}

void fog_open_link_options(lua_State *L) {
  (void)luaL_newmetatable(L, OPTIONS_CLASS);
  lua_pushcfunction(L, l_free_options);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
