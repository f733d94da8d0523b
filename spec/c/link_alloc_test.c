/* SPDX-License-Identifier: MIT
 *
 * A packet that comes when there is no memory: for each allocation that reading it takes, the link ends where that one
 * fails, and it is told why (3.1.1, MQTT-4.8.0-2: a transient error). A message of QoS 0 is dropped alone, as beyond
 * the inbox's bound.
 */
#include "alloc_table.h"
#include "link_broker.h"

static const struct {
  const char *name, *packet;
  int version;
  bool handled; /* acknowledged when it was handled */
} CASES[] = {
    {"a PUBLISH of QoS 1", "32 07 0001't' 0001 'ab'", FOG_MQTT_3, false},
    {"a PUBLISH of QoS 1 to be handled first", "32 07 0001't' 0001 'ab'", FOG_MQTT_3, true},
    {"a PUBLISH of QoS 2", "34 07 0001't' 0001 'ab'", FOG_MQTT_3, false},
    {"a PUBLISH with an alias", "32 0B 0001't' 0001 03 230001 'ab'", FOG_MQTT_5, false},
    {"an AUTH", "F0 06 18 04 15 0001'm'", FOG_MQTT_5, false},
};
static const char QOS_0[] = "30 05 0001't' 'ab'";

static bool told(void) {
  bool right = false;
  for (struct fog_event *ev = fog_queue_take(events), *next; ev != NULL; ev = next) {
    next = ev->next;
    if (ev->type == FOG_EV_DOWN) {
      right = ev->text != NULL && strstr(ev->text, "not enough memory") != NULL;
      if (!right) printf("# %s: %s\n", ev->name, ev->text == NULL ? "" : ev->text);
    }
    ev->release(ev);
  }
  return right;
}

/* A link that is up, and at which the n-th allocation fails while it reads a packet. */
static void read_packet(const char *name, const char *packet, int version, bool handled, long n) {
  bool up = reach_greeting(version);
  if (up) say(version == FOG_MQTT_5 ? "20 03 0000 00" : "20 02 0000");
  up = up && UNTIL(me.state == FOG_UP);
  check_at(up, "the link comes up", n, name);
  if (!up) return;
  me.incoming.handled_mode = handled;
  say(packet);
  fail_at(n);
  for (int turn = 0; turn < 50 && !has_failed(); turn++) fog_loop_turn(loop, 10);
}

static void end(void) {
  fog_link_destroy(&me);
  for (struct fog_event *ev = fog_queue_take(events), *next; ev != NULL; ev = next) {
    next = ev->next;
    ev->release(ev);
  }
  (void)close(broker);
  (void)UNTIL(fog_loop_watched(loop) == 0);
  fog_session_unref(session);
}

/* False: it does not take so many. */
static bool ends_without(size_t i, long n) {
  read_packet(CASES[i].name, CASES[i].packet, CASES[i].version, CASES[i].handled, n);
  bool failed_one = has_failed();
  fail_at(0);
  if (failed_one) check_at(me.state == FOG_NONE && told(), "the link ends, and is told why", n, CASES[i].name);
  end();
  return failed_one;
}

static void all_packets(void) {
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    long n = 1;
    while (ends_without(i, n)) n++;
    check(n > 1, CASES[i].name);
  }
}

static void dropped(void) {
  struct fog_inbox_stats stats;
  read_packet("QoS 0", QOS_0, FOG_MQTT_3, false, 1);
  bool failed_one = has_failed();
  fail_at(0);
  fog_inbox_stats(&session->inbox, &stats);
  check(failed_one && me.state == FOG_UP && stats.dropped == 1,
        "of QoS 0 it is dropped and counted, and the link stays");
  end();
}

int main(void) {
  if (!start_broker()) return 1;
  all_packets();
  check(failed == 0, "a packet for which there is no memory ends the link");
  dropped();
  return finish_broker();
}
