/* SPDX-License-Identifier: MIT
 *
 * For the tests of src/mqtt/link.c: a link whose loop the test turns and whose broker is the test's socket.
 */
#ifndef FOG_LINK_BROKER_H
#define FOG_LINK_BROKER_H

#include "../../src/mqtt/link.h"
#include "../../src/mqtt/native.h"
#include "loopback.h"
#include "packets.h"

static struct fog_loop *loop;
static struct fog_queue *events;
static struct fog_session *session;
static struct fog_link me;
static int listener, port, broker;

/* Turns the loop until the condition holds, at most 20 s. */
#define UNTIL(condition)                                                         \
  ({                                                                             \
    fog_loop_turn(loop, 0);                                                      \
    int64_t until_ = fog_loop_now(loop) + 20000;                                 \
    while (!(condition) && fog_loop_now(loop) < until_) fog_loop_turn(loop, 20); \
    (condition);                                                                 \
  })

static inline void say(const char *text) {
  struct exact bytes = from_text(text);
  if (send(broker, bytes.data, bytes.len, MSG_NOSIGNAL) != (ssize_t)bytes.len) exit(1);
  free(bytes.data);
}

static inline struct fog_link_options *options(int version) {
  struct fog_link_options *o = calloc(1, sizeof *o);
  if (o == NULL || (o->to = calloc(1, sizeof *o->to)) == NULL) exit(1);
  o->to->host = strdup("127.0.0.1");
  o->to->port = (uint16_t)port;
  o->client_id = strdup("c");
  o->number = 1;
  o->version = version;
  o->clean = true;
  o->connect_timeout_ms = 20000;
  if (version != FOG_MQTT_5) return o;
  o->topic_alias_maximum = 10;
  struct exact properties = from_text("15 0001'm' 22000A");
  o->properties = properties.data;
  o->properties_len = properties.len;
  return o;
}

/* A link that waits for the broker's word, the broker at its other end. */
static inline bool reach_greeting(int version) {
  static const struct fog_session_limits limits = {
      .in_count = 10, .in_bytes = 10000, .out_count = 10, .out_bytes = 10000, .window = 10};
  session = fog_session_new(1, &fog_native, events, &limits);
  fog_link_init(&me, loop, session);
  struct fog_link_options *o = options(version);
  if (!fog_link_options_prepare(o, session->id)) return false;
  fog_link_connect(&me, o);
  if (!UNTIL(me.state == FOG_GREETING)) return false;
  broker = accept(listener, NULL, NULL);
  return broker >= 0;
}

static inline bool start_broker(void) {
  loop = fog_loop_new();
  events = fog_queue_new();
  listener = listen_somewhere(&port);
  return loop != NULL && events != NULL && listener >= 0;
}

static inline int finish_broker(void) {
  (void)close(listener);
  fog_queue_close(events);
  fog_queue_unref(events);
  fog_connection_forget();
  fog_loop_free(loop);
  return finish();
}

#endif
