/* SPDX-License-Identifier: MIT
 *
 * The owner's thread puts commands into an inbox under a short lock; the client's thread, started by the first of them,
 * takes the whole inbox, keeps the connection and hands each command back as its own event. The two hold a reference
 * each, so that closing never waits for a look-up or a slow server.
 */
#include "client.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/wake.h"
#include "connection.h"
#include "dial.h"

enum { MAX_COMMANDS = 10000, MAX_BACKOFF_MS = 5000, FIRST_BACKOFF_MS = 500, IDLE_MS = 60000, STALL_MS = 5 };

struct fog_redis {
  atomic_int refs;
  pid_t pid;
  struct fog_port port; /* with a reference on its queue */
  struct fog_redis_options options;
  char *texts[9]; /* what the options point to */
  bool started;   /* owner only */
  atomic_int count;
  atomic_bool stop;
  pthread_mutex_t lock; /* the inbox and the wake-up */
  struct fog_redis_commands inbox;
  struct fog_wake wake;
  /* The thread only: */
  struct fog_redis_commands waiting;
  struct fog_redis_connection connection;
  unsigned failures;
  long long not_before;
  const char *kind; /* of the last failure */
  char reason[FOG_REDIS_REASON];
};

/* Owner ---------------------------------------------------------------------------------------------------------- */

static void free_options(struct fog_redis *r) {
  for (size_t i = 0; i < sizeof r->texts / sizeof r->texts[0]; i++) {
    if (r->texts[i] == NULL) continue;
    explicit_bzero(r->texts[i], strlen(r->texts[i]));
    free(r->texts[i]);
  }
}

static bool copy_options(struct fog_redis *r, const struct fog_redis_options *o) {
  const char **fields[] = {&r->options.host,    &r->options.port,      &r->options.path,
                           &r->options.user,    &r->options.password,  &r->options.database,
                           &r->options.ca_file, &r->options.cert_file, &r->options.key_file};
  r->options = *o;
  bool whole = true;
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (*fields[i] == NULL) continue;
    r->texts[i] = strdup(*fields[i]);
    *fields[i] = r->texts[i];
    whole = whole && r->texts[i] != NULL;
  }
  return whole;
}

static void unref(struct fog_redis *r) {
  if (atomic_fetch_sub(&r->refs, 1) != 1) return;
  struct fog_redis_command *c;
  while ((c = fog_redis_commands_take(&r->inbox)) != NULL) fog_redis_command_free(c);
  free_options(r);
  fog_wake_close(&r->wake);
  (void)pthread_mutex_destroy(&r->lock);
  r->port.unref(r->port.queue);
  free(r);
}

struct fog_redis *fog_redis_new(const struct fog_port *port, const struct fog_redis_options *options) {
  struct fog_redis *r = calloc(1, sizeof *r);
  if (r == NULL) return NULL;
  if (!copy_options(r, options) || fog_wake_open(&r->wake) != 0) {
    free_options(r);
    free(r);
    return NULL;
  }
  atomic_init(&r->refs, 1);
  r->pid = getpid();
  r->port = *port;
  (void)port->ref(port->queue);
  (void)pthread_mutex_init(&r->lock, NULL);
  fog_redis_commands_init(&r->inbox);
  fog_redis_commands_init(&r->waiting);
  fog_redis_commands_init(&r->connection.in_flight);
  return r;
}

bool fog_redis_forked(const struct fog_redis *r) { return getpid() != r->pid; }

static void *drive(void *arg);

static bool start(struct fog_redis *r) {
  if (r->started) return true;
  pthread_t thread;
  (void)atomic_fetch_add(&r->refs, 1);
  if (r->port.thread(&thread, drive, r) != 0) {
    (void)atomic_fetch_sub(&r->refs, 1);
    return false;
  }
  (void)pthread_detach(thread);
  r->started = true;
  return true;
}

enum fog_error fog_redis_submit(struct fog_redis *r, uint64_t id, int argc, const char **argv, const size_t *lens) {
  if (atomic_load(&r->count) >= MAX_COMMANDS) return FOG_EFULL;
  struct fog_redis_command *c = fog_redis_command_new(id, argc, argv, lens);
  if (c == NULL) return FOG_ENOMEMORY;
  if (!start(r)) {
    fog_redis_command_free(c);
    return FOG_ENOTHREAD;
  }
  c->by = fog_redis_now_ms() + r->options.timeout_ms;
  (void)atomic_fetch_add(&r->count, 1);
  (void)pthread_mutex_lock(&r->lock);
  fog_redis_commands_add(&r->inbox, c);
  fog_wake_signal(&r->wake);
  (void)pthread_mutex_unlock(&r->lock);
  return FOG_OK;
}

void fog_redis_close(struct fog_redis *r) {
  atomic_store(&r->stop, true);
  (void)pthread_mutex_lock(&r->lock);
  fog_wake_signal(&r->wake);
  (void)pthread_mutex_unlock(&r->lock);
  unref(r);
}

/* Thread --------------------------------------------------------------------------------------------------------- */

static void hand_back(void *arg, struct fog_redis_command *c) {
  struct fog_redis *r = arg;
  (void)atomic_fetch_sub(&r->count, 1);
  r->port.push(r->port.queue, &c->event);
}

