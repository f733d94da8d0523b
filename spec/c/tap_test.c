/* SPDX-License-Identifier: MIT
 *
 * The tap between plugin and sandbox: nothing that found room is lost, changed or out of order, whatever its size and
 * wherever the ring ends; what finds none is counted; logins find room when messages do not.
 */
#include "../../src/sandbox/tap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

enum { MANY = 200000 };

static char path[64];

static struct fog_tap_note message(int i, char *payload) {
  size_t len = (size_t)(i * 37) % 5000;
  memset(payload, 'a' + i % 26, len);
  return (struct fog_tap_note){.kind = FOG_TAP_MESSAGE,
                               .client = i % 2 == 0 ? "client" : "another client",
                               .login = i % 3 == 0 ? NULL : "login",
                               .topic = i % 5 == 0 ? "d2c/dev1/status" : "t",
                               .payload = payload,
                               .payload_len = len,
                               .size = (uint32_t)len,
                               .qos = (uint8_t)(i % 3),
                               .retain = i % 7 == 0};
}

static bool same(const struct fog_tap_note *got, int i) {
  char payload[5000];
  struct fog_tap_note sent = message(i, payload);
  size_t kept = sent.payload_len < FOG_TAP_PAYLOAD ? sent.payload_len : FOG_TAP_PAYLOAD;
  return got->kind == sent.kind && got->qos == sent.qos && got->retain == sent.retain && got->size == sent.size &&
         got->payload_len == kept && memcmp(got->payload, sent.payload, kept) == 0 && got->time > 0 &&
         strcmp(got->client, sent.client) == 0 && strcmp(got->topic, sent.topic) == 0 &&
         strcmp(got->login, sent.login == NULL ? "" : sent.login) == 0;
}

static void *write_many(void *arg) {
  char payload[5000];
  struct fog_tap *tap = fog_tap_open(path, false);
  (void)arg;
  if (tap == NULL) abort();
  for (int i = 0; i < MANY; i++) {
    uint64_t before = fog_tap_counts(tap).dropped;
    do { /* until it finds room */
      fog_tap_note(tap, message(i, payload));
      if (fog_tap_counts(tap).dropped == before) break;
      before = fog_tap_counts(tap).dropped;
      (void)usleep(50);
    } while (true);
  }
  fog_tap_close(tap);
  return NULL;
}

static void check_two_threads(void) {
  struct fog_tap *tap = fog_tap_open(path, true);
  struct fog_tap_note note;
  pthread_t writer;
  bool all = true;
  if (tap == NULL || pthread_create(&writer, NULL, write_many, NULL) != 0) abort();
  for (int i = 0; i < MANY;) {
    if (!fog_tap_next(tap, &note)) continue;
    all = all && same(&note, i);
    i++;
  }
  (void)pthread_join(writer, NULL);
  check(all, "every message as it was, in order, while both work");
  check(!fog_tap_next(tap, &note), "and no other");
  fog_tap_close(tap);
}

static void check_bounds(void) {
  struct fog_tap *tap = fog_tap_open(path, true);
  struct fog_tap_note note;
  char payload[5000];
  if (tap == NULL) abort();
  int kept = 0, logins = 0;
  for (int i = 0; i < 5000; i++) fog_tap_note(tap, message(i, payload));
  struct fog_tap_counts counts = fog_tap_counts(tap);
  check(counts.dropped > 0 && counts.dropped < 5000 && counts.messages == 5000, "a full ring drops and counts");
  for (int i = 0; i < 1000; i++) fog_tap_note(tap, (struct fog_tap_note){.kind = FOG_TAP_LOGIN, .client = "late"});
  check(fog_tap_counts(tap).dropped == counts.dropped, "logins find room");
  while (fog_tap_next(tap, &note)) {
    kept += note.kind == FOG_TAP_MESSAGE;
    logins += note.kind == FOG_TAP_LOGIN;
  }
  check((uint64_t)kept + counts.dropped == 5000 && logins == 1000, "all others are there");
  fog_tap_close(tap);
}

static void check_orders(void) {
  struct fog_tap *tap = fog_tap_open(path, true), *plugin = fog_tap_open(path, false);
  struct fog_tap_note order;
  char payload[5000];
  if (tap == NULL || plugin == NULL) abort();
  check(fog_tap_order(tap, (struct fog_tap_note){.kind = FOG_TAP_KICK, .client = "one"}), "an order is given");
  check(fog_tap_take_order(plugin, &order) && order.kind == FOG_TAP_KICK && strcmp(order.client, "one") == 0,
        "and taken");
  check(!fog_tap_take_order(plugin, &order), "once");
  struct fog_tap_note large = {
      .kind = FOG_TAP_PUBLISH, .topic = "t", .payload = payload, .payload_len = sizeof payload};
  memset(payload, 'x', sizeof payload);
  check(!fog_tap_order(tap, large), "a payload that would be cut is refused");
  large.payload_len = FOG_TAP_PAYLOAD;
  int n = 0;
  while (n < 1000 && fog_tap_order(tap, large)) n++;
  check(n > 10 && n < 1000, "orders are bounded");
  fog_tap_close(tap);
  fog_tap_close(plugin);
}

int main(void) {
  (void)snprintf(path, sizeof path, "/tmp/fogcloud-tap-%ld", (long)getpid());
  check(fog_tap_open("/nothing/there", true) == NULL, "a file that cannot be");
  check_two_threads();
  check_bounds();
  check_orders();
  (void)unlink(path);
  return finish();
}
