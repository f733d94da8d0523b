/* SPDX-License-Identifier: MIT
 *
 * The module fogcloud.durable: opens a journal for the engine, which takes the handle out of the userdata, and for
 * whoever wants to look into one that no session uses. docs: lua/fogcloud/journal.lua.
 */
#include <stdlib.h>
#include <string.h>

#include "../binding/class.h"
#include "store.h"

FOG_EXPORT int luaopen_fogcloud_durable(lua_State *L);

#define PORTION_CLASS "fogcloud.durable.portion"
enum { MOST = 1000 };

static const char *const STATES[] = {"queued", "sent", "released", "set aside"};

static int push_error(lua_State *L, const struct fog_durable_error *error) {
  lua_pushnil(L);
  lua_pushstring(L, error->text);
  lua_pushstring(L, fog_durable_code_name((int)error->code));
  return 3;
}

static struct fog_durable **box_of(lua_State *L) { return luaL_checkudata(L, 1, FOG_DURABLE_CLASS); }

static struct fog_durable *handle_of(lua_State *L) {
  struct fog_durable *d = *box_of(L);
  if (d == NULL) luaL_error(L, "the journal is closed");
  return d;
}

/* open(path, full, existing): the handle, and where a damaged file was set aside and how many were taken over; or nil,
 * a text and a code. */
static int l_open(lua_State *L) {
  size_t len = 0;
  const char *path = luaL_checklstring(L, 1, &len);
  luaL_argcheck(L, strlen(path) == len, 1, "a NUL byte in a path");
  struct fog_durable_options o = {.full = lua_toboolean(L, 2) != 0, .existing = lua_toboolean(L, 3) != 0};
  struct fog_durable **box = lua_newuserdatauv(L, sizeof(void *), 0);
  *box = NULL;
  luaL_getmetatable(L, FOG_DURABLE_CLASS);
  lua_setmetatable(L, -2);
  struct fog_durable_found found;
  struct fog_durable_error error;
  if (fog_durable_open(path, &o, box, &found, &error) != FOG_DURABLE_OK) return push_error(L, &error);
  if (found.damaged[0] == '\0') return 1;
  lua_pushstring(L, found.damaged);
  fog_push_whole(L, found.rescued);
  return 3;
}

static int l_close(lua_State *L) {
  struct fog_durable **box = box_of(L), *d = *box;
  *box = NULL;
  if (d != NULL) d->head.ops->release(d);
  return 0;
}

