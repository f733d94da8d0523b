/* SPDX-License-Identifier: MIT
 *
 * The session userdata: commands to its driver, messages out of the inbox. No judgement: when to connect, to
 * subscribe again or to give up is lua/fogcloud/mqtt/keeper.lua's.
 */
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/process.h"
#include "../durable/durable.h"
#include "../mqtt/native.h"
#include "../mqtt/properties.h"
#include "handles.h"
#include "properties.h"

static const double MAX_COUNT = 1e9, MAX_BYTES = 1e12;
static const double DEFAULT_COUNT = 10000, DEFAULT_BYTES = 16 * 1024 * 1024, DEFAULT_WINDOW = 128;
enum { MAX_WINDOW = 65535, MAX_PAYLOAD = 268435455, MAX_TOPIC = 65535 };

/* What was counted and received can be had from a closed session too. */
static struct fog_session *reach(lua_State *L) {
  struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  if (box->session == NULL) (void)luaL_argerror(L, 1, "the session is gone");
  return box->session;
}

static struct fog_session *usable(lua_State *L, const struct fog_l_session *box) {
  if (box->session == NULL) (void)luaL_error(L, "the session is gone");
  if (box->closed) (void)luaL_error(L, "the session is closed");
  if (fog_process_forked(box->pid))
    (void)luaL_error(L, "the session was made before this process was forked: connect in the child");
  return box->session;
}

static struct fog_session *check(lua_State *L) { return usable(L, luaL_checkudata(L, 1, FOG_SESSION_CLASS)); }

/* session:close(reason, properties): acknowledges what is handled, says goodbye. */
static int l_close(lua_State *L) {
  struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  struct fog_goodbye goodbye = {(uint8_t)luaL_optinteger(L, 2, 0), luaL_optstring(L, 3, NULL), 0};
  if (goodbye.properties != NULL) goodbye.properties_len = (size_t)lua_rawlen(L, 3);
  if (box->session == NULL || box->closed) return 0;
  box->closed = true;
  atomic_store(&box->session->handled, box->handled.watermark);
  bool special = goodbye.reason != 0 || goodbye.properties_len > 0;
  (void)box->session->driver->leave(box->session, FOG_END, special ? &goodbye : NULL);
  return 0;
}

/* Nobody said goodbye, so the broker is not told either: it sends the will. */
static int l_gc(lua_State *L) {
  struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  struct fog_session *s = box->session;
  box->session = NULL;
  if (s == NULL) return 0;
  if (!box->closed) (void)s->driver->leave(s, FOG_END_SILENTLY, NULL);
  box->closed = true;
  fog_handled_free(&box->handled);
  fog_session_unref(s);
  return 0;
}

static int l_tostring(lua_State *L) {
  const struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  lua_pushfstring(L, FOG_SESSION_CLASS " %d (%s)", (int)box->id,
                  box->session == NULL || box->closed ? "closed" : "open");
  return 1;
}

static int result(lua_State *L, int error) {
  if (error == FOG_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, fog_error_text(error));
  return 2;
}

/* Field `driver` of the options: a userdata of another module; without one, our own. */
static const struct fog_driver *driver_of(lua_State *L, int t) {
  const struct fog_driver *driver = &fog_native;
  lua_getfield(L, t, "driver");
  if (!lua_isnil(L, -1)) driver = ((struct fog_l_driver *)luaL_checkudata(L, -1, FOG_DRIVER_CLASS))->driver;
  lua_pop(L, 1);
  return driver;
}

/* Field `journal` of the options: a userdata of the module fogcloud.durable. */
static struct fog_durable *journal_of(lua_State *L, int t) {
  struct fog_durable_head *head = NULL;
  lua_getfield(L, t, "journal");
  if (!lua_isnil(L, -1)) {
    head = *(struct fog_durable_head **)luaL_checkudata(L, -1, FOG_DURABLE_CLASS);
    bool fits = head != NULL && head->version == FOG_DURABLE_VERSION;
    if (!fits) (void)luaL_error(L, "journal: an open one of this version of fogcloud expected");
  }
  lua_pop(L, 1);
  return (struct fog_durable *)(void *)head;
}

