/* SPDX-License-Identifier: MIT
 *
 * The session userdata: commands to the dispatcher, messages out of the inbox. No judgement: when to connect, to
 * subscribe again or to give up is lua/fogcloud/session.lua's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../core/memory_file.h"
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

static struct fog_session *check(lua_State *L) {
  struct fog_session *s = reach(L);
  const struct fog_l_session *box = lua_touserdata(L, 1);
  if (box->closed) (void)luaL_argerror(L, 1, "the session is closed");
  return s;
}

static int l_close(lua_State *L) {
  struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  if (box->session == NULL || box->closed) return 0;
  box->closed = true;
  fog_dispatcher_close(box->session);
  return 0;
}

static int l_gc(lua_State *L) {
  struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  struct fog_session *s = box->session;
  (void)l_close(L);
  box->session = NULL;
  if (s != NULL) fog_session_unref(s);
  return 0;
}

static int l_tostring(lua_State *L) {
  const struct fog_l_session *box = luaL_checkudata(L, 1, FOG_SESSION_CLASS);
  lua_pushfstring(L, FOG_SESSION_CLASS " %d (%s)", (int)box->id,
                  box->session == NULL || box->closed ? "closed" : "open");
  return 1;
}

static const char *reason(int error) {
  switch (error) {
    case FOG_EFORKED:
      return "MQTT was started before this process was forked, and its threads did not survive";
    case FOG_ENOTHREAD:
      return "no thread could be started";
    default:
      return "not enough memory";
  }
}

static int result(lua_State *L, int error) {
  if (error == FOG_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reason(error));
  return 2;
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
  };
  int error = FOG_OK;
  struct fog_l_session *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (struct fog_l_session){.session = NULL}; /* closed until all is well */
  luaL_getmetatable(L, FOG_SESSION_CLASS);
  lua_setmetatable(L, -2);
  box->session = fog_engine_session(engine, &limits, &error);
  if (box->session == NULL) return result(L, error);
  box->id = box->session->id;
  return 1;
}

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
  o->number = (uint64_t)fog_opt_number(L, 2, "link", 0, 0, 9e15);
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

static int l_connect(lua_State *L) {
  struct fog_session *s = check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  struct options_box *box = new_options(L);
  struct fog_link_options *o = box->options;
  if (o == NULL) return result(L, FOG_ENOMEMORY);
  copy_texts(L, box);
  copy_numbers(L, o);
  o->properties = copy_bytes(L, box, "properties", &o->properties_len);
  lua_getfield(L, 2, "will_topic");
  if (!lua_isnil(L, -1)) copy_will(L, box);
  if (box->no_memory) return result(L, FOG_ENOMEMORY);
  if (o->uri == NULL || o->client_id == NULL) return luaL_error(L, "options 'uri' and 'client_id' are required");
  box->options = NULL;
  return result(L, fog_dispatcher_connect(s, o));
}

static int l_claim_websockets(lua_State *L) {
  lua_pushboolean(L, fog_dispatcher_claim_websockets(check(L)));
  return 1;
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
  if (lua_isnoneornil(L, 5)) return result(L, fog_dispatcher_subscribe(s, token, filter, &how));
  how.no_local = fog_opt_bool(L, 5, "no_local", false);
  how.retain_as_published = fog_opt_bool(L, 5, "retain_as_published", false);
  how.retain_handling = (int)fog_opt_number(L, 5, "retain_handling", 0, 0, 2);
  how.properties = fog_opt_string(L, 5, "properties", &how.properties_len);
  return result(L, fog_dispatcher_subscribe(s, token, filter, &how));
}

