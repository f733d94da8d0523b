/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct fog_queue {
  atomic_int refs;
  pthread_mutex_t lock;
  struct fog_event *head, **tail;
  bool closed;
  bool owned; /* `owner` is at work, and takes before it waits */
  pthread_t owner;
  struct fog_wake wake;
  atomic_int wakers; /* who may write to it: the open queue, and each push that is about to; the last one closes it */
};

struct fog_queue *fog_queue_new(void) {
  struct fog_queue *q = calloc(1, sizeof *q);
  if (q == NULL) return NULL;
  int err = fog_wake_open(&q->wake);
  if (err != 0) {
    free(q);
    errno = err;
    return NULL;
  }
  atomic_init(&q->refs, 1);
  atomic_init(&q->wakers, 1);
  (void)pthread_mutex_init(&q->lock, NULL);
  q->tail = &q->head;
  return q;
}

struct fog_queue *fog_queue_ref(struct fog_queue *q) {
  atomic_fetch_add(&q->refs, 1);
  return q;
}

static void release_all(struct fog_event *ev) {
  while (ev != NULL) {
    struct fog_event *next = ev->next;
    ev->release(ev);
    ev = next;
  }
}

void fog_queue_unref(struct fog_queue *q) {
  if (atomic_fetch_sub(&q->refs, 1) != 1) return;
  release_all(q->head);
  if (!q->closed) fog_wake_close(&q->wake);
  (void)pthread_mutex_destroy(&q->lock);
  free(q);
}

static void leave_wake(struct fog_queue *q) {
  if (atomic_fetch_sub(&q->wakers, 1) == 1) fog_wake_close(&q->wake);
}

/* Under the lock. True: the caller writes to the descriptor once it has given the lock back, since whoever is woken
 * takes it at once. A mirror may be replaced at any time, so that is written to here. */
static bool mark(struct fog_queue *q) {
  if (q->wake.mirror_fd >= 0) fog_wake_signal(&q->wake);
  if (!fog_wake_mark(&q->wake)) return false;
  (void)atomic_fetch_add(&q->wakers, 1);
  return true;
}

static void wake_up(struct fog_queue *q) {
  fog_wake_write(&q->wake);
  leave_wake(q);
}

static void push(struct fog_queue *q, struct fog_event *ev, bool wake) {
  ev->next = NULL;
  (void)pthread_mutex_lock(&q->lock);
  bool closed = q->closed, marked = false;
  if (!closed) {
    *q->tail = ev;
    q->tail = &ev->next;
    marked = wake && !(q->owned && pthread_equal(q->owner, pthread_self())) && mark(q);
  }
  (void)pthread_mutex_unlock(&q->lock);
  if (marked) wake_up(q);
  if (closed) ev->release(ev);
}

void fog_queue_push(struct fog_queue *q, struct fog_event *ev) { push(q, ev, true); }

void fog_queue_push_own(struct fog_queue *q, struct fog_event *ev) { push(q, ev, false); }

void fog_queue_begin_own(struct fog_queue *q) {
  (void)pthread_mutex_lock(&q->lock);
  q->owned = true;
  q->owner = pthread_self();
  (void)pthread_mutex_unlock(&q->lock);
}

void fog_queue_end_own(struct fog_queue *q) {
  (void)pthread_mutex_lock(&q->lock);
  q->owned = false;
  (void)pthread_mutex_unlock(&q->lock);
}

void fog_queue_poke(struct fog_queue *q) {
  (void)pthread_mutex_lock(&q->lock);
  bool marked = !q->closed && mark(q);
  (void)pthread_mutex_unlock(&q->lock);
  if (marked) wake_up(q);
}

struct fog_event *fog_queue_take(struct fog_queue *q) {
  (void)pthread_mutex_lock(&q->lock);
  fog_wake_clear(&q->wake);
  struct fog_event *list = q->head;
  q->head = NULL;
  q->tail = &q->head;
  (void)pthread_mutex_unlock(&q->lock);
  return list;
}

bool fog_queue_pending(struct fog_queue *q) {
  (void)pthread_mutex_lock(&q->lock);
  bool pending = q->head != NULL;
  (void)pthread_mutex_unlock(&q->lock);
  return pending;
}

void fog_queue_close(struct fog_queue *q) {
  (void)pthread_mutex_lock(&q->lock);
  q->closed = true;
  struct fog_event *list = q->head;
  q->head = NULL;
  q->tail = &q->head;
  (void)pthread_mutex_unlock(&q->lock);
  leave_wake(q);
  release_all(list);
}

void fog_queue_mirror(struct fog_queue *q, int fd) {
  (void)pthread_mutex_lock(&q->lock);
  if (q->wake.mirror_fd >= 0) (void)close(q->wake.mirror_fd);
  q->wake.mirror_fd = fd;
  (void)pthread_mutex_unlock(&q->lock);
}

struct fog_wake *fog_queue_wake(struct fog_queue *q) {
  /* It lives as long as the queue does. */
  return &q->wake;
}