int fog_l_session(lua_State *L) {
  struct fog_engine *engine = fog_check_engine(L, 1);
  if (lua_isnoneornil(L, 2)) {
    lua_settop(L, 1);
    lua_newtable(L);
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  struct fog_session_limits limits = {
      .in_count = (size_t)fog_opt_number(L, 2, "in_count", DEFAULT_COUNT, 1, MAX_COUNT),
      .in_bytes = (size_t)fog_opt_number(L, 2, "in_bytes", DEFAULT_BYTES, 1, MAX_BYTES),
      .out_count = (size_t)fog_opt_number(L, 2, "out_count", DEFAULT_COUNT, 1, MAX_COUNT),
      .out_bytes = (size_t)fog_opt_number(L, 2, "out_bytes", DEFAULT_BYTES, 1, MAX_BYTES),
      .window = (size_t)fog_opt_number(L, 2, "window", DEFAULT_WINDOW, 1, MAX_WINDOW),
      .hold_qos0 = fog_opt_bool(L, 2, "hold", false),
      .handled = fog_opt_bool(L, 2, "handled", false),
      .callers_thread = !fog_opt_bool(L, 2, "thread", true),
      .journal = journal_of(L, 2),
  };
  const struct fog_driver *driver = driver_of(L, 2);
  int error = FOG_OK;
  struct fog_l_session *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (struct fog_l_session){.session = NULL}; /* closed until all is well */
  luaL_getmetatable(L, FOG_SESSION_CLASS);
  lua_setmetatable(L, -2);
  box->session = fog_engine_session(engine, driver, &limits, &error);
  if (box->session == NULL) return result(L, error);
  box->id = box->session->id;
  box->pid = getpid();
  box->handled_mode = limits.handled;
  return 1;
}

static int l_connect(lua_State *L) {
  struct fog_session *s = check(L);
  struct fog_link_options *o = fog_l_link_options(L);
  return result(L, o == NULL ? FOG_ENOMEMORY : s->driver->connect(s, o));
}

static const char *check_topic(lua_State *L, int arg) {
  size_t len;
  const char *topic = luaL_checklstring(L, arg, &len);
  luaL_argcheck(L, len > 0 && len <= MAX_TOPIC && strlen(topic) == len, arg, "a topic has 1 to 65535 bytes and no NUL");
  return topic;
}

/* session:subscribe(token, filter, qos, options): no_local, retain_as_published, retain_handling, properties */
static int l_subscribe(lua_State *L) {
  struct fog_session *s = check(L);
  uint64_t token = (uint64_t)luaL_checknumber(L, 2);
  const char *filter = check_topic(L, 3);
  lua_Integer qos = luaL_checkinteger(L, 4);
  luaL_argcheck(L, qos >= 0 && qos <= 2, 4, "QoS is 0, 1 or 2");
  struct fog_subscription how = {.qos = (int)qos};
  if (lua_isnoneornil(L, 5)) return result(L, s->driver->subscribe(s, token, filter, &how));
  how.no_local = fog_opt_bool(L, 5, "no_local", false);
  how.retain_as_published = fog_opt_bool(L, 5, "retain_as_published", false);
  how.retain_handling = (int)fog_opt_number(L, 5, "retain_handling", 0, 0, 2);
  how.properties = fog_opt_string(L, 5, "properties", &how.properties_len);
  return result(L, s->driver->subscribe(s, token, filter, &how));
}

static int l_unsubscribe(lua_State *L) {
  static const struct fog_subscription none = {.qos = -1};
  struct fog_session *s = check(L);
  uint64_t token = (uint64_t)luaL_checknumber(L, 2);
  return result(L, s->driver->subscribe(s, token, check_topic(L, 3), &none));
}

/* nil and why not, in a word that publications.lua knows. */
static int no_room(lua_State *L, enum fog_outbox_room room) {
  lua_pushnil(L);
  lua_pushstring(L, room == FOG_ROOM_NEVER ? "too large" : "full");
  return 2;
}

/* session:room(bytes, wait) -> true | nil, "full" | nil, "too large": whether a message of so many bytes in all would
 * be taken. With `wait` an event comes once there is room where there is none now. */
static int l_room(lua_State *L) {
  struct fog_session *s = check(L);
  lua_Number bytes = luaL_checknumber(L, 2);
  luaL_argcheck(L, bytes >= 0 && bytes <= MAX_BYTES, 2, "a number of bytes expected");
  enum fog_outbox_room room = fog_outbox_room(&s->outbox, (size_t)bytes, lua_toboolean(L, 3) != 0);
  if (room != FOG_ROOM) return no_room(L, room);
  lua_pushboolean(L, 1);
  return 1;
}

/* MQTT 5.0, 3.3.2.3.3: the interval begins when the message is given to us. */
static void set_expiry(struct fog_message *m) {
  enum { EXPIRY = 2 };
  struct fog_property p;
  struct fog_bytes properties = {m->properties, m->properties_len};
  if (properties.len > 0 && fog_properties_find(properties, EXPIRY, &p))
    m->expires_ms = m->accepted_ms + (int64_t)p.number * 1000;
}

/* Whether the journal takes a message of this QoS. Else nil, "journal", a text and a code in a word are on the stack.
 */
static bool is_kept(lua_State *L, const struct fog_session *s, lua_Integer qos, size_t bytes) {
  struct fog_durable_error error;
  if (s->journal == NULL || qos == 0) return true;
  if (fog_session_journal(s)->check(s->journal, bytes, &error) == FOG_DURABLE_OK) return true;
  lua_pushnil(L);
  lua_pushliteral(L, "journal");
  lua_pushstring(L, error.text);
  lua_pushstring(L, fog_durable_code_name((int)error.code));
  return false;
}

/* (topic, payload, qos, retained, notify, properties), the first at `at` -> number | nil, "full" | nil, "too large"
 * | nil, "not enough memory" | nil, "journal", text, code */
static int publish(lua_State *L, struct fog_session *s, int at) {
  struct fog_bytes topic = {check_topic(L, at), 0}, payload, properties = {NULL, 0};
  topic.len = strlen(topic.data);
  payload.data = luaL_checklstring(L, at + 1, &payload.len);
  lua_Integer qos = luaL_optinteger(L, at + 2, 0);
  luaL_argcheck(L, qos >= 0 && qos <= 2, at + 2, "QoS is 0, 1 or 2");
  luaL_argcheck(L, payload.len <= MAX_PAYLOAD, at + 1, "a payload has at most 268435455 bytes");
  properties.data = luaL_optlstring(L, at + 5, "", &properties.len);
  if (!is_kept(L, s, qos, topic.len + payload.len + properties.len)) return 4;
  struct fog_message *m = fog_message_new(topic, payload, properties);
  if (m == NULL) return result(L, FOG_ENOMEMORY);
  uint64_t id;
  bool feed;
  m->accepted_ms = (int64_t)(fog_process_now() * 1000);
  set_expiry(m);
  m->qos = (uint8_t)qos;
  m->retained = lua_toboolean(L, at + 3) != 0;
  m->notify = lua_toboolean(L, at + 4) != 0;
  enum fog_outbox_room room = fog_outbox_add(&s->outbox, m, &id, &feed);
  if (room != FOG_ROOM) {
    m->event.release(&m->event);
    return no_room(L, room);
  }
  if (feed) s->driver->feed(s);
  lua_pushnumber(L, (lua_Number)id);
  return 1;
}

static int l_publish(lua_State *L) { return publish(L, check(L), 2); }

/* It is called for every message, so it holds its session instead of looking for it in its arguments. */
static int publish_held(lua_State *L) { return publish(L, usable(L, lua_touserdata(L, lua_upvalueindex(1))), 1); }

/* session:publisher(): a function that does what session:publish does. */
static int l_publisher(lua_State *L) {
  (void)luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  lua_settop(L, 1);
  lua_pushcclosure(L, publish_held, 1);
  return 1;
}

static int l_pending(lua_State *L) {
  lua_pushboolean(L, fog_inbox_pending(&reach(L)->inbox));
  return 1;
}

/* QoS 0 messages dropped at the inbox's bound, so far. */
static int l_received_dropped(lua_State *L) {
  struct fog_inbox_stats in;
  fog_inbox_stats(&reach(L)->inbox, &in);
  lua_pushnumber(L, (lua_Number)in.dropped);
  return 1;
}

static int l_drained(lua_State *L) {
  lua_pushboolean(L, fog_outbox_want_drain(&check(L)->outbox));
  return 1;
}

/* session:feed(link): the subscriptions of this link are on their way, messages may follow. */
static int l_feed(lua_State *L) {
  struct fog_session *s = check(L);
  atomic_store(&s->sending, (uint64_t)luaL_checknumber(L, 2));
  s->driver->feed(s);
  return 0;
}

/* session:hold(): no message is taken in any more; what comes is left to the system, and to the broker. What is handled
 * from now on is acknowledged at once. */
static int l_hold(lua_State *L) {
  struct fog_session *s = check(L);
  struct fog_l_session *box = lua_touserdata(L, 1);
  atomic_store(&s->hold, true);
  atomic_store(&s->handled, box->handled.watermark);
  s->driver->feed(s);
  return 0;
}

/* session:resting(): nothing is read now, for the inbox is full. */
static int l_resting(lua_State *L) {
  lua_pushboolean(L, atomic_load(&reach(L)->resting));
  return 1;
}

/* session:authenticate(properties) */
static int l_authenticate(lua_State *L) {
  size_t len;
  struct fog_session *s = check(L);
  const char *properties = luaL_checklstring(L, 2, &len);
  return result(L, s->driver->authenticate(s, properties, len));
}

static int l_leave(lua_State *L) {
  struct fog_session *s = check(L);
  return result(L, s->driver->leave(s, FOG_LEAVE, NULL));
}

static int l_id(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check(L)->id);
  return 1;
}

