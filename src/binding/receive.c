/* SPDX-License-Identifier: MIT
 *
 * session:receiver(): a function that gives the next message of the inbox. It is called once per message, millions of
 * times a second, so it holds its session instead of looking for it in its arguments, and the topics that repeat are
 * strings that exist already: one allocation per message, the payload's.
 */
#include <string.h>

#include "../base/process.h"
#include "../mqtt/properties.h"
#include "handles.h"
#include "properties.h"

enum { TOPICS = 256, TAIL = 16, RETAINED = 4, DUP = 8 };
enum { UP_SESSION = 1, UP_TOPICS };

static const double TELL_AFTER = 0.001; /* seconds */

/* Where a topic is remembered: by its last bytes, for it is there that topics differ. */
static lua_Integer slot_of(const char *topic, size_t len) {
  uint32_t hash = (uint32_t)len;
  for (size_t i = len > TAIL ? len - TAIL : 0; i < len; i++) hash = hash * 31 + (unsigned char)topic[i];
  return (lua_Integer)((hash ^ hash >> 8) % TOPICS) + 1;
}

static void push_topic(lua_State *L, const char *topic, size_t len) {
  size_t known_len = 0;
  lua_Integer slot = slot_of(topic, len);
  if (lua_isnil(L, lua_upvalueindex(UP_TOPICS))) { /* the first message: an idle session does without */
    lua_createtable(L, TOPICS, 0);
    lua_replace(L, lua_upvalueindex(UP_TOPICS));
  }
  lua_rawgeti(L, lua_upvalueindex(UP_TOPICS), (int)slot);
  const char *known = lua_tolstring(L, -1, &known_len);
  if (known != NULL && known_len == len && memcmp(known, topic, len) == 0) return;
  lua_pop(L, 1);
  lua_pushlstring(L, topic, len);
  lua_pushvalue(L, -1);
  lua_rawseti(L, lua_upvalueindex(UP_TOPICS), (int)slot);
}

/* nil where there are none, a number where there is nothing but one Subscription Identifier, else a table. */
static void push_properties(lua_State *L, const struct fog_message_view *m) {
  enum { SUBSCRIPTION_IDENTIFIER = 11 };
  struct fog_property p;
  const char *at = m->properties, *end = at + m->properties_len;
  if (m->properties_len == 0)
    lua_pushnil(L);
  else if (*at == SUBSCRIPTION_IDENTIFIER && fog_property_read(&at, end, &p) && at == end)
    fog_push_whole(L, p.number);
  else
    fog_push_properties(L, m->properties, m->properties_len);
}

/* Tells the driver what it may be waiting for: that there is room in the inbox, or what was handled. The latter at once
 * when there is nothing more to handle, else now and then: each time costs the driver a turn. */
static void tell(struct fog_l_session *box, bool nothing_left) {
  struct fog_session *s = box->session;
  if (box->closed) return;
  bool due = s->inbox.notify;
  s->inbox.notify = false;
  if (box->handled.watermark > atomic_load_explicit(&s->handled, memory_order_relaxed)) {
    double now = fog_process_now();
    if (nothing_left || now - box->told >= TELL_AFTER) {
      box->told = now;
      atomic_store(&s->handled, box->handled.watermark);
      due = true;
    }
  }
  if (due) s->driver->feed(s);
}

/* (handled) -> topic, payload, flags (QoS + 4 retained + 8 duplicate), properties (nil where there are none; see
 * push_properties), number;
 * or nothing. `number` is there with acknowledge = "handled" and is given back once that message is handled. */
static int l_receive(lua_State *L) {
  struct fog_l_session *box = lua_touserdata(L, lua_upvalueindex(UP_SESSION));
  struct fog_message_view m;
  if (box->session == NULL) return 0;
  if (!lua_isnoneornil(L, 1)) (void)fog_handled_done(&box->handled, (uint64_t)lua_tonumber(L, 1));
  if (box->handled_mode && !fog_handled_reserve(&box->handled)) return luaL_error(L, "not enough memory");
  bool any = fog_inbox_next(&box->session->inbox, &m);
  tell(box, !any);
  if (!any) return 0;
  uint64_t number = box->handled_mode && m.qos > 0 ? fog_handled_take(&box->handled) : 0;
  push_topic(L, m.topic, m.topic_len);
  lua_pushlstring(L, m.payload, m.payload_len);
  lua_pushinteger(L, m.qos + (m.retained ? RETAINED : 0) + (m.dup ? DUP : 0));
  if (m.properties_len == 0 && number == 0) return 3;
  push_properties(L, &m);
  if (number == 0) return 4;
  lua_pushnumber(L, (lua_Number)number);
  return 5;
}

/* session:handled(number): the message is handled, and none is received instead. */
int fog_l_handled(lua_State *L) {
  struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  (void)fog_handled_done(&box->handled, (uint64_t)luaL_checknumber(L, 2));
  if (box->session != NULL) tell(box, true);
  return 0;
}

int fog_l_receiver(lua_State *L) {
  (void)luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  lua_settop(L, 1);
  lua_pushnil(L);
  lua_pushcclosure(L, l_receive, 2);
  return 1;
}
