/* SPDX-License-Identifier: MIT
 *
 * Subscriptions go before messages, also where the driver's thread looks for messages between the moment in which Lua
 * has asked for both and the one in which it finds the subscription in its mailbox: it does so after each read, and the
 * one that brought the CONNACK wakes Lua.
 */
#include "link_broker.h"

static void publish(void) {
  bool feed;
  uint64_t id;
  struct fog_message *m =
      fog_message_new((struct fog_bytes){"t", 1}, (struct fog_bytes){"m", 1}, (struct fog_bytes){NULL, 0});
  if (m == NULL || fog_outbox_add(&session->outbox, m, &id, &feed) != FOG_ROOM) exit(1);
}

/* Whether these bytes are what the broker reads next. */
static bool reads(const char *text) {
  char bytes[64];
  struct exact should = from_text(text);
  ssize_t n = recv(broker, bytes, should.len, MSG_WAITALL);
  bool same = n == (ssize_t)should.len && memcmp(bytes, should.data, should.len) == 0;
  free(should.data);
  return same;
}

static bool sends_nothing(void) {
  char byte;
  fog_loop_turn(loop, 0);
  return recv(broker, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

int main(void) {
  static const struct fog_subscription how = {.qos = 1};
  if (!start_broker() || !reach_greeting(FOG_MQTT_3)) return 1;
  check(reads("10 0D 0004'MQTT' 04 02 0000 0001'c'"), "a CONNECT comes first");
  publish();
  say("20 02 0000");
  if (!UNTIL(me.state == FOG_UP)) return 1;
  check(sends_nothing(), "nothing is sent before Lua has asked for its subscriptions");

  struct fog_ask *one = fog_ask_new(session, 1, "t", &how), *two = fog_ask_new(session, 2, "u", &how);
  if (one == NULL || two == NULL) return 1;
  atomic_store(&session->sending, 1);
  fog_link_feed(&me);
  check(sends_nothing(), "a message waits for the subscriptions in the mailbox");
  fog_link_subscribe(&me, one);
  check(reads("82 06 0001 0001't' 01") && sends_nothing(), "and for the second of them");
  fog_link_subscribe(&me, two);
  check(reads("82 06 0002 0001'u' 01") && reads("30 04 0001't' 'm'"), "then it follows");

  fog_link_destroy(&me);
  (void)close(broker);
  (void)UNTIL(fog_loop_watched(loop) == 0);
  fog_session_unref(session);
  return finish_broker();
}
