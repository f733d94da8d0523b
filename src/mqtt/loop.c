/* SPDX-License-Identifier: MIT
 *
 * A watch has a slot of a table, and what the system is given is the slot with its generation: an event for a watch
 * that has gone meanwhile, in this batch or in the last, finds another generation and is dropped. Whoever posts takes
 * one short lock; the descriptor that wakes is written to only where the loop said, under that lock and after it saw an
 * empty mailbox, that it goes to sleep. With epoll that descriptor is edge-triggered and never read.
 */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/wake.h"
#include "timers.h"

#if defined(__linux__) && !defined(FOG_LOOP_POLL)
#include <sys/epoll.h>
#define WITH_EPOLL 1
#else
#include <poll.h>
#define WITH_EPOLL 0
#endif

enum { BATCH = 256, FIRST_CAPACITY = 16, NONE = 0, ROUNDS = 8 };

struct slot {
  struct fog_watch *watch; /* NULL: free */
  uint32_t generation;
  uint32_t next_free; /* NONE: no more */
};

struct errands {
  struct fog_errand *first, **end;
};

struct fog_loop {
  int64_t now_ms;
  struct slot *slots; /* 1 .. slot_count; slot 0 is the waking descriptor's */
  size_t slot_count, slot_capacity, watched;
  uint32_t free_slot;
  struct fog_timers timers;
  struct errands deferred; /* the loop's thread alone */
  struct fog_wake wake;
#if WITH_EPOLL
  int epoll_fd;
  struct epoll_event events[BATCH];
#else
  struct pollfd *polled; /* beside slots, and as many */
#endif
  /* It waits, or is about to and has seen an empty mailbox: whoever finds this set clears it and wakes. Set under the
   * lock; the loop clears it as soon as it is awake, so that what is posted while it works costs no call. */
  atomic_bool asleep;
  pthread_mutex_t lock; /* what follows */
  struct errands posted;
  bool woken; /* by fog_loop_wake: the next turn does not sleep */
  char scratch[FOG_LOOP_SCRATCH];
  char gather[FOG_LOOP_GATHER];
};

/* --- errands --- */

static void errands_clear(struct errands *e) {
  e->first = NULL;
  e->end = &e->first;
}

static void errands_add(struct errands *e, struct fog_errand *errand) {
  errand->next = NULL;
  *e->end = errand;
  e->end = &errand->next;
}

static void errands_move(struct errands *from, struct errands *to) {
  if (from->first == NULL) return;
  *to->end = from->first;
  to->end = from->end;
  errands_clear(from);
}

/* An errand may be freed, deferred or posted again by its own run. */
static void run_all(struct fog_errand *first) {
  while (first != NULL) {
    struct fog_errand *errand = first;
    first = errand->next;
    errand->run(errand);
  }
}

static void take_posted(struct fog_loop *loop, struct errands *to) {
  (void)pthread_mutex_lock(&loop->lock);
  loop->woken = false;
  errands_move(&loop->posted, to);
  (void)pthread_mutex_unlock(&loop->lock);
}

/* What is deferred meanwhile waits for the next turn, which then does not sleep: a turn ends. */
static void run_errands(struct fog_loop *loop) {
  struct errands due;
  errands_clear(&due);
  take_posted(loop, &due);
  errands_move(&loop->deferred, &due);
  run_all(due.first);
}

static void signal_wake(struct fog_loop *loop) {
  static const uint64_t one = 1;
  ssize_t written = write(loop->wake.write_fd, &one, sizeof one); /* full means readable already */
  (void)written;
}

void fog_loop_post(struct fog_loop *loop, struct fog_errand *errand) {
  (void)pthread_mutex_lock(&loop->lock);
  errands_add(&loop->posted, errand);
  bool wake = atomic_exchange(&loop->asleep, false);
  (void)pthread_mutex_unlock(&loop->lock);
  if (wake) signal_wake(loop);
}

void fog_loop_wake(struct fog_loop *loop) {
  (void)pthread_mutex_lock(&loop->lock);
  bool wake = atomic_exchange(&loop->asleep, false);
  loop->woken = true;
  (void)pthread_mutex_unlock(&loop->lock);
  if (wake) signal_wake(loop);
}

void fog_loop_defer(struct fog_loop *loop, struct fog_errand *errand) { errands_add(&loop->deferred, errand); }

/* False: something was posted; then the loop must not wait. */
static bool fall_asleep(struct fog_loop *loop) {
  (void)pthread_mutex_lock(&loop->lock);
  bool asleep = loop->posted.first == NULL && !loop->woken;
  atomic_store(&loop->asleep, asleep);
  (void)pthread_mutex_unlock(&loop->lock);
  return asleep;
}

bool fog_loop_set_timer(struct fog_loop *loop, struct fog_timer *timer, int64_t at_ms) {
  return fog_timers_set(&loop->timers, timer, at_ms);
}