static int l_unsubscribe(lua_State *L) {
  static const struct fog_subscription none = {.qos = -1};
  struct fog_session *s = check(L);
  uint64_t token = (uint64_t)luaL_checknumber(L, 2);
  return result(L, fog_dispatcher_subscribe(s, token, check_topic(L, 3), &none));
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

/* session:publish(topic, payload, qos, retained, notify, properties) -> number | nil, "full" | nil, "too large"
 * | nil, "not enough memory" */
static int l_publish(lua_State *L) {
  struct fog_session *s = check(L);
  struct fog_bytes topic = {check_topic(L, 2), 0}, payload, properties = {NULL, 0};
  topic.len = strlen(topic.data);
  payload.data = luaL_checklstring(L, 3, &payload.len);
  lua_Integer qos = luaL_optinteger(L, 4, 0);
  luaL_argcheck(L, qos >= 0 && qos <= 2, 4, "QoS is 0, 1 or 2");
  luaL_argcheck(L, payload.len <= MAX_PAYLOAD, 3, "a payload has at most 268435455 bytes");
  properties.data = luaL_optlstring(L, 7, "", &properties.len);
  struct fog_message *m = fog_message_new(topic, payload, properties);
  if (m == NULL) return result(L, FOG_ENOMEMORY);
  uint64_t id;
  bool feed;
  m->event.session = s->id;
  m->qos = (uint8_t)qos;
  m->retained = lua_toboolean(L, 5) != 0;
  m->notify = lua_toboolean(L, 6) != 0;
  enum fog_outbox_room room = fog_outbox_add(&s->outbox, m, &id, &feed);
  if (room != FOG_ROOM) {
    m->event.release(&m->event);
    return no_room(L, room);
  }
  if (feed && atomic_load(&s->sending)) fog_dispatcher_feed(s);
  lua_pushnumber(L, (lua_Number)id);
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

/* session:oldest_in_flight() -> id, topic, payload bytes; nothing when nothing is in flight. QoS 1 and 2. */
static int l_oldest_in_flight(lua_State *L) {
  struct fog_outbox_oldest oldest;
  if (!fog_outbox_oldest(&check(L)->outbox, &oldest)) return 0;
  lua_pushnumber(L, (lua_Number)oldest.id);
  lua_pushstring(L, oldest.topic);
  lua_pushnumber(L, (lua_Number)oldest.size);
  return 3;
}

/* session:resume(): the subscriptions of the new link are on their way, messages may follow. */
static int l_resume(lua_State *L) {
  struct fog_session *s = check(L);
  atomic_store(&s->sending, true);
  fog_dispatcher_feed(s);
  return 0;
}

static int l_leave(lua_State *L) { return result(L, fog_dispatcher_leave(check(L))); }

static int l_id(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check(L)->id);
  return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t n) {
  lua_pushnumber(L, (lua_Number)n);
  lua_setfield(L, -2, name);
}

static int l_stats(lua_State *L) {
  struct fog_session *s = reach(L);
  struct fog_outbox_stats out;
  struct fog_inbox_stats in;
  fog_outbox_stats(&s->outbox, &out);
  fog_inbox_stats(&s->inbox, &in);
  lua_createtable(L, 0, 12);
  set_count(L, "accepted", out.accepted);
  set_count(L, "acknowledged", out.acknowledged);
  set_count(L, "failed", out.failed);
  set_count(L, "dropped", out.dropped);
  set_count(L, "queued", out.queued);
  set_count(L, "queued_bytes", out.queued_bytes);
  set_count(L, "in_flight", out.in_flight);
  set_count(L, "received", in.received);
  set_count(L, "received_dropped", in.dropped);
  set_count(L, "inbox", in.queued);
  set_count(L, "inbox_bytes", in.queued_bytes);
  return 1;
}

static void open_options(lua_State *L) {
  (void)luaL_newmetatable(L, OPTIONS_CLASS);
  lua_pushcfunction(L, l_free_options);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

int fog_open_mqtt(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"connect", l_connect},
      {"claim_websockets", l_claim_websockets},
      {"subscribe", l_subscribe},
      {"unsubscribe", l_unsubscribe},
      {"publish", l_publish},
      {"room", l_room},
      {"receiver", fog_l_receiver},
      {"pending", l_pending},
      {"received_dropped", l_received_dropped},
      {"drained", l_drained},
      {"leave", l_leave},
      {"resume", l_resume},
      {"oldest_in_flight", l_oldest_in_flight},
      {"id", l_id},
      {"stats", l_stats},
      {"close", l_close},
      {NULL, NULL},
  };
  fog_class(L, FOG_SESSION_CLASS, methods, l_gc, l_tostring);
  open_options(L);
  return 0;
}
