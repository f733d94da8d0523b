/* SPDX-License-Identifier: MIT
 *
 * The queue, the inbox and the outbox under real threads, for ThreadSanitizer (make test SANITIZE=thread) and for the
 * order that each producer is promised. What a sequence of operations does, fuzz/queues.c checks.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/queue.h"
#include "../../src/mqtt/inbox.h"
#include "../../src/mqtt/outbox.h"
#include "tap.h"

enum { PRODUCERS = 4, EACH = 5000 };

/* --- queue: four producers, one consumer, closed under their hands --- */

struct producer {
  pthread_t thread;
  struct fog_queue *queue;
  uint32_t number;
};

static void *produce(void *arg) {
  struct producer *p = arg;
  for (uint64_t i = 1; i <= EACH; i++) {
    struct fog_event *ev = fog_event_new(FOG_EV_PUBLISHED, p->number);
    if (ev == NULL) abort();
    ev->id = i;
    fog_queue_push(p->queue, ev);
  }
  fog_queue_unref(p->queue);
  return NULL;
}

static void start(struct producer *all, struct fog_queue *q) {
  for (uint32_t i = 0; i < PRODUCERS; i++) {
    all[i] = (struct producer){.queue = fog_queue_ref(q), .number = i};
    if (pthread_create(&all[i].thread, NULL, produce, &all[i]) != 0) abort();
  }
}

/* Takes until `until` events came or, with 0, once. False: an order was broken. */
static bool consume(struct fog_queue *q, uint64_t *last, size_t until) {
  bool in_order = true;
  size_t got = 0;
  do {
    fog_wake_wait(fog_queue_wake(q), 10000);
    for (struct fog_event *ev = fog_queue_take(q), *next; ev != NULL; ev = next) {
      next = ev->next;
      in_order = in_order && ev->id == last[ev->session] + 1;
      last[ev->session] = ev->id;
      ev->release(ev);
      got++;
    }
  } while (got < until);
  return in_order;
}

static void test_queue(void) {
  struct producer all[PRODUCERS];
  struct fog_queue *q = fog_queue_new();
  uint64_t last[PRODUCERS] = {0};
  start(all, q);
  check(consume(q, last, (size_t)PRODUCERS * EACH), "events of each thread come in its order");
  for (size_t i = 0; i < PRODUCERS; i++) (void)pthread_join(all[i].thread, NULL);
  check(!fog_queue_pending(q), "and none is left");
  start(all, q);
  memset(last, 0, sizeof last);
  (void)consume(q, last, 1);
  fog_queue_close(q);
  for (size_t i = 0; i < PRODUCERS; i++) (void)pthread_join(all[i].thread, NULL);
  check(fog_queue_take(q) == NULL, "nothing comes out of a closed queue");
  fog_queue_unref(q);
}

/* --- inbox: one producer, one consumer that is slower --- */

static void *fill_inbox(void *arg) {
  struct fog_inbox *b = arg;
  for (uint32_t i = 1; i <= (uint32_t)PRODUCERS * EACH; i++) {
    struct fog_message_view v = {.topic = (const char *)&i, .topic_len = sizeof i, .payload = "x", .payload_len = 1};
    v.qos = i % 16 == 0;
    bool first;
    (void)fog_inbox_push(b, &v, &first);
  }
  return NULL;
}

static void test_inbox(void) {
  struct fog_inbox b;
  struct fog_inbox_stats s = {0};
  pthread_t thread;
  uint32_t last = 0, got = 0, marked = 0;
  bool in_order = true;
  fog_inbox_init(&b, 64, 1 << 20);
  if (pthread_create(&thread, NULL, fill_inbox, &b) != 0) abort();
  for (bool ended = false; !ended;) {
    struct fog_message_view v;
    uint32_t number;
    fog_inbox_stats(&b, &s);
    ended = s.received == (uint64_t)PRODUCERS * EACH;
    while (fog_inbox_next(&b, &v)) {
      memcpy(&number, v.topic, sizeof number);
      in_order = in_order && number > last;
      last = number;
      got++;
      marked += v.qos;
    }
  }
  (void)pthread_join(thread, NULL);
  fog_inbox_stats(&b, &s);
  check(in_order, "messages come in order");
  check(marked == PRODUCERS * EACH / 16, "no QoS 1 message is dropped");
  check(got + s.dropped == s.received && s.queued == 0, "received = taken + dropped");
  fog_inbox_destroy(&b);
}

/* --- outbox: one thread adds, one feeds and ends, one drops --- */

