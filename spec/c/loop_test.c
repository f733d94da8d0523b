/* SPDX-License-Identifier: MIT
 *
 * The loop: readiness, errands, and the mailbox under many threads. With epoll here; loop_poll_test.c has the
 * other form. Calls of the system are counted where the contract says that there are none.
 */
#include "../../src/mqtt/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "tap.h"

static atomic_int controls, writes;

/* In place of the C library's. */
int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
  atomic_fetch_add(&controls, 1);
  return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

ssize_t write(int fd, const void *bytes, size_t len) {
  atomic_fetch_add(&writes, 1);
  return syscall(SYS_write, fd, bytes, len);
}

/* --- errands --- */

struct note {
  struct fog_errand errand;
  int number;
  bool again;
};

static int notes[64], noted;

static void on_note(struct fog_errand *errand) {
  struct note *n = (struct note *)errand;
  notes[noted++ % 64] = n->number;
  if (!n->again) return;
  n->again = false;
  fog_loop_defer(loop, errand);
}

static void errands(void) {
  struct note n[4];
  for (int i = 0; i < 4; i++) n[i] = (struct note){.errand.run = on_note, .number = i};
  noted = 0;
  fog_loop_post(loop, &n[0].errand);
  fog_loop_post(loop, &n[1].errand);
  fog_loop_defer(loop, &n[2].errand);
  n[1].again = true;
  fog_loop_turn(loop, 1000);
  check(noted == 3 && notes[0] == 0 && notes[1] == 1 && notes[2] == 2, "errands run in their order");
  fog_loop_turn(loop, -1);
  check(noted == 4 && notes[3] == 1, "what an errand defers is the next turn's, which does not wait for it");
  atomic_store(&writes, 0);
  fog_loop_post(loop, &n[3].errand);
  check(atomic_load(&writes) == 0, "a loop that is awake is not woken");
  fog_loop_turn(loop, 1000);
  check(noted == 5, "and does what was posted all the same");
}

static struct note at_work = {.errand.run = on_note};

static void posts_at_work(struct fog_timer *timer) {
  on_clock(timer);
  fog_loop_post(loop, &at_work.errand);
}

static void while_it_works(void) {
  struct clock c = {.timer.fire = posts_at_work};
  (void)fog_loop_set_timer(loop, &c.timer, fog_loop_now(loop) + 20);
  atomic_store(&writes, 0);
  noted = 0;
  while (c.fired == 0) fog_loop_turn(loop, 1000); /* which sleeps */
  check(noted == 1 && atomic_load(&writes) == 0, "neither is one that works after it has slept");
}

/* Many threads post, each in its order, while the loop falls asleep all the time. */
enum { THREADS = 4, POSTS = 20000 };

struct counted {
  struct fog_errand errand;
  int thread, number;
};

static int seen[THREADS], seen_in_all;
static bool in_order = true;

static void on_counted(struct fog_errand *errand) {
  struct counted *c = (struct counted *)errand;
  in_order = in_order && seen[c->thread] == c->number;
  seen[c->thread]++;
  seen_in_all++;
  free(c);
}

static void *post_many(void *arg) {
  for (int i = 0; i < POSTS; i++) {
    struct counted *c = malloc(sizeof *c);
    if (c == NULL) exit(1);
    *c = (struct counted){.errand.run = on_counted, .thread = *(int *)arg, .number = i};
    fog_loop_post(loop, &c->errand);
    if (i % 256 == 0) (void)usleep(200);
  }
  return NULL;
}

static void mailbox(void) {
  pthread_t threads[THREADS];
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    if (pthread_create(&threads[i], NULL, post_many, &numbers[i]) != 0) exit(1);
  }
  while (seen_in_all < THREADS * POSTS) fog_loop_turn(loop, -1);
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  check(in_order, "80,000 errands of four threads wake a loop that waits for ever, each thread's in its order");
}

/* One at a time, there and back: a lost waking would end it. */
static atomic_int turn_of;
static struct fog_errand ping;

static void on_ping(struct fog_errand *errand) {
  (void)errand;
  atomic_fetch_add(&turn_of, 1);
}

static void *play(void *arg) {
  (void)arg;
  for (int i = 0; i < POSTS; i++) {
    fog_loop_post(loop, &ping);
    while (atomic_load(&turn_of) <= i) (void)sched_yield();
  }
  fog_loop_wake(loop);
  return NULL;
}

