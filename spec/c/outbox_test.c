/* SPDX-License-Identifier: MIT
 *
 * The way out of Lua: both bounds, whom it wakes and when, and accepted = acknowledged + failed + dropped + queued at
 * every moment, with both threads at work.
 */
#include "../../src/mqtt/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "tap.h"

static struct fog_outbox box;
static const struct fog_bytes NONE = {NULL, 0};

static struct fog_message *message(size_t cost) {
  static const char bytes[4096];
  struct fog_message *m =
      fog_message_new((struct fog_bytes){bytes, cost / 2}, (struct fog_bytes){bytes, cost - cost / 2}, NONE);
  if (m == NULL) exit(1);
  return m;
}

static enum fog_outbox_room add(size_t cost, bool *feed) {
  uint64_t id = 0;
  struct fog_message *m = message(cost);
  enum fog_outbox_room room = fog_outbox_add(&box, m, &id, feed);
  if (room != FOG_ROOM) fog_message_free(m); /* it stayed ours */
  return room;
}

static enum fog_outbox_room put(size_t cost) {
  bool feed;
  return add(cost, &feed);
}

static bool identity(void) {
  struct fog_outbox_stats s;
  fog_outbox_stats(&box, &s);
  return s.accepted == s.acknowledged + s.failed + s.dropped + s.queued;
}

/* Ends the first that was taken. True: Lua has to be told. */
static bool end_first(struct fog_message_list *taken) {
  struct fog_message *m = taken->head;
  struct fog_outcome outcome = {.acknowledged = 1, .bytes = fog_message_cost(m)};
  fog_message_remove(taken, m);
  fog_message_free(m);
  return fog_outbox_settle(&box, &outcome, NULL, NULL) && outcome.acknowledged == 0 && outcome.bytes == 0;
}

static bool queued(size_t count, size_t bytes) {
  struct fog_outbox_stats s;
  fog_outbox_stats(&box, &s);
  return s.queued == count && s.queued_bytes == bytes;
}

static void by_count(void) {
  struct fog_message_list taken = {NULL, NULL};
  fog_outbox_init(&box, 3, 1000);
  check(put(1) == FOG_ROOM && put(0) == FOG_ROOM && put(2) == FOG_ROOM && put(0) == FOG_ROOM_LATER,
        "three and no more");
  fog_outbox_take(&box, &taken);
  check(put(0) == FOG_ROOM_LATER && queued(3, 3), "what the driver has taken counts until it has ended");
  (void)end_first(&taken);
  check(put(0) == FOG_ROOM && queued(3, 2) && identity(), "then there is room for one");
  while (taken.head != NULL) (void)end_first(&taken);
  fog_outbox_destroy(&box);
}

static void by_bytes(void) {
  struct fog_message_list taken = {NULL, NULL};
  fog_outbox_init(&box, 100, 10);
  check(put(11) == FOG_ROOM_NEVER && fog_outbox_room(&box, 11, true) == FOG_ROOM_NEVER, "larger than all of it: never");
  check(put(10) == FOG_ROOM && put(1) == FOG_ROOM_LATER && put(0) == FOG_ROOM, "to the byte");
  fog_outbox_take(&box, &taken);
  check(!end_first(&taken) && queued(1, 0) && put(10) == FOG_ROOM, "and free again to the byte");
  while (taken.head != NULL) (void)end_first(&taken);
  fog_outbox_destroy(&box);
}

static void seeded(void) {
  uint64_t id = 0;
  bool feed;
  struct fog_message *m = message(1);
  fog_outbox_init(&box, 3, 100);
  fog_outbox_seed(&box, 41, 2, 60);
  check(identity() && queued(2, 60), "what an earlier process left counts");
  check(fog_outbox_add(&box, m, &id, &feed) == FOG_ROOM && id == 42 && m->event.id == 42, "numbers go on behind it");
  check(put(1) == FOG_ROOM_LATER, "and the bound is one for all");
  fog_outbox_destroy(&box);
}

