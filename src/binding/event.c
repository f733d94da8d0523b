/* SPDX-License-Identifier: MIT
 *
 * How each event looks from Lua, as pump.lua takes it: its name, then the facts of a request, or a session's number and
 * its facts by name. The pushing may raise for lack of memory; the event is then lost with the Lua state's own
 * out-of-memory error, not leaked: it is anchored in a userdata while it is pushed.
 */
#include <ctype.h>
#include <string.h>

#include "../durable/durable.h"
#include "handles.h"
#include "properties.h"

#define ANCHOR_CLASS "fogcloud.EventAnchor"

/* One per state, in the registry: owns the event being pushed. */
struct anchor {
  struct fog_event *event;
};

static int l_release(lua_State *L) {
  struct anchor *slot = lua_touserdata(L, 1);
  struct fog_event *ev = slot->event;
  slot->event = NULL;
  if (ev != NULL) ev->release(ev);
  return 0;
}

static struct anchor *get_anchor(lua_State *L) {
  static const char key = 0;
  lua_pushlightuserdata(L, (void *)(uintptr_t)&key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  struct anchor *slot = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (slot != NULL) return slot;
  lua_pushlightuserdata(L, (void *)(uintptr_t)&key);
  slot = lua_newuserdatauv(L, sizeof *slot, 0);
  slot->event = NULL;
  if (luaL_newmetatable(L, ANCHOR_CLASS) != 0) {
    lua_pushcfunction(L, l_release);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
  return slot;
}

/* "Name: value" lines to a table of lower-case names; a name that repeats is joined with ", " (RFC 9110, 5.3). */
static void push_headers(lua_State *L, const char *text, size_t len) {
  lua_newtable(L);
  if (text == NULL) return; /* not one line came */
  const char *end = text + len;
  for (const char *line = text; line != NULL && line < end;) {
    const char *eol = memchr(line, '\n', (size_t)(end - line));
    const char *stop = eol == NULL ? end : eol;
    const char *colon = memchr(line, ':', (size_t)(stop - line));
    if (colon != NULL) {
      luaL_Buffer b;
      luaL_buffinit(L, &b);
      for (const char *p = line; p < colon; p++) luaL_addchar(&b, (char)tolower((unsigned char)*p));
      luaL_pushresult(&b);
      const char *value = colon + 1;
      while (value < stop && (*value == ' ' || *value == '\t')) value++;
      while (stop > value && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t')) stop--;
      lua_pushvalue(L, -1);
      lua_rawget(L, -3);
      bool again = lua_isstring(L, -1) != 0;
      if (again) lua_pushliteral(L, ", ");
      lua_pushlstring(L, value, (size_t)(stop - value));
      if (again)
        lua_concat(L, 3);
      else
        lua_remove(L, -2);
      lua_rawset(L, -3);
    }
    line = eol == NULL ? NULL : eol + 1;
  }
}

int fog_l_headers(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  push_headers(L, text, len);
  return 1;
}

static int push_timings(lua_State *L, const struct fog_timings *t) {
  lua_pushnumber(L, t->resolve);
  lua_pushnumber(L, t->connect);
  lua_pushnumber(L, t->tls);
  lua_pushnumber(L, t->first_byte);
  lua_pushnumber(L, t->total);
  return 5;
}

static void push_text(lua_State *L, const char *text, size_t len) {
  if (text == NULL)
    lua_pushnil(L);
  else
    lua_pushlstring(L, text, len);
}

static void push_bytes(lua_State *L, const char *bytes, size_t len) { lua_pushlstring(L, len == 0 ? "" : bytes, len); }

static int push_reply(lua_State *L, const struct fog_event *ev) {
  lua_pushliteral(L, "reply");
  lua_pushnumber(L, (lua_Number)ev->id);
  lua_pushinteger(L, ev->code);
  push_bytes(L, ev->extra, ev->extra_len);
  push_bytes(L, ev->text, ev->text_len);
  return 5 + push_timings(L, &ev->timings);
}

static int push_failure(lua_State *L, const struct fog_event *ev) {
  lua_pushliteral(L, "failure");
  lua_pushnumber(L, (lua_Number)ev->id);
  lua_pushstring(L, ev->name);
  push_text(L, ev->text, ev->text_len);
  lua_pushboolean(L, ev->flag);
  lua_pushinteger(L, ev->code);
  return 6 + push_timings(L, &ev->timings);
}

/* A table, or nil where the broker sent none. */
static void push_properties(lua_State *L, const struct fog_event *ev) {
  if (ev->properties == NULL)
    lua_pushnil(L);
  else
    fog_push_properties(L, ev->properties, ev->properties_len);
}

/* Of a session: its name, the session's number, and its facts by name. */
static void push_head(lua_State *L, const char *name, const struct fog_event *ev) {
  lua_pushstring(L, name);
  lua_pushinteger(L, (lua_Integer)ev->session);
  lua_createtable(L, 0, 8);
}

static void set_number(lua_State *L, const char *name, uint64_t value) {
  lua_pushnumber(L, (lua_Number)value);
  lua_setfield(L, -2, name);
}

static void set_code(lua_State *L, const char *name, int value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

static void set_properties(lua_State *L, const struct fog_event *ev) {
  push_properties(L, ev);
  lua_setfield(L, -2, "properties");
}

static int push_up(lua_State *L, const struct fog_event *ev) {
  push_head(L, "up", ev);
  set_number(L, "link", ev->id);
  set_code(L, "version", ev->code);
  set_flag(L, "session_present", ev->flag);
  set_properties(L, ev);
  return 3;
}

/* What was sent first and has no answer: { id, topic, size }. */
static void set_suspect(lua_State *L, const struct fog_event *ev) {
  if (ev->suspect == 0) return;
  lua_createtable(L, 0, 3);
  set_number(L, "id", ev->suspect);
  push_bytes(L, ev->extra, ev->extra_len);
  lua_setfield(L, -2, "topic");
  set_number(L, "size", ev->suspect_len);
  lua_setfield(L, -2, "suspect");
}

static int push_down(lua_State *L, const struct fog_event *ev) {
  push_head(L, "down", ev);
  set_number(L, "link", ev->id);
  set_flag(L, "was_up", ev->flag);
  lua_pushnumber(L, (lua_Number)ev->waited_ms / 1000);
  lua_setfield(L, -2, "waited");
  set_code(L, "code", ev->code);
  if (ev->name != NULL) lua_pushstring(L, ev->name);
  if (ev->name != NULL) lua_setfield(L, -2, "kind");
  push_text(L, ev->text, ev->text_len);
  lua_setfield(L, -2, "text");
  set_properties(L, ev);
  set_suspect(L, ev);
  return 3;
}

static int push_subscribed(lua_State *L, const struct fog_event *ev) {
  push_head(L, "subscribed", ev);
  set_number(L, "token", ev->id);
  set_code(L, "code", ev->code);
  set_flag(L, "sent", ev->flag);
  set_properties(L, ev);
  return 3;
}

static int push_published(lua_State *L, const struct fog_event *ev) {
  push_head(L, "published", ev);
  set_number(L, "id", ev->id);
  set_code(L, "code", ev->code);
  push_bytes(L, ev->text, ev->text_len);
  lua_setfield(L, -2, "topic");
  push_bytes(L, ev->extra, ev->extra_len);
  lua_setfield(L, -2, "payload");
  set_flag(L, "dropped", ev->flag);
  set_properties(L, ev);
  return 3;
}

static int push_authenticate(lua_State *L, const struct fog_event *ev) {
  push_head(L, "authenticate", ev);
  set_number(L, "link", ev->id);
  set_code(L, "code", ev->code);
  set_properties(L, ev);
  return 3;
}

static int push_journal(lua_State *L, const struct fog_event *ev) {
  push_head(L, "journal", ev);
  lua_pushstring(L, fog_durable_code_name(ev->code));
  lua_setfield(L, -2, "code");
  push_text(L, ev->text, ev->text_len);
  lua_setfield(L, -2, "text");
  return 3;
}

static int push_plain(lua_State *L, const char *name, const struct fog_event *ev) {
  lua_pushstring(L, name);
  lua_pushinteger(L, (lua_Integer)ev->session);
  return 2;
}

static int push(lua_State *L, const struct fog_event *ev) {
  switch (ev->type) {
    case FOG_EV_REPLY:
      return push_reply(L, ev);
    case FOG_EV_FAILURE:
      return push_failure(L, ev);
    case FOG_EV_UP:
      return push_up(L, ev);
    case FOG_EV_DOWN:
      return push_down(L, ev);
    case FOG_EV_SUBSCRIBED:
      return push_subscribed(L, ev);
    case FOG_EV_PUBLISHED:
      return push_published(L, ev);
    case FOG_EV_AUTHENTICATE:
      return push_authenticate(L, ev);
    case FOG_EV_JOURNAL:
      return push_journal(L, ev);
    case FOG_EV_MESSAGES:
      return push_plain(L, "messages", ev);
    case FOG_EV_DRAINED:
      return push_plain(L, "drained", ev);
    case FOG_EV_CLOSED:
      break;
  }
  return push_plain(L, "closed", ev);
}

int fog_push_event_kept(lua_State *L, const struct fog_event *ev) {
  luaL_checkstack(L, 16, "event");
  return push(L, ev);
}

int fog_push_event(lua_State *L, struct fog_event *ev) {
  luaL_checkstack(L, 16, "event");
  struct anchor *slot = get_anchor(L);
  if (slot->event != NULL) slot->event->release(slot->event); /* left by an error in an earlier push */
  slot->event = ev;
  int n = push(L, ev);
  slot->event = NULL;
  ev->release(ev);
  return n;
}
