/* SPDX-License-Identifier: MIT
 *
 * The loop of the one I/O thread: readiness of descriptors, timers, a mailbox. Nothing here knows of MQTT. The only
 * file (with base/wake.c) that asks for a platform: epoll where there is one, poll() elsewhere (LOOP=poll builds that
 * one).
 *
 * All that is named watch, timer or deferred is embedded in its owner and belongs to it; the loop never allocates for
 * them beyond its own tables. Everything but fog_loop_post and fog_loop_wake is for the loop's own thread: the one that
 * runs fog_loop_turn.
 */
#ifndef FOG_LOOP_H
#define FOG_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fog_loop;

enum { FOG_READABLE = 1, FOG_WRITABLE = 2, FOG_HANGUP = 4 }; /* HANGUP is told whether it was asked for or not */

/* A descriptor that is watched, level-triggered. */
struct fog_watch {
  int fd;
  unsigned wanted;                                         /* the loop's: what it is watched for */
  void (*ready)(struct fog_watch *watch, unsigned events); /* on the loop's thread */
  size_t slot;                                             /* the loop's */
};

/* A moment. Zeroed it is not set. */
struct fog_timer {
  int64_t at_ms; /* on fog_loop_now's scale */
  void (*fire)(struct fog_timer *timer);
  size_t place; /* the loop's: 0 is not set */
};

/* Something to be done on the loop's thread: later in this turn, or sent from another thread. */
struct fog_errand {
  struct fog_errand *next;
  void (*run)(struct fog_errand *errand);
};

/* NULL: no memory or no descriptor, errno says which. */
struct fog_loop *fog_loop_new(void);

/* Nothing of the caller's is watched, set or posted any more. What connections that were closed have left (a lingering
 * end, memory that waits for the end of the turn) is ended here: timers fire and errands run a last time. */
void fog_loop_free(struct fog_loop *loop);

/* Waits until something is ready, a timer is due or something was posted, at most timeout_ms (-1: as long as it takes),
 * and does what there is to do. Errands are run after the readiness of this turn: what frees a watch's owner is one.
 * False: a signal has ended the wait. */
bool fog_loop_turn(struct fog_loop *loop, int timeout_ms);

/* Runs what was posted, and what that defers, without waiting or looking at any descriptor: between two turns. */
void fog_loop_run(struct fog_loop *loop);

/* For a thread that waits for other things, too: a descriptor that is readable while a turn would find something to do,
 * timers apart; -1: the system has no such thing (poll()). */
int fog_loop_fd(const struct fog_loop *loop);

/* Before each wait there: how long it may be at most, of timeout_ms; 0: a turn has something to do. */
int fog_loop_doze(struct fog_loop *loop, int timeout_ms);

/* Watches for `wanted` (of FOG_READABLE | FOG_WRITABLE; 0: hang-ups alone). A second call changes what is wanted, and
 * costs no system call where nothing changes. False: no memory, or the system refuses (errno). */
bool fog_loop_watch(struct fog_loop *loop, struct fog_watch *watch, unsigned wanted);

/* Before the descriptor is closed. Nothing is told of it any more, in this turn either. Harmless where not watched. */
void fog_loop_unwatch(struct fog_loop *loop, struct fog_watch *watch);

/* How many are watched: 0 once nothing lingers (fog_connection_close) after everything was closed. */
size_t fog_loop_watched(const struct fog_loop *loop);

/* Sets or moves a timer. False: no memory. Clearing one that is not set is harmless. */
bool fog_loop_set_timer(struct fog_loop *loop, struct fog_timer *timer, int64_t at_ms);
void fog_loop_clear_timer(struct fog_loop *loop, struct fog_timer *timer);

/* Milliseconds of the monotonic clock, read once a turn. */
int64_t fog_loop_now(const struct fog_loop *loop);

/* Has the errand run on the loop's thread, and wakes it if it may be asleep. Any thread; one short lock, never waits.
 * The errand must not be posted again before it runs. In the order of posting. */
void fog_loop_post(struct fog_loop *loop, struct fog_errand *errand);

/* Ends the wait of the turn that runs, or the next one's. Any thread. */
void fog_loop_wake(struct fog_loop *loop);

/* The same from the loop's own thread, for the end of this turn. */
void fog_loop_defer(struct fog_loop *loop, struct fog_errand *errand);

/* One buffer of FOG_LOOP_SCRATCH bytes for all reads of this thread. Its contents do not outlive the callback. */
enum { FOG_LOOP_SCRATCH = 65536 };
char *fog_loop_scratch(struct fog_loop *loop);

/* The same for writes that must be put together first: the filters' alone. One record of TLS, or one frame. */
enum { FOG_LOOP_GATHER = 16384 };
char *fog_loop_gather(struct fog_loop *loop);

#endif