static void feeding(void) {
  struct fog_message_list taken = {NULL, NULL};
  bool feed;
  fog_outbox_init(&box, 100, 100);
  check(add(1, &feed) == FOG_ROOM && feed && add(1, &feed) == FOG_ROOM && !feed, "the driver is told once");
  fog_outbox_take(&box, &taken);
  check(taken.head != NULL && taken.head->event.id == 1 && taken.tail->event.id == 2, "it takes all, in order");
  check(add(1, &feed) == FOG_ROOM && feed, "and is told again");
  fog_outbox_take(&box, &taken);
  check(taken.tail->event.id == 3 && taken.tail->prev->event.id == 2 && taken.tail->prev->next == taken.tail,
        "which comes behind what it has");
  fog_outbox_busy(&box);
  check(add(1, &feed) == FOG_ROOM && !feed, "unless it is busy, and looks by itself");
  while (taken.head != NULL) (void)end_first(&taken);
  fog_outbox_destroy(&box);
}

static void lists(void) {
  struct fog_message_list l = {NULL, NULL}, front = {NULL, NULL};
  struct fog_message *m[5];
  for (int i = 0; i < 5; i++) m[i] = message(0);
  fog_message_append(&l, m[3]);
  fog_message_append(&l, m[4]);
  for (int i = 0; i < 3; i++) fog_message_append(&front, m[i]);
  fog_message_prepend_all(&l, &front);
  fog_message_prepend_all(&l, &front);
  check(front.head == NULL && l.head == m[0] && l.tail == m[4] && m[2]->next == m[3] && m[3]->prev == m[2], "before");
  fog_message_remove(&l, m[2]);
  fog_message_remove(&l, m[0]);
  fog_message_remove(&l, m[4]);
  check(l.head == m[1] && l.tail == m[3] && m[1]->next == m[3] && m[3]->prev == m[1] && m[1]->prev == NULL,
        "out of the middle, the head, the tail");
  fog_message_remove(&l, m[1]);
  fog_message_remove(&l, m[3]);
  fog_message_append(&front, m[0]);
  fog_message_prepend_all(&l, &front);
  check(l.head == m[0] && l.tail == m[0], "before nothing");
  for (int i = 0; i < 5; i++) fog_message_free(m[i]);
}

static void drained(void) {
  struct fog_message_list taken = {NULL, NULL};
  fog_outbox_init(&box, 100, 100);
  check(fog_outbox_want_drain(&box), "empty at once");
  (void)put(1);
  (void)put(1);
  check(!fog_outbox_want_drain(&box), "not while there is something");
  fog_outbox_take(&box, &taken);
  check(!end_first(&taken) && end_first(&taken), "told with the last one");
  (void)put(1);
  fog_outbox_take(&box, &taken);
  check(!end_first(&taken), "once");
  fog_outbox_destroy(&box);
}

/* Whoever finds the outbox empty finds the event of the last end, too. */
enum { ENDS = 5000 };
static struct fog_queue *events;

static void *ender(void *arg) {
  struct fog_message_list taken = {NULL, NULL};
  (void)arg;
  for (int i = 0; i < ENDS;) {
    fog_outbox_take(&box, &taken);
    struct fog_message *m = taken.head;
    if (m == NULL) continue;
    struct fog_outcome outcome = {.failed = 1, .bytes = fog_message_cost(m)};
    fog_message_remove(&taken, m);
    (void)fog_outbox_settle(&box, &outcome, events, &m->event);
    i++;
  }
  return NULL;
}

static void told_in_one_step(void) {
  pthread_t driver;
  bool found = true;
  events = fog_queue_new();
  fog_outbox_init(&box, 1, 100);
  if (events == NULL || pthread_create(&driver, NULL, ender, NULL) != 0) exit(1);
  for (int i = 1; i <= ENDS; i++) {
    (void)put(1);
    while (!fog_outbox_want_drain(&box)) continue;
    struct fog_event *ev = fog_queue_take(events);
    found = found && ev != NULL && ev->id == (uint64_t)i && ev->next == NULL;
    if (ev != NULL) ev->release(ev);
  }
  (void)pthread_join(driver, NULL);
  check(found && identity(), "an empty outbox has handed over the event of its last end");
  fog_queue_close(events);
  fog_queue_unref(events);
  fog_outbox_destroy(&box);
}