static int l_check(lua_State *L) {
  struct fog_durable_error error;
  struct fog_durable *d = handle_of(L);
  size_t bytes = (size_t)luaL_optnumber(L, 2, 0);
  if (d->head.ops->check(d, bytes, &error) != FOG_DURABLE_OK) return push_error(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_counts(lua_State *L) {
  struct fog_durable *d = handle_of(L);
  struct fog_durable_counts counts;
  d->head.ops->counts(d, &counts);
  lua_createtable(L, 0, 7);
  fog_set_whole(L, "last_number", (uint64_t)counts.last_seq);
  fog_set_whole(L, "waiting", counts.waiting);
  fog_set_whole(L, "waiting_bytes", counts.waiting_bytes);
  fog_set_whole(L, "in_flight", counts.in_flight);
  fog_set_whole(L, "set_aside", counts.set_aside);
  fog_set_whole(L, "received", counts.received);
  fog_set_whole(L, "uncommitted", counts.uncommitted);
  return 1;
}

/* Messages, copied while the journal's lock is held, so that nothing of Lua's happens meanwhile. */
struct portion {
  struct fog_durable_message list[MOST];
  size_t count, sizes[MOST];
  bool with_payloads, failed;
};

static void free_portion(struct portion *p) {
  for (size_t i = 0; i < p->count; i++) free((char *)p->list[i].topic.data);
  p->count = 0;
}

static int l_free_portion(lua_State *L) {
  free_portion(luaL_checkudata(L, 1, PORTION_CLASS));
  return 0;
}

/* One block for all bytes of a message, which begins with the topic. */
static bool copy_message(void *ctx, const struct fog_durable_message *m) {
  struct portion *p = ctx;
  struct fog_durable_message *copy = &p->list[p->count];
  struct fog_bytes *const parts[] = {&copy->topic, &copy->reason_text, &copy->payload, &copy->properties};
  *copy = *m;
  if (!p->with_payloads) copy->payload.len = 0;
  copy->properties.len = 0;
  size_t len = 1;
  for (int i = 0; i < 4; i++) len += parts[i]->len;
  char *block = malloc(len);
  p->failed = block == NULL;
  if (block == NULL) return false;
  for (int i = 0; i < 4; i++) {
    if (parts[i]->len > 0) memcpy(block, parts[i]->data, parts[i]->len);
    parts[i]->data = block;
    block += parts[i]->len;
  }
  p->sizes[p->count++] = m->payload.len;
  return true;
}

static void set_bytes(lua_State *L, const char *name, struct fog_bytes bytes) {
  lua_pushlstring(L, bytes.data, bytes.len);
  lua_setfield(L, -2, name);
}

static void push_message(lua_State *L, const struct portion *p, size_t i) {
  const struct fog_durable_message *m = &p->list[i];
  lua_createtable(L, 0, 12);
  fog_set_whole(L, "number", (uint64_t)m->seq);
  lua_pushstring(L, STATES[m->state]);
  lua_setfield(L, -2, "state");
  set_bytes(L, "topic", m->topic);
  fog_set_whole(L, "qos", m->qos);
  lua_pushboolean(L, m->retained);
  lua_setfield(L, -2, "retained");
  fog_set_whole(L, "size", p->sizes[i]);
  lua_pushnumber(L, (lua_Number)m->accepted_ms / 1000);
  lua_setfield(L, -2, "accepted");
  if (m->expires_ms != 0) {
    lua_pushnumber(L, (lua_Number)m->expires_ms / 1000);
    lua_setfield(L, -2, "expires");
  }
  if (m->packet_id != 0) fog_set_whole(L, "packet_id", m->packet_id);
  if (p->with_payloads) set_bytes(L, "payload", m->payload);
  if (m->state != FOG_DURABLE_SET_ASIDE) return;
  fog_set_whole(L, "reason", m->reason);
  set_bytes(L, "why", m->reason_text);
}

/* list(after, count, with_payloads): messages behind a number, as a list. */
static int l_list(lua_State *L) {
  struct fog_durable *d = handle_of(L);
  int64_t after = (int64_t)luaL_checknumber(L, 2);
  lua_Number most = luaL_checknumber(L, 3);
  luaL_argcheck(L, most >= 1 && most <= (lua_Number)MOST, 3, "1 to 1000 expected");
  struct portion *p = lua_newuserdatauv(L, sizeof *p, 0);
  p->count = 0;
  p->failed = false;
  p->with_payloads = lua_toboolean(L, 4) != 0;
  luaL_getmetatable(L, PORTION_CLASS);
  lua_setmetatable(L, -2);
  struct fog_durable_error error;
  enum fog_durable_code code = fog_durable_list(d, after, (size_t)most, copy_message, p, &error);
  if (code == FOG_DURABLE_OK && p->failed) code = fog_durable_fail(&error, FOG_DURABLE_MEMORY, "no memory");
  if (code != FOG_DURABLE_OK) return push_error(L, &error);
  lua_createtable(L, (int)p->count, 0);
  for (size_t i = 0; i < p->count; i++) {
    push_message(L, p, i);
    lua_rawseti(L, -2, (int)i + 1);
  }
  free_portion(p);
  return 1;
}

static int l_remove(lua_State *L) {
  struct fog_durable *d = handle_of(L);
  struct fog_durable_error error = {.code = FOG_DURABLE_MEMORY, .text = "no memory"};
  enum fog_durable_code code = d->head.ops->remove(d, (int64_t)luaL_checknumber(L, 2));
  if (code == FOG_DURABLE_OK) code = d->head.ops->commit(d, &error);
  if (code != FOG_DURABLE_OK) return push_error(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_resend(lua_State *L) {
  int64_t now = 0;
  struct fog_durable_error error;
  enum fog_durable_code code = fog_durable_resend(handle_of(L), (int64_t)luaL_checknumber(L, 2), &now, &error);
  if (code != FOG_DURABLE_OK) return push_error(L, &error);
  fog_push_whole(L, (uint64_t)now);
  return 1;
}

static int l_path(lua_State *L) {
  lua_pushstring(L, handle_of(L)->claim.path);
  return 1;
}

static const luaL_Reg METHODS[] = {
    {"check", l_check}, {"close", l_close},   {"counts", l_counts}, {"list", l_list},
    {"path", l_path},   {"remove", l_remove}, {"resend", l_resend}, {NULL, NULL},
};

static const luaL_Reg NONE[] = {{NULL, NULL}};

int luaopen_fogcloud_durable(lua_State *L) {
  fog_class(L, FOG_DURABLE_CLASS, METHODS, l_close, NULL);
  fog_class(L, PORTION_CLASS, NONE, l_free_portion, NULL);
  lua_newtable(L);
  lua_pushcfunction(L, l_open);
  lua_setfield(L, -2, "open");
  return 1;
}
