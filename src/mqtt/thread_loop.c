/* SPDX-License-Identifier: MIT */
#include "thread_loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/process.h"

enum { EXIT_WAIT_S = 1 };

static struct {
  pthread_mutex_t lock; /* all below */
  pthread_cond_t ended;
  struct fog_loop *loop;
  void (*last)(struct fog_loop *loop);
  size_t sessions, ending; /* counted in; of them, those that were told to end */
  bool running;
  bool joinable; /* a thread that ended, or will, and was not joined */
  bool at_exit;
  pthread_t thread;
  pid_t pid; /* where it was first used; 0: nowhere */
} t = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

/* Once it is, the thread takes no lock any more: whoever starts the next one joins it under the lock. */
static bool is_over(void) {
  (void)pthread_mutex_lock(&t.lock);
  bool over = t.sessions == 0;
  if (over) {
    t.running = false;
    (void)pthread_cond_broadcast(&t.ended);
  }
  (void)pthread_mutex_unlock(&t.lock);
  return over;
}

static void *serve(void *arg) {
  struct fog_loop *loop = arg;
  void (*last)(struct fog_loop *) = t.last; /* written before the thread was made */
  while (!is_over()) (void)fog_loop_turn(loop, -1);
  if (last != NULL) last(loop);
  fog_loop_free(loop);
  return NULL;
}

/* Gives goodbyes that are under way a moment, so that brokers hear DISCONNECT and not a broken link. */
static void finish_at_exit(void) {
  struct timespec end;
  if (fog_process_forked(t.pid)) return;
  (void)clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += EXIT_WAIT_S;
  (void)pthread_mutex_lock(&t.lock);
  while (t.ending > 0 || (t.running && t.sessions == 0)) { /* its last session is gone: the thread is about to end */
    if (pthread_cond_timedwait(&t.ended, &t.lock, &end) == ETIMEDOUT) break;
  }
  bool ended = !t.running && t.joinable;
  t.joinable = t.joinable && !ended;
  (void)pthread_mutex_unlock(&t.lock);
  if (ended) (void)pthread_join(t.thread, NULL);
}

/* Under the lock. */
static int start(void (*last)(struct fog_loop *loop)) {
  if (t.joinable) (void)pthread_join(t.thread, NULL); /* it has ended but for its return */
  t.joinable = false;
  t.last = last;
  t.loop = fog_loop_new();
  if (t.loop == NULL) return FOG_ENOMEMORY;
  if (fog_process_thread(&t.thread, serve, t.loop) != 0) {
    fog_loop_free(t.loop);
    return FOG_ENOTHREAD;
  }
  t.running = t.joinable = true;
  if (!t.at_exit) t.at_exit = atexit(finish_at_exit) == 0;
  return FOG_OK;
}

int fog_thread_loop_enter(struct fog_loop **loop, void (*last)(struct fog_loop *loop)) {
  if (fog_thread_loop_forked()) return FOG_EFORKED; /* a thread that is no more may have the lock */
  (void)pthread_mutex_lock(&t.lock);
  t.pid = getpid();
  int rc = t.running ? FOG_OK : start(last);
  if (rc == FOG_OK) t.sessions++;
  *loop = t.loop;
  (void)pthread_mutex_unlock(&t.lock);
  return rc;
}

void fog_thread_loop_end(struct fog_errand *end) {
  (void)pthread_mutex_lock(&t.lock);
  t.ending++;
  fog_loop_post(t.loop, end); /* under the lock: the last session's end frees the loop, which must not happen before
                                 this has woken it */
  (void)pthread_mutex_unlock(&t.lock);
}

void fog_thread_loop_leave(void) {
  (void)pthread_mutex_lock(&t.lock);
  t.sessions--;
  t.ending--;
  (void)pthread_cond_broadcast(&t.ended);
  (void)pthread_mutex_unlock(&t.lock);
}

bool fog_thread_loop_forked(void) { return t.pid != 0 && fog_process_forked(t.pid); }
