/* SPDX-License-Identifier: MIT
 *
 * The options of session:connect, copied out of Lua for the dispatcher.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/memory_file.h"
#include "handles.h"

#define OPTIONS_CLASS "fogcloud.LinkOptions"

/* Options are copied into this userdata: reading the next may raise, and its collection then frees those before it. */
struct options_box {
  struct fog_link_options *options;
  bool no_memory; /* something could not be copied: without it, a link would be made with less than was asked for */
};

static void *kept(struct options_box *box, void *copy) {
  if (copy == NULL) box->no_memory = true;
  return copy;
}

static char *copy_text(lua_State *L, struct options_box *box, const char *field) {
  return fog_opt_copy(L, 2, field, &box->no_memory);
}

/* Bytes of any kind, *len of them, with a NUL behind; NULL and 0 where there are none. */
static char *copy_bytes(lua_State *L, struct options_box *box, const char *field, size_t *len) {
  size_t n = 0;
  const char *bytes = fog_opt_string(L, 2, field, &n);
  char *copy = bytes == NULL ? NULL : kept(box, malloc(n + 1));
  if (copy != NULL) memcpy(copy, bytes, n + 1);
  *len = copy == NULL ? 0 : n;
  return copy;
}

/* A CA given as text wins over one given as a file, as in the HTTP half. */
static void copy_ca(lua_State *L, struct options_box *box) {
  struct fog_link_options *o = box->options;
  size_t len = 0;
  const char *pem = fog_opt_string(L, 2, "ca_pem", &len);
  if (pem == NULL) {
    o->ca_file = copy_text(L, box, "ca_file");
    return;
  }
  o->ca_file = kept(box, malloc(FOG_MEMORY_FILE_PATH));
  if (o->ca_file == NULL) return;
  o->ca_fd = fog_memory_file_open(pem, len, o->ca_file);
  if (o->ca_fd >= 0) return;
  int error = errno;
  free(o->ca_file);
  o->ca_file = NULL;
  (void)luaL_error(L, "option 'ca_pem' cannot be kept: %s", strerror(error));
}

static void copy_will(lua_State *L, struct options_box *box) {
  struct fog_link_options *o = box->options;
  o->will_topic = copy_text(L, box, "will_topic");
  o->will_payload = copy_bytes(L, box, "will_payload", &o->will_len);
  if (o->will_payload == NULL) o->will_payload = kept(box, calloc(1, 1)); /* none is an empty one */
  o->will_qos = (int)fog_opt_number(L, 2, "will_qos", 0, 0, 2);
  o->will_retained = fog_opt_bool(L, 2, "will_retained", false);
  o->will_properties = copy_bytes(L, box, "will_properties", &o->will_properties_len);
}

static void copy_texts(lua_State *L, struct options_box *box) {
  struct fog_link_options *o = box->options;
  o->uri = copy_text(L, box, "uri");
  o->client_id = copy_text(L, box, "client_id");
  o->username = copy_text(L, box, "username");
  o->password = copy_bytes(L, box, "password", &o->password_len);
  copy_ca(L, box);
  o->ca_path = copy_text(L, box, "ca_path");
  o->cert_file = copy_text(L, box, "cert_file");
  o->key_file = copy_text(L, box, "key_file");
  o->key_password = copy_text(L, box, "key_password");
}

static void copy_numbers(lua_State *L, struct fog_link_options *o) {
  o->number = (uint64_t)fog_opt_number(L, 2, "link", 1, 1, 9e15);
  o->tls = fog_opt_bool(L, 2, "tls", true);
  o->clean = fog_opt_bool(L, 2, "clean", true);
  o->version = (int)fog_opt_number(L, 2, "version", 4, 4, 5);
  o->keepalive_s = (int)fog_opt_number(L, 2, "keepalive", 60, 0, 65535);
  o->connect_timeout_s = (int)fog_opt_number(L, 2, "connect_timeout", 30, 1, 3600);
  o->session_expiry_s = (uint32_t)fog_opt_number(L, 2, "session_expiry", 0, 0, 4294967295.0);
  o->receive_maximum = (int)fog_opt_number(L, 2, "receive_maximum", 0, 0, 65535);
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
  if (box->options != NULL) box->options->ca_fd = -1;
  return box;
}

struct fog_link_options *fog_l_link_options(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  struct options_box *box = new_options(L);
  struct fog_link_options *o = box->options;
  if (o == NULL) return NULL;
  copy_texts(L, box);
  copy_numbers(L, o);
  o->properties = copy_bytes(L, box, "properties", &o->properties_len);
  lua_getfield(L, 2, "will_topic");
  if (!lua_isnil(L, -1)) copy_will(L, box);
  if (box->no_memory) return NULL;
  if (o->uri == NULL || o->client_id == NULL) (void)luaL_error(L, "options 'uri' and 'client_id' are required");
  box->options = NULL;
  return o;
}

void fog_open_link_options(lua_State *L) {
  (void)luaL_newmetatable(L, OPTIONS_CLASS);
  lua_pushcfunction(L, l_free_options);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