static void take_inbox(struct fog_redis *r) {
  (void)pthread_mutex_lock(&r->lock);
  fog_wake_clear(&r->wake);
  fog_redis_commands_move(&r->waiting, &r->inbox);
  (void)pthread_mutex_unlock(&r->lock);
}

static void fail_all(struct fog_redis *r, struct fog_redis_commands *list, const char *kind, const char *text,
                     bool sent) {
  struct fog_redis_command *c;
  while ((c = fog_redis_commands_take(list)) != NULL) {
    if (c->own) {
      fog_redis_command_free(c);
      continue;
    }
    fog_redis_command_fail(c, kind, text, sent);
    hand_back(r, c);
  }
}

/* Longer from failure to failure, and not the same for all that lost one server at once. */
static long long backoff(const struct fog_redis *r, long long now) {
  if (r->failures == 0) return 0;
  long long longest = (long long)FIRST_BACKOFF_MS << (r->failures < 5 ? r->failures - 1 : 4);
  if (longest > MAX_BACKOFF_MS) longest = MAX_BACKOFF_MS;
  return longest / 2 + (now * 7919 + r->pid) % (longest / 2 + 1);
}

/* The server is away, for this reason: all that waits ends with it. One that was there and hung up may have been
 * restarted, and is called again at once; one that is silent is not. */
static void give_up(struct fog_redis *r, const char *kind, const char *reason) {
  long long now = fog_redis_now_ms();
  bool hung_up = r->connection.answered && strcmp(kind, "timeout") != 0;
  r->failures = hung_up ? 0 : r->failures + 1;
  r->connection.answered = false;
  r->not_before = now + backoff(r, now);
  r->kind = kind;
  (void)snprintf(r->reason, sizeof r->reason, "%s", reason);
  fog_redis_connection_close(&r->connection);
  fail_all(r, &r->connection.in_flight, kind, r->reason, true);
  fail_all(r, &r->waiting, kind, r->reason, false);
}

static bool is_stopped(void *arg) { return atomic_load(&((struct fog_redis *)arg)->stop); }

static void connect_now(struct fog_redis *r) {
  struct fog_redis_place place = {.host = r->options.host, .port = r->options.port, .path = r->options.path};
  char why[FOG_REDIS_REASON];
  int fd = fog_redis_dial(&place, r->options.timeout_ms, is_stopped, r, why, sizeof why);
  if (fd < 0) {
    give_up(r, "network", why);
  } else if (!fog_redis_connection_open(&r->connection, fd, &r->options)) {
    give_up(r, r->connection.kind, r->connection.reason);
  }
}

/* Moves what waits onto the connection, which is made for it. */
static void feed(struct fog_redis *r) {
  if (r->waiting.head == NULL) return;
  if (r->connection.context == NULL) {
    if (fog_redis_now_ms() < r->not_before) {
      fail_all(r, &r->waiting, r->kind, r->reason, false);
      return;
    }
    connect_now(r);
  }
  struct fog_redis_command *c;
  while (r->connection.up && (c = fog_redis_commands_take(&r->waiting)) != NULL) {
    c->by = fog_redis_now_ms() + r->options.timeout_ms;
    if (fog_redis_connection_send(&r->connection, c)) continue;
    give_up(r, r->connection.kind, r->connection.reason);
    return;
  }
}

/* What is first in line is oldest. */
static int time_left(const struct fog_redis *r) {
  const struct fog_redis_command *first = r->connection.in_flight.head;
  if (r->connection.context == NULL || first == NULL) return IDLE_MS;
  long long left = first->by - fog_redis_now_ms();
  if (left <= 0) return 0;
  return r->connection.stalled && left > STALL_MS ? STALL_MS : (int)left;
}

static void wait_and_serve(struct fog_redis *r) {
  struct pollfd p[2] = {{.fd = r->wake.read_fd, .events = POLLIN}, {.fd = -1}};
  struct fog_redis_connection *c = &r->connection;
  if (c->context != NULL)
    p[1] = (struct pollfd){.fd = fog_redis_connection_fd(c), .events = fog_redis_connection_events(c)};
  (void)poll(p, 2, time_left(r));
  if (c->context == NULL) return;
  if (!fog_redis_connection_serve(c, hand_back, r)) {
    bool idle = c->in_flight.head == NULL && c->answered; /* nobody lost anything: the next command connects */
    if (!idle) give_up(r, c->kind, c->reason);
    fog_redis_connection_close(c);
  } else if (c->in_flight.head != NULL && c->in_flight.head->by <= fog_redis_now_ms()) {
    give_up(r, "timeout", "it does not answer in time");
  } else if (c->leaving && c->in_flight.head == NULL) {
    fog_redis_connection_close(c);
  }
  if (c->answered) r->failures = 0;
}

static void *drive(void *arg) {
  struct fog_redis *r = arg;
  for (;;) {
    take_inbox(r);
    if (atomic_load(&r->stop)) break; /* only now: the wake-up that said so may just have been cleared */
    feed(r);
    wait_and_serve(r);
  }
  struct fog_redis_command *c;
  fog_redis_connection_close(&r->connection);
  while ((c = fog_redis_commands_take(&r->connection.in_flight)) != NULL) fog_redis_command_free(c);
  while ((c = fog_redis_commands_take(&r->waiting)) != NULL) fog_redis_command_free(c);
  unref(r);
  return NULL;
}