static int l_stats(lua_State *L) {
  struct fog_session *s = reach(L);
  struct fog_outbox_stats out;
  struct fog_inbox_stats in;
  fog_outbox_stats(&s->outbox, &out);
  fog_inbox_stats(&s->inbox, &in);
  lua_createtable(L, 0, 12);
  fog_set_whole(L, "accepted", out.accepted);
  fog_set_whole(L, "acknowledged", out.acknowledged);
  fog_set_whole(L, "failed", out.failed);
  fog_set_whole(L, "dropped", out.dropped);
  fog_set_whole(L, "queued", out.queued);
  fog_set_whole(L, "queued_bytes", out.queued_bytes);
  fog_set_whole(L, "in_flight", out.in_flight);
  fog_set_whole(L, "received", in.received);
  fog_set_whole(L, "received_dropped", in.dropped);
  fog_set_whole(L, "inbox", in.queued);
  fog_set_whole(L, "inbox_bytes", in.queued_bytes);
  return 1;
}

int fog_open_mqtt(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"connect", l_connect},
      {"subscribe", l_subscribe},
      {"unsubscribe", l_unsubscribe},
      {"publish", l_publish},
      {"publisher", l_publisher},
      {"room", l_room},
      {"receiver", fog_l_receiver},
      {"handled", fog_l_handled},
      {"pending", l_pending},
      {"received_dropped", l_received_dropped},
      {"drained", l_drained},
      {"leave", l_leave},
      {"feed", l_feed},
      {"hold", l_hold},
      {"resting", l_resting},
      {"authenticate", l_authenticate},
      {"id", l_id},
      {"stats", l_stats},
      {"close", l_close},
      {NULL, NULL},
  };
  fog_class(L, FOG_SESSION_CLASS, methods, l_gc, l_tostring);
  fog_open_link_options(L);
  return 0;
}
