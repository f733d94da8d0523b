/* SPDX-License-Identifier: MIT */
#include "driver_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/process.h"

enum { EXIT_WAIT_S = 1 };

/* Under the lock. */
static int start_thread(struct fog_driver_thread *t, int (*start)(pthread_t *thread), void (*at_exit)(void)) {
  if (t->joinable) (void)pthread_join(t->thread, NULL); /* it has ended but for its return */
  t->joinable = false;
  int rc = start(&t->thread);
  if (rc != FOG_OK) return rc;
  t->running = t->joinable = true;
  if (!t->at_exit) t->at_exit = atexit(at_exit) == 0;
  return FOG_OK;
}

int fog_driver_thread_enter(struct fog_driver_thread *t, int (*start)(pthread_t *thread), void (*at_exit)(void)) {
  if (t->pid != 0 && fog_process_forked(t->pid)) return FOG_EFORKED; /* its lock may be held by a thread that is not */
  (void)pthread_mutex_lock(&t->lock);
  t->pid = getpid();
  int rc = t->running ? FOG_OK : start_thread(t, start, at_exit);
  if (rc == FOG_OK) t->sessions++;
  (void)pthread_mutex_unlock(&t->lock);
  return rc;
}

bool fog_driver_thread_over(struct fog_driver_thread *t) {
  if (t->sessions > 0) return false;
  t->running = false;
  (void)pthread_cond_broadcast(&t->ended);
  return true;
}

void fog_driver_thread_leave(struct fog_driver_thread *t) {
  (void)pthread_mutex_lock(&t->lock);
  t->sessions--;
  t->ending--;
  (void)pthread_cond_broadcast(&t->ended);
  (void)pthread_mutex_unlock(&t->lock);
}

void fog_driver_thread_finish(struct fog_driver_thread *t) {
  struct timespec end;
  if (fog_process_forked(t->pid)) return;
  (void)clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += EXIT_WAIT_S;
  (void)pthread_mutex_lock(&t->lock);
  while (t->ending > 0 || (t->running && t->sessions == 0)) { /* its last session is gone: the thread is about to end */
    if (pthread_cond_timedwait(&t->ended, &t->lock, &end) == ETIMEDOUT) break;
  }
  bool ended = !t->running && t->joinable;
  t->joinable = t->joinable && !ended;
  (void)pthread_mutex_unlock(&t->lock);
  if (ended) (void)pthread_join(t->thread, NULL);
}