void fog_loop_clear_timer(struct fog_loop *loop, struct fog_timer *timer) { fog_timers_clear(&loop->timers, timer); }

/* --- watches --- */

static bool grow_slots(struct fog_loop *loop) {
  size_t capacity = loop->slot_capacity == 0 ? FIRST_CAPACITY : loop->slot_capacity * 2;
  struct slot *slots = realloc(loop->slots, capacity * sizeof *slots);
  if (slots == NULL) return false;
  loop->slots = slots;
#if !WITH_EPOLL
  struct pollfd *polled = realloc(loop->polled, capacity * sizeof *polled);
  if (polled == NULL) return false;
  loop->polled = polled;
#endif
  loop->slot_capacity = capacity;
  return true;
}

/* The slot, or 0: no memory. */
static size_t take_slot(struct fog_loop *loop, struct fog_watch *watch) {
  size_t slot = loop->free_slot;
  if (slot != NONE) {
    loop->free_slot = loop->slots[slot].next_free;
  } else {
    if (loop->slot_count + 1 >= loop->slot_capacity && !grow_slots(loop)) return 0;
    slot = ++loop->slot_count;
    loop->slots[slot].generation = 0;
  }
  loop->slots[slot].watch = watch;
  loop->watched++;
  return slot;
}

static void give_slot(struct fog_loop *loop, size_t slot) {
  loop->slots[slot].watch = NULL;
  loop->slots[slot].generation++;
  loop->slots[slot].next_free = loop->free_slot;
  loop->free_slot = (uint32_t)slot;
  loop->watched--;
}

static void tell(struct fog_loop *loop, size_t slot, uint32_t generation, unsigned events) {
  struct slot *s = &loop->slots[slot];
  if (s->watch != NULL && s->generation == generation && events != 0) s->watch->ready(s->watch, events);
}

#if WITH_EPOLL

static bool poller_open(struct fog_loop *loop) {
  struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 0};
  loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  return loop->epoll_fd >= 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake.read_fd, &e) == 0;
}

static void poller_close(struct fog_loop *loop) {
  if (loop->epoll_fd >= 0) (void)close(loop->epoll_fd);
}

static bool poller_set(struct fog_loop *loop, const struct fog_watch *watch, size_t slot, bool is_new) {
  struct epoll_event e = {
      .events = (watch->wanted & FOG_READABLE ? EPOLLIN : 0u) | (watch->wanted & FOG_WRITABLE ? EPOLLOUT : 0u),
      .data.u64 = (uint64_t)loop->slots[slot].generation << 32 | slot};
  return epoll_ctl(loop->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch->fd, &e) == 0;
}

static void poller_drop(struct fog_loop *loop, const struct fog_watch *watch, size_t slot) {
  struct epoll_event none = {0};
  (void)slot;
  (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, &none);
}

int fog_loop_fd(const struct fog_loop *loop) { return loop->epoll_fd; }

/* How many events there are; -1 counts as none. */
static int poller_wait(struct fog_loop *loop, int timeout_ms) {
  return epoll_wait(loop->epoll_fd, loop->events, BATCH, timeout_ms);
}

static void poller_tell(struct fog_loop *loop, int count) {
  for (int i = 0; i < count; i++) {
    uint32_t got = loop->events[i].events;
    uint64_t key = loop->events[i].data.u64;
    unsigned events = (got & EPOLLIN ? FOG_READABLE : 0u) | (got & EPOLLOUT ? FOG_WRITABLE : 0u) |
                      (got & (EPOLLHUP | EPOLLERR) ? FOG_HANGUP : 0u);
    if (key != 0) tell(loop, (uint32_t)key, (uint32_t)(key >> 32), events);
  }
}

#else

static bool poller_open(struct fog_loop *loop) {
  if (!grow_slots(loop)) return false;
  loop->polled[0] = (struct pollfd){.fd = loop->wake.read_fd, .events = POLLIN};
  return true;
}

static void poller_close(struct fog_loop *loop) { free(loop->polled); }

static bool poller_set(struct fog_loop *loop, const struct fog_watch *watch, size_t slot, bool is_new) {
  (void)is_new;
  loop->polled[slot].fd = watch->fd;
  loop->polled[slot].events =
      (short)((watch->wanted & FOG_READABLE ? POLLIN : 0) | (watch->wanted & FOG_WRITABLE ? POLLOUT : 0));
  if (is_new) loop->polled[slot].revents = 0; /* of whoever had the slot before */
  return true;
}

static void poller_drop(struct fog_loop *loop, const struct fog_watch *watch, size_t slot) {
  (void)watch;
  loop->polled[slot] = (struct pollfd){.fd = -1};
}

int fog_loop_fd(const struct fog_loop *loop) {
  (void)loop;
  return -1;
}

