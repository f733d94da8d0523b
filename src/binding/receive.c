/* SPDX-License-Identifier: MIT
 *
 * session:receiver(): a function that gives the next message of the inbox. It is called once per message, millions of
 * times a second, so it holds its session instead of looking for it in its arguments, and the topics that repeat are
 * strings that exist already: one allocation per message, the payload's.
 */
#include <string.h>

#include "handles.h"
#include "properties.h"

enum { TOPICS = 256, TAIL = 16, RETAINED = 4, DUP = 8 };
enum { UP_SESSION = 1, UP_TOPICS };

/* Where a topic is remembered: by its last bytes, for it is there that topics differ. */
static lua_Integer slot_of(const char *topic, size_t len) {
  uint32_t hash = (uint32_t)len;
  for (size_t i = len > TAIL ? len - TAIL : 0; i < len; i++) hash = hash * 31 + (unsigned char)topic[i];
  return (lua_Integer)((hash ^ hash >> 8) % TOPICS) + 1;
}

static void push_topic(lua_State *L, const char *topic, size_t len) {
  size_t known_len = 0;
  lua_Integer slot = slot_of(topic, len);
  lua_rawgeti(L, lua_upvalueindex(UP_TOPICS), (int)slot);
  const char *known = lua_tolstring(L, -1, &known_len);
  if (known != NULL && known_len == len && memcmp(known, topic, len) == 0) return;
  lua_pop(L, 1);
  lua_pushlstring(L, topic, len);
  lua_pushvalue(L, -1);
  lua_rawseti(L, lua_upvalueindex(UP_TOPICS), (int)slot);
}

/* () -> topic, payload, flags (QoS + 4 retained + 8 duplicate), properties where there are any; or nothing. */
static int l_receive(lua_State *L) {
  const struct fog_l_session *box = lua_touserdata(L, lua_upvalueindex(UP_SESSION));
  struct fog_message_view m;
  if (box->session == NULL || !fog_inbox_next(&box->session->inbox, &m)) return 0;
  push_topic(L, m.topic, m.topic_len);
  lua_pushlstring(L, m.payload, m.payload_len);
  lua_pushinteger(L, m.qos + (m.retained ? RETAINED : 0) + (m.dup ? DUP : 0));
  if (m.properties_len == 0) return 3;
  fog_push_properties(L, m.properties, m.properties_len);
  return 4;
}

int fog_l_receiver(lua_State *L) {
  (void)luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  lua_settop(L, 1);
  lua_createtable(L, TOPICS, 0);
  lua_pushcclosure(L, l_receive, 2);
  return 1;
}