static void wakes(void) {
  pthread_t thread;
  ping.run = on_ping;
  if (pthread_create(&thread, NULL, play, NULL) != 0) exit(1);
  while (atomic_load(&turn_of) < POSTS) fog_loop_turn(loop, -1);
  (void)pthread_join(thread, NULL);
  check(atomic_load(&turn_of) == POSTS, "20,000 errands, each when the last is done, and none is slept through");
  fog_loop_turn(loop, 0);
  fog_loop_wake(loop);
  fog_loop_turn(loop, -1);
  check(true, "a wake before a turn ends its wait");
}

/* --- watches --- */

struct eye {
  struct fog_watch watch;
  int other; /* the other end */
  int told;
  unsigned events;
  void (*then)(struct eye *eye);
};

static void on_eye(struct fog_watch *watch, unsigned events) {
  struct eye *e = (struct eye *)watch;
  e->told++;
  e->events |= events;
  if (e->then != NULL) e->then(e);
}

static void open_eye(struct eye *e) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) exit(1);
  *e = (struct eye){.watch = {.fd = pair[0], .ready = on_eye}, .other = pair[1]};
}

static void close_eye(struct eye *e) {
  fog_loop_unwatch(loop, &e->watch);
  if (e->watch.fd >= 0) (void)close(e->watch.fd);
  if (e->other >= 0) (void)close(e->other);
  e->watch.fd = e->other = -1;
}

static void say(struct eye *e) {
  if (send(e->other, "x", 1, 0) != 1) exit(1);
}

static void wanted(void) {
  struct eye e;
  open_eye(&e);
  check(fog_loop_watch(loop, &e.watch, FOG_READABLE), "a socket is watched");
  fog_loop_turn(loop, 0);
  check(e.told == 0, "nothing to read is not told");
  say(&e);
  fog_loop_turn(loop, 1000);
  fog_loop_turn(loop, 1000);
  check(e.told == 2 && e.events == FOG_READABLE, "readiness is told for as long as it lasts");
  check(fog_loop_watch(loop, &e.watch, FOG_WRITABLE), "what is wanted changes");
  e.events = 0;
  fog_loop_turn(loop, 1000);
  check(e.events == FOG_WRITABLE, "and the old is told no more");
  atomic_store(&controls, 0);
  for (int i = 0; i < 100; i++) (void)fog_loop_watch(loop, &e.watch, FOG_WRITABLE);
  check(atomic_load(&controls) == 0, "asking for the same again calls nothing of the system's");
  (void)fog_loop_watch(loop, &e.watch, 0);
  e.told = 0;
  fog_loop_turn(loop, 0);
  check(e.told == 0, "nothing is wanted, nothing is told");
  (void)close(e.other);
  e.other = -1;
  e.events = 0;
  fog_loop_turn(loop, 1000);
  check(e.events & FOG_HANGUP, "but a hang-up");
  close_eye(&e);
  fog_loop_unwatch(loop, &e.watch);
  check(fog_loop_watched(loop) == 0, "unwatched, also twice");
}

static struct eye left, right, newcomer;

/* Whichever comes first ends the other one; its slot is taken by a third that is not ready. */
static void end_other(struct eye *e) {
  struct eye *o = e == &left ? &right : &left;
  close_eye(o);
  open_eye(&newcomer);
  (void)fog_loop_watch(loop, &newcomer.watch, FOG_READABLE);
  e->then = NULL;
}

static void dying(void) {
  bool never = true;
  for (int i = 0; i < 50; i++) {
    open_eye(&left);
    open_eye(&right);
    left.then = right.then = end_other;
    (void)fog_loop_watch(loop, &left.watch, FOG_READABLE);
    (void)fog_loop_watch(loop, &right.watch, FOG_READABLE);
    say(&left);
    say(&right);
    fog_loop_turn(loop, 1000);
    never = never && left.told + right.told == 1 && newcomer.told == 0;
    say(&newcomer);
    fog_loop_turn(loop, 1000);
    never = never && newcomer.told == 1;
    close_eye(&left);
    close_eye(&right);
    close_eye(&newcomer);
  }
  check(never, "a watch that ends in a turn is not told in it, and neither is who has its slot and descriptor next");
}

static void many(void) {
  enum { COUNT = 1000 };
  static struct eye eyes[COUNT];
  struct rlimit limit;
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  bool all = true;
  for (int i = 0; i < COUNT; i++) {
    open_eye(&eyes[i]);
    all = all && fog_loop_watch(loop, &eyes[i].watch, FOG_READABLE);
    say(&eyes[i]);
  }
  check(all && fog_loop_watched(loop) == COUNT, "a thousand are watched");
  for (int turns = 0; turns < 8; turns++) fog_loop_turn(loop, 1000);
  for (int i = 0; i < COUNT; i++) all = all && eyes[i].told > 0;
  check(all, "and within a few turns each is told");
  for (int i = 0; i < COUNT; i++) close_eye(&eyes[i]);
}

