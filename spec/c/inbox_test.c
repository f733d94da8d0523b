/* SPDX-License-Identifier: MIT
 *
 * The way into Lua: both bounds, what is dropped at them and what is not taken, and received = dropped + queued + read
 * at every moment, in order, with both threads at work.
 */
#include "../../src/mqtt/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "tap.h"

enum { HEADER = 24, LARGEST = 70000 }; /* of a record; it is padded to 8 bytes */

static struct fog_inbox box;

/* Its topic is its number, its payload `len` bytes of that number's last digit. */
static struct fog_message_view message(uint32_t number, uint8_t qos, uint32_t len) {
  static char topic[16], payload[LARGEST];
  memset(payload, '0' + (int)(number % 10), len);
  return (struct fog_message_view){.topic = topic,
                                   .topic_len = (uint32_t)snprintf(topic, sizeof topic, "%u", number),
                                   .payload = payload,
                                   .payload_len = len,
                                   .properties = "pp",
                                   .properties_len = number % 3,
                                   .qos = qos,
                                   .retained = number % 2 == 0,
                                   .dup = number % 5 == 0};
}

static enum fog_inbox_result push(uint32_t number, uint8_t qos, uint32_t len) {
  struct fog_message_view m = message(number, qos, len);
  fog_inbox_begin(&box);
  enum fog_inbox_result result = fog_inbox_push(&box, &m);
  (void)fog_inbox_end(&box);
  return result;
}

/* The number of the next one, which is as it was pushed; 0: there is none; -1: it is not. */
static long next(void) {
  struct fog_message_view m;
  if (!fog_inbox_next(&box, &m)) return 0;
  char number[16] = "";
  memcpy(number, m.topic, m.topic_len);
  long n = strtol(number, NULL, 10);
  bool same = m.retained == (n % 2 == 0) && m.dup == (n % 5 == 0) && m.properties_len == (uint32_t)(n % 3) &&
              memcmp(m.properties, "pp", m.properties_len) == 0;
  for (uint32_t i = 0; i < m.payload_len; i++) same = same && m.payload[i] == '0' + n % 10;
  return same ? n : -1;
}

static bool gives(const long *numbers, size_t count) {
  for (size_t i = 0; i < count; i++) {
    long n = next();
    if (n == numbers[i]) continue;
    printf("# %ld where %ld was expected\n", n, numbers[i]);
    return false;
  }
  return next() == 0 && !fog_inbox_pending(&box);
}
#define GIVES(...) gives((const long[]){__VA_ARGS__}, sizeof((const long[]){__VA_ARGS__}) / sizeof(long))

static bool counts(uint64_t received, uint64_t dropped, size_t queued) {
  struct fog_inbox_stats s;
  fog_inbox_stats(&box, &s);
  return s.received == received && s.dropped == dropped && s.queued == queued && (queued > 0) == (s.queued_bytes > 0);
}

static void dropping(void) {
  fog_inbox_init(&box, 3, 10000, false);
  for (uint32_t i = 1; i <= 5; i++) (void)push(i, 0, 1);
  check(counts(5, 2, 3) && GIVES(3, 4, 5) && counts(5, 2, 0), "QoS 0 drops the oldest at the bound");
  (void)push(1, 0, 1);
  (void)push(2, 1, 1);
  (void)push(3, 0, 1);
  check(push(4, 1, 1) == FOG_INBOX_FULL && counts(8, 2, 3), "QoS 1 is not taken, and drops nothing");
  check(push(5, 0, 1) == FOG_INBOX_TAKEN && push(6, 0, 1) == FOG_INBOX_TAKEN && GIVES(2, 5, 6),
        "QoS 0 drops QoS 0 alone, wherever it stands");
  for (uint32_t i = 1; i <= 3; i++) (void)push(i, 2, 1);
  check(push(4, 0, 1) == FOG_INBOX_TAKEN && counts(14, 5, 3) && GIVES(1, 2, 3), "and itself where there is no other");
  fog_inbox_destroy(&box);
}

static void in_the_readers_hands(void) {
  fog_inbox_init(&box, 3, 10000, false);
  for (uint32_t i = 1; i <= 3; i++) (void)push(i, 0, 1);
  check(next() == 1 && push(4, 0, 1) == FOG_INBOX_TAKEN && counts(4, 0, 3), "what is read makes room, one by one");
  check(push(5, 0, 1) == FOG_INBOX_TAKEN && counts(5, 1, 3) && GIVES(2, 3, 5),
        "what the reader has is not dropped, and counts");
  fog_inbox_destroy(&box);
}

static void by_bytes(void) {
  enum { ONE = HEADER + 8 }; /* of a topic of one byte, its properties and few bytes */
  fog_inbox_init(&box, 100, (size_t)ONE * 2, false);
  check(push(1, 1, 1) == FOG_INBOX_TAKEN && push(2, 1, 1) == FOG_INBOX_TAKEN && push(3, 1, 1) == FOG_INBOX_FULL,
        "to the byte");
  check(GIVES(1, 2) && push(4, 1, 5000) == FOG_INBOX_TAKEN && counts(3, 0, 1), "one larger than all of it, alone");
  check(push(5, 1, 1) == FOG_INBOX_FULL && push(6, 0, 1) == FOG_INBOX_TAKEN && GIVES(4), "and nothing beside it");
  (void)push(7, 0, 1);
  check(push(8, 0, 5000) == FOG_INBOX_TAKEN && GIVES(7), "of QoS 0 a larger one is dropped, and drops nothing");
  fog_inbox_destroy(&box);
}

