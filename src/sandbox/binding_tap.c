/* SPDX-License-Identifier: MIT
 *
 * core.tap(path) -> tap: next(most), counts, kick, publish, close.
 */
#include <string.h>

#include "binding.h"
#include "tap.h"

#define CLASS "fogcloud.SandboxTap"

struct l_tap {
  struct fog_tap *tap; /* NULL: closed */
};

static struct fog_tap *check(lua_State *L) {
  struct l_tap *box = luaL_checkudata(L, 1, CLASS);
  if (box->tap == NULL) (void)luaL_argerror(L, 1, "the tap is closed");
  return box->tap;
}

static int l_close(lua_State *L) {
  struct l_tap *box = luaL_checkudata(L, 1, CLASS);
  struct fog_tap *tap = box->tap;
  box->tap = NULL;
  if (tap != NULL) fog_tap_close(tap);
  return 0;
}

static int l_tap(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct l_tap *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->tap = NULL;
  luaL_getmetatable(L, CLASS);
  lua_setmetatable(L, -2);
  box->tap = fog_tap_open(path, true);
  if (box->tap != NULL) return 1;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: it cannot be made", path);
  return 2;
}

static const char *kind_of(enum fog_tap_kind kind) {
  static const char *const names[] = {
      "", "login", "login_refused", "bye", "message", "message_refused", "subscribe", "subscribe_refused", "withheld"};
  return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "";
}

static void push_note(lua_State *L, const struct fog_tap_note *n) {
  const struct {
    const char *name, *text;
  } texts[] = {{"kind", kind_of(n->kind)}, {"client", n->client}, {"login", n->login}, {"topic", n->topic}};
  const struct {
    const char *name;
    double value;
  } numbers[] = {{"time", n->time}, {"size", n->size}, {"qos", n->qos}};
  lua_createtable(L, 0, 10);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    lua_pushstring(L, texts[i].text);
    lua_setfield(L, -2, texts[i].name);
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    lua_pushnumber(L, numbers[i].value);
    lua_setfield(L, -2, numbers[i].name);
  }
  lua_pushlstring(L, n->payload, n->payload_len);
  lua_setfield(L, -2, "payload");
  lua_pushboolean(L, n->retain);
  lua_setfield(L, -2, "retain");
}

/* tap:next(most) -> list of what was seen: kind, time, client, login, topic, payload, size, qos, retain, reason; and
 * how many messages beyond `most` were left out. Logins and their ends are all there. */
static int l_next(lua_State *L) {
  struct fog_tap *tap = check(L);
  struct fog_tap_note note;
  lua_Integer most = luaL_checkinteger(L, 2), messages = 0, skipped = 0;
  int n = 0;
  lua_newtable(L);
  while (messages + skipped < FOG_TAP_TURN && fog_tap_next(tap, &note)) {
    bool is_message = fog_tap_is_message(note.kind);
    if (is_message && messages >= most) {
      skipped++;
      continue;
    }
    messages += is_message ? 1 : 0;
    push_note(L, &note);
    lua_rawseti(L, -2, ++n);
  }
  lua_pushinteger(L, skipped);
  return 2;
}

/* tap:counts() -> messages, bytes, dropped */
static int l_counts(lua_State *L) {
  struct fog_tap_counts counts = fog_tap_counts(check(L));
  lua_pushnumber(L, (lua_Number)counts.messages);
  lua_pushnumber(L, (lua_Number)counts.bytes);
  lua_pushnumber(L, (lua_Number)counts.dropped);
  return 3;
}

/* tap:kick(client_id | nil) -> whether the order found room */
static int l_kick(lua_State *L) {
  struct fog_tap_note order = {.kind = FOG_TAP_KICK, .client = luaL_optstring(L, 2, "")};
  lua_pushboolean(L, fog_tap_order(check(L), order));
  return 1;
}

/* tap:publish(topic, payload, qos, retain) -> whether the order found room; a payload has 4,096 bytes at most */
static int l_publish(lua_State *L) {
  size_t len;
  struct fog_tap_note order = {.kind = FOG_TAP_PUBLISH, .topic = luaL_checkstring(L, 2)};
  order.payload = luaL_checklstring(L, 3, &len);
  order.payload_len = len;
  order.size = (uint32_t)len;
  order.qos = (uint8_t)luaL_checkinteger(L, 4);
  order.retain = lua_toboolean(L, 5) != 0;
  lua_pushboolean(L, fog_tap_order(check(L), order));
  return 1;
}

void fog_open_tap(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", l_close}, {"next", l_next},       {"counts", l_counts},
                                     {"kick", l_kick},   {"publish", l_publish}, {NULL, NULL}};
  fog_class(L, CLASS, methods, l_close, NULL);
  lua_pushcfunction(L, l_tap);
  lua_setfield(L, -2, "tap");
}