static int poller_wait(struct fog_loop *loop, int timeout_ms) {
  return poll(loop->polled, (nfds_t)loop->slot_count + 1, timeout_ms);
}

static void poller_tell(struct fog_loop *loop, int count) {
  char sink[64];
  if (count <= 0) return;
  if (loop->polled[0].revents != 0) {
    while (read(loop->wake.read_fd, sink, sizeof sink) == (ssize_t)sizeof sink) continue;
  }
  for (size_t slot = 1, slots = loop->slot_count; slot <= slots; slot++) {
    int got = loop->polled[slot].revents;
    unsigned events = (got & POLLIN ? FOG_READABLE : 0u) | (got & POLLOUT ? FOG_WRITABLE : 0u) |
                      (got & (POLLHUP | POLLERR | POLLNVAL) ? FOG_HANGUP : 0u);
    if (events != 0) tell(loop, slot, loop->slots[slot].generation, events);
  }
}

#endif

bool fog_loop_watch(struct fog_loop *loop, struct fog_watch *watch, unsigned wanted) {
  bool is_new = watch->slot == 0;
  unsigned before = watch->wanted;
  if (!is_new && before == wanted) return true;
  size_t slot = is_new ? take_slot(loop, watch) : watch->slot;
  if (slot == 0) {
    errno = ENOMEM;
    return false;
  }
  watch->wanted = wanted;
  if (poller_set(loop, watch, slot, is_new)) {
    watch->slot = slot;
    return true;
  }
  watch->wanted = before;
  if (is_new) give_slot(loop, slot);
  return false;
}

void fog_loop_unwatch(struct fog_loop *loop, struct fog_watch *watch) {
  if (watch->slot == 0) return;
  poller_drop(loop, watch, watch->slot);
  give_slot(loop, watch->slot);
  watch->slot = 0;
  watch->wanted = 0;
}

size_t fog_loop_watched(const struct fog_loop *loop) { return loop->watched; }

/* --- the loop --- */

static int64_t clock_ms(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Never longer than until the next timer; 0 where something is to be done at once. */
static int how_long(const struct fog_loop *loop, int timeout_ms) {
  if (loop->deferred.first != NULL || timeout_ms == 0) return 0;
  int64_t next_ms = fog_timers_next(&loop->timers);
  if (next_ms == INT64_MAX) return timeout_ms;
  int64_t left = next_ms - clock_ms(); /* what was done since the last turn's clock took time, too */
  if (left <= 0) return 0;
  if (timeout_ms >= 0 && left > timeout_ms) return timeout_ms;
  return left > INT_MAX ? INT_MAX : (int)left;
}

int fog_loop_doze(struct fog_loop *loop, int timeout_ms) {
  int wait_ms = how_long(loop, timeout_ms);
  return wait_ms != 0 && !fall_asleep(loop) ? 0 : wait_ms;
}

bool fog_loop_turn(struct fog_loop *loop, int timeout_ms) {
  int count = poller_wait(loop, fog_loop_doze(loop, timeout_ms));
  bool interrupted = count < 0 && errno == EINTR;
  atomic_store(&loop->asleep, false);
  loop->now_ms = clock_ms();
  poller_tell(loop, count);
  fog_timers_fire(&loop->timers, loop->now_ms);
  run_errands(loop);
  return !interrupted;
}

void fog_loop_run(struct fog_loop *loop) {
  loop->now_ms = clock_ms();
  run_errands(loop);
  for (int i = 1; i < ROUNDS && loop->deferred.first != NULL; i++) run_errands(loop);
}

int64_t fog_loop_now(const struct fog_loop *loop) { return loop->now_ms; }

char *fog_loop_scratch(struct fog_loop *loop) { return loop->scratch; }

char *fog_loop_gather(struct fog_loop *loop) { return loop->gather; }

struct fog_loop *fog_loop_new(void) {
  struct fog_loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL) return NULL;
#if WITH_EPOLL
  loop->epoll_fd = -1;
#endif
  errands_clear(&loop->deferred);
  errands_clear(&loop->posted);
  (void)pthread_mutex_init(&loop->lock, NULL);
  int err = fog_wake_open(&loop->wake);
  loop->now_ms = clock_ms();
  if (err == 0 && poller_open(loop)) return loop;
  if (err == 0) err = errno;
  fog_loop_free(loop);
  errno = err;
  return NULL;
}

void fog_loop_free(struct fog_loop *loop) {
  if (loop == NULL) return;
  fog_timers_fire(&loop->timers, INT64_MAX);
  for (bool more = true; more; more = loop->deferred.first != NULL) run_errands(loop);
  poller_close(loop);
  fog_wake_close(&loop->wake);
  (void)pthread_mutex_destroy(&loop->lock);
  free(loop->slots);
  fog_timers_free(&loop->timers);
  free(loop);
}