static void held(void) {
  fog_inbox_init(&box, 4, 10000, true);
  for (uint32_t i = 1; i <= 4; i++) (void)push(i, 0, 1);
  check(push(5, 0, 1) == FOG_INBOX_FULL && counts(4, 0, 4), "QoS 0 that is held waits as QoS 1 does");
  check(next() == 1 && !box.notify && next() == 2 && next() == 3 && next() == 4, "reading");
  check(next() == 0 && box.notify && push(5, 0, 1) == FOG_INBOX_TAKEN, "and the driver is told of room, once");
  box.notify = false;
  check(GIVES(5) && !box.notify, "not where nobody waits");
  fog_inbox_destroy(&box);
}

static void beyond(void) {
  fog_inbox_init(&box, 1, 10000, false);
  struct fog_message_view m = message(1, 1, 1);
  fog_inbox_begin(&box);
  bool first = fog_inbox_push_beyond(&box, &m);
  m = message(2, 1, 1);
  bool second = fog_inbox_push_beyond(&box, &m);
  check(fog_inbox_end(&box) && first && !second && counts(2, 0, 2) && GIVES(1, 2), "beyond the bound, and said so");
  fog_inbox_destroy(&box);
}

static void telling(void) {
  struct fog_message_view m = message(1, 0, 1);
  fog_inbox_init(&box, 100, 10000, false);
  fog_inbox_begin(&box);
  check(!fog_inbox_end(&box), "nothing came: nobody is told");
  fog_inbox_begin(&box);
  (void)fog_inbox_push(&box, &m);
  check(fog_inbox_end(&box) && fog_inbox_pending(&box), "the first of a batch");
  fog_inbox_begin(&box);
  (void)fog_inbox_push(&box, &m);
  check(!fog_inbox_end(&box), "not the next, while the reader has not seen the end");
  check(GIVES(1, 1), "read to the end");
  fog_inbox_begin(&box);
  (void)fog_inbox_push(&box, &m);
  check(fog_inbox_end(&box), "from there on it is told again");
  fog_inbox_destroy(&box);
}

/* Drops a thousand times the bound: the dead are compacted, and the buffer stays as small as what lives. */
static void long_drop(void) {
  bool kept = true;
  fog_inbox_init(&box, 50, 1 << 20, false);
  for (uint32_t i = 1; i <= 10; i++) kept = kept && push(i, 1, 10) == FOG_INBOX_TAKEN;
  for (uint32_t i = 11; i <= 50000; i++) kept = kept && push(i, 0, i % 100) == FOG_INBOX_TAKEN;
  kept = kept && counts(50000, 49950, 50) && box.in.cap <= 32768;
  for (long i = 1; i <= 10; i++) kept = kept && next() == i;
  for (long i = 49961; i <= 50000; i++) kept = kept && next() == i;
  check(kept && next() == 0, "a long row of drops leaves QoS 1, the newest of QoS 0, and a small buffer");
  fog_inbox_destroy(&box);
}

static void burst(void) {
  fog_inbox_init(&box, 100, 100 << 20, false);
  for (uint32_t i = 1; i <= 100; i++) (void)push(i, 1, LARGEST);
  while (next() > 0) continue;
  check(box.in.cap <= 262144 && box.out.cap <= 262144, "after a burst the memory is given back");
  fog_inbox_destroy(&box);
}

/* The driver's thread. It pushes QoS 1 again until it is taken, as a link that rests does. */
enum { ALL = 60000 };
static uint64_t pushed;

static void *driver(void *arg) {
  uint64_t random = 5;
  (void)arg;
  for (uint32_t i = 1; i <= ALL;) {
    struct fog_message_view m = message(i, (uint8_t)(i % 3), (uint32_t)random_below(&random, 100));
    fog_inbox_begin(&box);
    bool taken = fog_inbox_push(&box, &m) == FOG_INBOX_TAKEN;
    (void)fog_inbox_end(&box);
    pushed += taken;
    i += taken;
  }
  return NULL;
}

static void threads(void) {
  pthread_t thread;
  struct fog_inbox_stats s = {0};
  uint64_t read = 0, held_back = 0;
  long last = 0;
  bool right = true;
  fog_inbox_init(&box, 64, 8192, false);
  if (pthread_create(&thread, NULL, driver, NULL) != 0) exit(1);
  while (s.received < ALL || s.queued > 0) {
    long n = next();
    read += n > 0;
    held_back += n > 0 && n % 3 != 0;
    right = right && (n == 0 || n > last);
    if (n > 0) last = n;
    fog_inbox_stats(&box, &s);
    right = right && s.received == read + s.dropped + s.queued && s.queued <= 64 && s.queued_bytes <= 8192;
  }
  (void)pthread_join(thread, NULL);
  check(right && s.received == pushed, "two threads: in order, within the bounds, and nothing vanishes at any moment");
  check(held_back == ALL - ALL / 3, "and of QoS 1 and 2 nothing is missing");
  fog_inbox_destroy(&box);
}

int main(void) {
  dropping();
  in_the_readers_hands();
  by_bytes();
  held();
  beyond();
  telling();
  long_drop();
  burst();
  threads();
  return finish();
}
