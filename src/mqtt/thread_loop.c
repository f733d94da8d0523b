/* SPDX-License-Identifier: MIT */
#include "thread_loop.h"

#include <openssl/crypto.h>

#include "../base/error.h"
#include "../base/process.h"
#include "connection.h"
#include "driver_thread.h"

enum { LINGER_MS = 200 };

static struct fog_driver_thread own_thread = FOG_DRIVER_THREAD;
static struct fog_loop *own_loop; /* the thread's; under its lock, or while a session is counted in */

static bool is_over(void) {
  (void)pthread_mutex_lock(&own_thread.lock);
  bool over = fog_driver_thread_over(&own_thread);
  (void)pthread_mutex_unlock(&own_thread.lock);
  return over;
}

/* Goodbyes that the other side has not read yet: a short bounded while. Whoever opens a session meanwhile waits as
 * long. */
static void linger(struct fog_loop *loop) {
  int64_t began = fog_loop_now(loop);
  while (fog_loop_watched(loop) > 0 && fog_loop_now(loop) - began < LINGER_MS)
    (void)fog_loop_turn(loop, LINGER_MS / 10);
}

static void *serve(void *arg) {
  struct fog_loop *loop = arg;
  while (!is_over()) (void)fog_loop_turn(loop, -1);
  linger(loop);
  fog_connection_forget();
  fog_loop_free(loop);
  OPENSSL_thread_stop();
  return NULL;
}

static void finish_at_exit(void) { fog_driver_thread_finish(&own_thread); }

static int start_thread(pthread_t *thread) {
  own_loop = fog_loop_new();
  if (own_loop == NULL) return FOG_ENOMEMORY;
  if (fog_process_thread(thread, serve, own_loop) == 0) return FOG_OK;
  fog_loop_free(own_loop);
  return FOG_ENOTHREAD;
}

int fog_thread_loop_enter(struct fog_loop **loop) {
  int rc = fog_driver_thread_enter(&own_thread, start_thread, finish_at_exit);
  if (rc == FOG_OK) *loop = own_loop;
  return rc;
}

void fog_thread_loop_end(struct fog_errand *end) {
  (void)pthread_mutex_lock(&own_thread.lock);
  own_thread.ending++;
  fog_loop_post(own_loop, end); /* under the lock: the last session's end frees the loop, which must not happen before
                                   this has woken it */
  (void)pthread_mutex_unlock(&own_thread.lock);
}

void fog_thread_loop_leave(void) { fog_driver_thread_leave(&own_thread); }
