/* SPDX-License-Identifier: MIT
 *
 * Waking the reader of a queue: the descriptor and what is remembered of it agree, also while a push has marked it and
 * not written yet; and nobody writes to a descriptor that is closed.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../../src/base/queue.h"
#include "tap.h"

static bool readable(const struct fog_wake *w) {
  struct pollfd p = {.fd = w->read_fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

static void marked_and_not_written(void) {
  struct fog_wake w;
  check(fog_wake_open(&w) == 0, "it opens");
  check(fog_wake_mark(&w), "the first to mark it writes");
  check(!fog_wake_mark(&w), "the second need not");
  fog_wake_clear(&w);
  check(!fog_wake_mark(&w), "a clear before the write leaves it marked: the write is still to come");
  fog_wake_write(&w);
  check(readable(&w), "the write wakes");
  fog_wake_clear(&w);
  check(!readable(&w), "cleared, it is not readable");
  check(fog_wake_mark(&w), "and the next to mark it writes again");
  fog_wake_close(&w);
}

enum { THREADS = 4, EACH = 20000 };

static void release(struct fog_event *ev) { free(ev); }

static void *push_many(void *arg) {
  struct fog_queue *q = arg;
  for (int i = 0; i < EACH; i++) {
    struct fog_event *ev = calloc(1, sizeof *ev);
    if (ev == NULL) abort();
    ev->release = release;
    fog_queue_push(q, ev);
  }
  fog_queue_unref(q);
  return NULL;
}

static void start(pthread_t threads[THREADS], struct fog_queue *q) {
  for (int i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, push_many, fog_queue_ref(q)) != 0) abort();
  }
}

static void push_one(struct fog_queue *q) {
  struct fog_event *ev = calloc(1, sizeof *ev);
  if (ev == NULL) abort();
  ev->release = release;
  fog_queue_push(q, ev);
}

static void *push_from_elsewhere(void *arg) {
  push_one(arg);
  return NULL;
}

static void take_all(struct fog_queue *q) {
  for (struct fog_event *ev = fog_queue_take(q), *next; ev != NULL; ev = next) {
    next = ev->next;
    free(ev);
  }
}

static void own_pushes(void) {
  struct fog_queue *q = fog_queue_new();
  const struct fog_wake *w = fog_queue_wake(q);
  pthread_t thread;
  fog_queue_begin_own(q);
  push_one(q);
  check(!readable(w) && fog_queue_pending(q), "the reader at work does not wake itself");
  if (pthread_create(&thread, NULL, push_from_elsewhere, q) != 0) abort();
  (void)pthread_join(thread, NULL);
  check(readable(w), "but others do");
  take_all(q);
  fog_queue_end_own(q);
  push_one(q);
  check(readable(w), "and so does the reader, once it is no longer at work");
  take_all(q);
  fog_queue_close(q);
  fog_queue_unref(q);
}

/* A wake-up that is lost leaves the reader waiting. */
static void every_push_wakes(void) {
  struct fog_queue *q = fog_queue_new();
  pthread_t threads[THREADS];
  int taken = 0;
  start(threads, q);
  while (taken < THREADS * EACH) {
    fog_wake_wait(fog_queue_wake(q), -1);
    for (struct fog_event *ev = fog_queue_take(q), *next; ev != NULL; ev = next) {
      next = ev->next;
      ev->release(ev);
      taken++;
    }
  }
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  check(taken == THREADS * EACH, "all that four threads push is taken, and none is waited for in vain");
  for (int i = 0; i < 2 && readable(fog_queue_wake(q)); i++) (void)fog_queue_take(q);
  check(!readable(fog_queue_wake(q)), "an empty queue wakes nobody for ever");
  fog_queue_close(q);
  fog_queue_unref(q);
}

static void closed_among_pushes(void) {
  struct fog_queue *q = fog_queue_new();
  pthread_t threads[THREADS];
  int fd = fog_queue_wake(q)->read_fd;
  start(threads, q);
  fog_queue_close(q);
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  check(fcntl(fd, F_GETFD) == -1, "the descriptor of a closed queue is closed once no push is under way");
  check(!fog_queue_pending(q), "what is pushed later is released");
  fog_queue_unref(q);
}

int main(void) {
  marked_and_not_written();
  own_pushes();
  every_push_wakes();
  closed_among_pushes();
  return finish();
}