static void *post_later(void *arg) {
  (void)poll(NULL, 0, 20);
  fog_loop_post(loop, arg);
  return NULL;
}

static void on_alarm(int number) { (void)number; }

/* A thread that waits elsewhere, and turns the loop now and then. */
static void waited_for_elsewhere(void) {
  struct note n[2] = {{.errand.run = on_note, .number = 1, .again = true}, {.errand.run = on_note, .number = 2}};
  struct clock c = {.timer.fire = on_clock};
  pthread_t thread;
  noted = 0;
  fog_loop_post(loop, &n[0].errand);
  check(fog_loop_doze(loop, 1000) == 0, "there is something to do");
  fog_loop_run(loop);
  check(noted == 2 && notes[1] == 1, "errands are run between two turns, and what they defer");
  (void)fog_loop_set_timer(loop, &c.timer, fog_loop_now(loop) + 500);
  int ms = fog_loop_doze(loop, 1000);
  check(ms > 0 && ms <= 500, "a wait is no longer than until the next timer");
  fog_loop_clear_timer(loop, &c.timer);
  check(fog_loop_doze(loop, -1) == -1, "and for ever where there is nothing");
  (void)pthread_create(&thread, NULL, post_later, &n[1].errand);
#ifndef FOG_LOOP_POLL
  struct pollfd p = {.fd = fog_loop_fd(loop), .events = POLLIN};
  check(poll(&p, 1, 5000) == 1, "what another thread posts makes the descriptor readable");
  (void)fog_loop_turn(loop, 0);
  check(noted == 3 && poll(&p, 1, 0) == 0, "and a turn unreadable");
#else
  check(fog_loop_fd(loop) == -1, "poll() has no descriptor");
#endif
  (void)pthread_join(thread, NULL);
  (void)fog_loop_turn(loop, 0);
  check(noted == 3, "it was run once");
}

static void interrupted(void) {
  struct sigaction quiet = {.sa_handler = on_alarm};
  const struct itimerval soon = {.it_value = {0, 20000}};
  check(fog_loop_turn(loop, 10), "a wait that has run out was not ended by a signal");
  (void)sigaction(SIGALRM, &quiet, NULL);
  (void)setitimer(ITIMER_REAL, &soon, NULL);
  check(!fog_loop_turn(loop, 20000), "one that a signal has ended says so");
}

static void refusals(void) {
  struct fog_watch bad = {.fd = -1, .ready = on_eye};
  bool watched = fog_loop_watch(loop, &bad, FOG_READABLE);
  int why = errno;
#ifndef FOG_LOOP_POLL
  check(!watched && why == EBADF && bad.slot == 0, "what cannot be watched is refused");
#else
  (void)why;
  fog_loop_unwatch(loop, &bad);
  check(watched, "poll() looks at no descriptor before it waits");
#endif
  struct rlimit limit, none;
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  none = limit;
  none.rlim_cur = 0;
  (void)setrlimit(RLIMIT_NOFILE, &none);
  struct fog_loop *refused = fog_loop_new();
  why = errno;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  check(refused == NULL && why == EMFILE, "no loop without descriptors, and errno says so");
}

static void ends(void) {
  struct fog_loop *before = loop;
  struct clock c = {.timer.fire = on_clock};
  struct note n[2] = {{.errand.run = on_note, .again = true}, {.errand.run = on_note}};
  loop = fog_loop_new();
  noted = 0;
  (void)fog_loop_set_timer(loop, &c.timer, INT64_MAX - 1);
  fog_loop_post(loop, &n[0].errand);
  fog_loop_defer(loop, &n[1].errand);
  fog_loop_free(loop);
  check(c.fired == 1 && noted == 3, "what is left of connections is ended with the loop: timers fire, errands run");
  loop = before;
  fog_loop_free(NULL);
}

int main(void) {
  loop = fog_loop_new();
  errands();
  while_it_works();
  mailbox();
  wakes();
  wanted();
  dying();
  many();
  waited_for_elsewhere();
  interrupted();
  refusals();
  ends();
  memset(fog_loop_scratch(loop), 1, FOG_LOOP_SCRATCH);
  memset(fog_loop_gather(loop), 1, FOG_LOOP_GATHER);
  fog_loop_free(loop);
  return finish();
}