struct outbox_run {
  struct fog_outbox box;
  atomic_bool done;
};

static void *add_all(void *arg) {
  struct outbox_run *run = arg;
  for (int i = 0; i < EACH;) {
    struct fog_message *m =
        fog_message_new((struct fog_bytes){"t", 1}, (struct fog_bytes){"payload", 7}, (struct fog_bytes){NULL, 0});
    uint64_t id;
    bool feed;
    if (m == NULL) abort();
    m->qos = (uint8_t)(i % 3);
    if (fog_outbox_add(&run->box, m, &id, &feed) == FOG_ROOM)
      i++;
    else
      m->event.release(&m->event);
  }
  atomic_store(&run->done, true);
  return NULL;
}

static void *drop_some(void *arg) {
  struct outbox_run *run = arg;
  while (!atomic_load(&run->done)) {
    struct fog_message *m = fog_outbox_drop(&run->box);
    if (m != NULL) m->event.release(&m->event);
    (void)fog_outbox_want_drain(&run->box);
    (void)fog_outbox_room(&run->box, 100, true);
  }
  return NULL;
}

static bool identity(struct fog_outbox *o, size_t *queued) {
  struct fog_outbox_stats s;
  fog_outbox_stats(o, &s);
  *queued = s.queued;
  return s.accepted == s.acknowledged + s.failed + s.dropped + s.queued;
}

static void test_outbox(void) {
  static struct outbox_run run;
  pthread_t adding, dropping;
  bool holds = true;
  size_t queued = 1;
  unsigned turn = 0;
  fog_outbox_init(&run.box, 100, 1 << 20, 16);
  if (pthread_create(&adding, NULL, add_all, &run) != 0 || pthread_create(&dropping, NULL, drop_some, &run) != 0)
    abort();
  while (!atomic_load(&run.done) || queued > 0) {
    size_t plain;
    bool wait;
    if (fog_outbox_feed_plain(&run.box, 1 + turn % 7, &plain, &wait) != NULL) {
      holds = identity(&run.box, &queued) && holds;
      (void)fog_outbox_end_plain(&run.box, ++turn % 4 == 0 ? plain / 2 : plain);
    }
    struct fog_message *m = fog_outbox_feed(&run.box);
    holds = identity(&run.box, &queued) && holds;
    if (m == NULL) continue;
    if (++turn % 5 == 0) {
      fog_outbox_requeue(&run.box, m);
    } else {
      (void)fog_outbox_end(&run.box, m, (int)(turn % 3));
      m->event.release(&m->event);
    }
  }
  (void)pthread_join(adding, NULL);
  (void)pthread_join(dropping, NULL);
  check(holds, "accepted = acknowledged + failed + dropped + queued, at every moment");
  fog_outbox_destroy(&run.box);
}

/* --- the inbox's bounds --- */

static bool push(struct fog_inbox *b, size_t size, uint8_t qos) {
  static char payload[100000];
  bool first;
  struct fog_message_view m = {
      .topic = "t", .topic_len = 1, .payload = payload, .payload_len = (uint32_t)size, .qos = qos};
  return fog_inbox_push(b, &m, &first) != FOG_INBOX_OVERFLOW;
}

static size_t read_all(struct fog_inbox *b) {
  struct fog_message_view m;
  size_t n = 0;
  while (fog_inbox_next(b, &m)) n++;
  return n;
}

static void test_inbox_bounds(void) {
  struct fog_inbox b;
  struct fog_inbox_stats stats;
  fog_inbox_init(&b, 1000, 50000);
  for (int i = 0; i < 10; i++) (void)push(&b, 10, 0);
  (void)push(&b, 60000, 0);
  fog_inbox_stats(&b, &stats);
  check(stats.queued == 10 && stats.dropped == 1, "a message that is larger than the inbox pushes nothing out");
  check(read_all(&b) == 10, "and the others are read");
  fog_inbox_destroy(&b);

  fog_inbox_init(&b, 1000, 100000000);
  for (int burst = 0; burst < 3; burst++) {
    for (int i = 0; i < 900; i++) (void)push(&b, 10000, 1);
    (void)read_all(&b);
  }
  check(b.in.cap + b.out.cap <= 1 << 20, "after a burst the memory is given back");
  check(push(&b, 10, 1) && read_all(&b) == 1, "and the next message has its room");
  fog_inbox_destroy(&b);
}

int main(void) {
  test_queue();
  test_inbox();
  test_inbox_bounds();
  test_outbox();
  return finish();
}
