/* SPDX-License-Identifier: MIT */
#include "caller_loop.h"

#include <errno.h>
#include <stdlib.h>

#include "../base/process.h"
#include "connection.h"

enum { GOODBYE_MS = 1500 /* longer than a link takes to leave */, LINGER_MS = 200, SLICE_MS = 10 };

struct fog_caller_loop {
  struct fog_watch woken; /* first: of the queue's descriptor */
  struct fog_queue *queue;
  struct fog_loop *loop;
  size_t sessions, ending;
  bool stop;   /* the queue was woken in the turn under way */
  bool closed; /* there is no engine any more */
};

static void on_woken(struct fog_watch *watch, unsigned events) {
  (void)events;
  ((struct fog_caller_loop *)watch)->stop = true;
}

static void free_all(struct fog_caller_loop *c) {
  if (c->loop != NULL) fog_loop_free(c->loop);
  fog_queue_unref(c->queue);
  free(c);
}

struct fog_caller_loop *fog_caller_loop_new(struct fog_queue *q) {
  struct fog_caller_loop *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->queue = fog_queue_ref(q);
  c->woken = (struct fog_watch){.fd = fog_queue_wake(q)->read_fd, .ready = on_woken};
  c->loop = fog_loop_new();
  if (c->loop != NULL && fog_loop_watch(c->loop, &c->woken, FOG_READABLE)) return c;
  int err = errno;
  free_all(c);
  errno = err;
  return NULL;
}

static int64_t now_ms(void) { return (int64_t)(fog_process_now() * 1000); }

/* A bounded while for what is under way: DISCONNECTs into sockets that are full, and then the other sides' reading. */
static void say_goodbyes(struct fog_caller_loop *c) {
  int64_t began = now_ms();
  while (c->ending > 0 && now_ms() - began < GOODBYE_MS) (void)fog_loop_turn(c->loop, SLICE_MS);
  if (c->sessions > 0) return;
  began = now_ms();
  while (fog_loop_watched(c->loop) > 0 && now_ms() - began < LINGER_MS) (void)fog_loop_turn(c->loop, SLICE_MS);
  fog_connection_forget();
  free_all(c);
}

void fog_caller_loop_close(struct fog_caller_loop *c) {
  if (c == NULL) return;
  fog_loop_unwatch(c->loop, &c->woken);
  c->closed = true;
  say_goodbyes(c);
}

struct fog_loop *fog_caller_loop_enter(struct fog_caller_loop *c) {
  c->sessions++;
  return c->loop;
}

void fog_caller_loop_leave(struct fog_caller_loop *c) {
  c->sessions--;
  c->ending--;
}

void fog_caller_loop_end(struct fog_caller_loop *c, struct fog_errand *end) {
  c->ending++;
  fog_loop_post(c->loop, end);
  fog_loop_run(c->loop);
  if (c->closed) say_goodbyes(c);
}

bool fog_caller_loop_busy(const struct fog_caller_loop *c) {
  return c != NULL && (c->sessions > 0 || fog_loop_watched(c->loop) > 1); /* one is the queue's */
}

void fog_caller_loop_send(struct fog_caller_loop *c) {
  fog_queue_begin_own(c->queue);
  fog_loop_run(c->loop);
  fog_queue_end_own(c->queue);
}

/* Whether the wait goes on after this turn. */
static bool turn(struct fog_caller_loop *c, int timeout_ms) {
  if (fog_queue_pending(c->queue)) timeout_ms = 0;
  return fog_loop_turn(c->loop, timeout_ms) && !c->stop && !fog_queue_pending(c->queue);
}

void fog_caller_loop_wait(struct fog_caller_loop *c, int timeout_ms) {
  int64_t end = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
  int left_ms = timeout_ms;
  c->stop = false;
  fog_queue_begin_own(c->queue);
  fog_loop_run(c->loop); /* what the program has asked for goes out before anything is waited for */
  while (turn(c, left_ms)) {
    if (timeout_ms >= 0) left_ms = (int)(end - now_ms());
    if (timeout_ms >= 0 && left_ms <= 0) break;
  }
  fog_queue_end_own(c->queue);
}

int fog_caller_loop_doze(struct fog_caller_loop *c, int timeout_ms, int *fd) {
  *fd = fog_loop_fd(c->loop);
  if (*fd < 0 && (timeout_ms < 0 || timeout_ms > SLICE_MS)) timeout_ms = SLICE_MS;
  return fog_loop_doze(c->loop, timeout_ms);
}