/* A bound of `count` that is used up: after how many ends Lua is told. 0: with none. */
static int told_after(size_t count, size_t bytes, size_t each, size_t wanted) {
  struct fog_message_list taken = {NULL, NULL};
  int told = 0, ends = 0;
  fog_outbox_init(&box, count, bytes);
  while (put(each) == FOG_ROOM) continue;
  if (fog_outbox_room(&box, wanted, false) != FOG_ROOM_LATER) return -1;
  if (fog_outbox_room(&box, wanted, true) != FOG_ROOM_LATER) return -1;
  fog_outbox_take(&box, &taken);
  while (taken.head != NULL) {
    ends++;
    if (!end_first(&taken)) continue;
    if (told != 0 || fog_outbox_room(&box, wanted, false) != FOG_ROOM) told = -2; /* twice, or without room */
    if (told == 0) told = ends;
  }
  fog_outbox_destroy(&box);
  return told;
}

static void room_again(void) {
  check(told_after(8, 1000, 1, 1) == 2, "a quarter of the count");
  check(told_after(7, 1000, 1, 1) == 2 && told_after(1, 1000, 1, 0) == 1, "rounded up");
  check(told_after(100, 40, 4, 1) == 3, "a quarter of the bytes");
  check(told_after(100, 40, 4, 30) == 8 && told_after(100, 40, 4, 40) == 10, "more where the message needs more");
}

/* Lua's thread adds, the test's own is the driver; a third looks. */
enum { ALL = 60000 };
static atomic_bool over;
static atomic_int wrong;

static void *watcher(void *arg) {
  (void)arg;
  for (uint64_t before = 0; !atomic_load(&over);) {
    struct fog_outbox_stats s;
    fog_outbox_stats(&box, &s);
    bool right = s.accepted == s.acknowledged + s.failed + s.dropped + s.queued && s.queued <= 100 &&
                 s.queued_bytes <= 2000 && s.accepted >= before;
    if (!right) atomic_fetch_add(&wrong, 1);
    before = s.accepted;
  }
  return NULL;
}

static void *publisher(void *arg) {
  uint64_t random = 7, last = 0;
  (void)arg;
  while (last < ALL) {
    struct fog_message *m = message(random_below(&random, 60));
    uint64_t id;
    bool feed;
    while (fog_outbox_add(&box, m, &id, &feed) != FOG_ROOM) continue;
    if (id != ++last) atomic_fetch_add(&wrong, 1);
  }
  return NULL;
}

/* Ends up to `most` of them in one of the three ways, by their numbers. */
static void settle_some(struct fog_message_list *taken, size_t most, uint64_t ends[3]) {
  struct fog_outcome outcome = {0};
  size_t *const counts[3] = {&outcome.acknowledged, &outcome.failed, &outcome.dropped};
  for (; taken->head != NULL && most > 0; most--) {
    struct fog_message *m = taken->head;
    size_t how = (size_t)(m->event.id % 3);
    ++*counts[how];
    ends[how]++;
    outcome.bytes += fog_message_cost(m);
    fog_message_remove(taken, m);
    fog_message_free(m);
  }
  (void)fog_outbox_settle(&box, &outcome, NULL, NULL);
}

static void threads(void) {
  pthread_t lua, looker;
  struct fog_message_list taken = {NULL, NULL};
  struct fog_outbox_stats s;
  uint64_t random = 11, ends[3] = {0}, next = 1;
  fog_outbox_init(&box, 100, 2000);
  if (pthread_create(&lua, NULL, publisher, NULL) != 0 || pthread_create(&looker, NULL, watcher, NULL) != 0) exit(1);
  while (next <= ALL) {
    fog_outbox_take(&box, &taken);
    for (const struct fog_message *m = taken.head; m != NULL; m = m->next) {
      if (m->event.id < next) continue; /* it was there before */
      if (m->event.id != next++) atomic_fetch_add(&wrong, 1);
    }
    settle_some(&taken, random_below(&random, 50), ends);
  }
  settle_some(&taken, ALL, ends);
  (void)pthread_join(lua, NULL);
  atomic_store(&over, true);
  (void)pthread_join(looker, NULL);
  fog_outbox_stats(&box, &s);
  check(atomic_load(&wrong) == 0, "two threads: in order, within the bounds, and nothing vanishes at any moment");
  check(s.accepted == ALL && s.acknowledged == ends[0] && s.failed == ends[1] && s.dropped == ends[2] && queued(0, 0),
        "each end is counted as what it was");
  fog_outbox_destroy(&box);
}

int main(void) {
  by_count();
  by_bytes();
  seeded();
  feeding();
  lists();
  drained();
  room_again();
  told_in_one_step();
  threads();
  return finish();
}
