/* SPDX-License-Identifier: MIT
 *
 * The life of a driver's one thread: it starts with the first session and ends by itself after the last, so that a
 * program that is done with MQTT has no thread left; and at exit the process waits a moment for goodbyes that are under
 * way. What the thread does is the driver's.
 */
#ifndef FOG_DRIVER_THREAD_H
#define FOG_DRIVER_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One per driver, static, and begun with FOG_DRIVER_THREAD. All is under `lock`, which a driver may use for more. */
struct fog_driver_thread {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  size_t sessions, ending; /* counted in; of them, those that were told to end */
  bool running;
  bool joinable; /* a thread that ended, or will, and was not joined */
  bool at_exit;
  pthread_t thread;
  pid_t pid; /* where it was first used; 0: nowhere */
};

#define FOG_DRIVER_THREAD \
  { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER }

/* Counts a session in. Where no thread runs, `start` makes one, under the lock, and `at_exit`, which calls
 * fog_driver_thread_finish, is registered once. FOG_OK, FOG_EFORKED, or what start returned: then nothing is counted.
 */
int fog_driver_thread_enter(struct fog_driver_thread *t, int (*start)(pthread_t *thread), void (*at_exit)(void));

/* Whether the thread is to end, the last session being gone: it must do so without the lock, for whoever starts the
 * next one joins it. Its own call, under the lock. */
bool fog_driver_thread_over(struct fog_driver_thread *t);

/* A session that was told to end (`ending`) has ended. Takes the lock. */
void fog_driver_thread_leave(struct fog_driver_thread *t);

/* At exit: gives goodbyes that are under way a second, so that brokers hear DISCONNECT and not a broken link, and joins
 * a thread that is about to end. Nothing in a forked child. */
void fog_driver_thread_finish(struct fog_driver_thread *t);

#endif
