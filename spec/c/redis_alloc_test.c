/* SPDX-License-Identifier: MIT
 *
 * Redis' client without memory: its n-th allocation fails, for each n until a run needs no more; of hiredis 1.0 and
 * later its own, too. A run makes a client with a login, sends commands, and closes it while some wait. Whatever fails,
 * each command that was taken ends, as an answer or as a failure; what comes after it is answered; nothing stays
 * allocated.
 */
#include <hiredis/hiredis.h>
#include <stdatomic.h>

#include "../../src/redis/client.h"
#include "alloc_table.h"
#include "loopback.h"

#if HIREDIS_MAJOR >= 1
#include <hiredis/alloc.h>
#endif

static int listener = -1;
static char port_text[8];

static void check_now(bool ok, const char *what, long n) { check_at(ok, what, n, ""); }

/* The server: it takes each command to have come when its last line has, and knows that by the number of arguments. ---
 */

static bool read_line(int fd, char *line, size_t size) {
  size_t len = 0;
  for (char byte = 0; byte != '\n'; len++)
    if (len + 1 >= size || recv(fd, &byte, 1, 0) != 1)
      return false;
    else
      line[len] = byte;
  line[len] = '\0';
  return true;
}

/* The first three letters of a command, whose arguments are read over; false: the end. */
static bool read_command(int fd, char *word, size_t size) {
  char line[256];
  if (!read_line(fd, line, sizeof line)) return false;
  long count = strtol(line + 1, NULL, 10);
  for (long i = 0; i < count; i++) {
    if (!read_line(fd, line, sizeof line) || !read_line(fd, line, sizeof line)) return false;
    if (i == 0) (void)snprintf(word, size, "%.3s", line);
  }
  return true;
}

static void *serve(void *arg) {
  int fd = (int)(intptr_t)arg;
  char word[16];
  while (read_command(fd, word, sizeof word)) {
    const char *answer = "+PONG\r\n";
    if (strcmp(word, "GET") == 0) answer = "$5\r\nvalue\r\n";
    if (strcmp(word, "DEL") == 0) answer = ":1\r\n";
    if (strcmp(word, "TTL") == 0) answer = "-ERR no\r\n";
    if (strcmp(word, "NOP") == 0) answer = "$-1\r\n";
    if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) break;
  }
  (void)close(fd);
  return NULL;
}

static void *accept_all(void *arg) {
  (void)arg;
  serve_each(listener, serve);
  return NULL;
}

static void start_server(void) {
  int port;
  pthread_t thread;
  listener = listen_somewhere(&port);
  (void)snprintf(port_text, sizeof port_text, "%d", port);
  if (pthread_create(&thread, NULL, accept_all, NULL) != 0) exit(1);
  (void)pthread_detach(thread);
}

/* The engine's side: events in a list. --------------------------------------------------------------------------------
 */

static struct {
  pthread_mutex_t lock;
  struct fog_event *first;
} events = {.lock = PTHREAD_MUTEX_INITIALIZER};
static atomic_int references;

static void push(struct fog_queue *q, struct fog_event *ev) {
  (void)q;
  (void)pthread_mutex_lock(&events.lock);
  ev->next = events.first;
  events.first = ev;
  (void)pthread_mutex_unlock(&events.lock);
}

static struct fog_queue *ref(struct fog_queue *q) {
  (void)atomic_fetch_add(&references, 1);
  return q;
}

static void unref(struct fog_queue *q) {
  (void)q;
  (void)atomic_fetch_sub(&references, 1);
}

static int thread(pthread_t *t, void *(*run)(void *), void *arg) { return pthread_create(t, NULL, run, arg); }

/* The event of this command, waited for; NULL: none came in 20 s. */
static struct fog_event *await(uint64_t id) {
  for (int i = 0; i < 4000; i++) {
    (void)pthread_mutex_lock(&events.lock);
    struct fog_event **at = &events.first, *found;
    while (*at != NULL && (*at)->id != id) at = &(*at)->next;
    found = *at;
    if (found != NULL) *at = found->next;
    (void)pthread_mutex_unlock(&events.lock);
    if (found != NULL) return found;
    (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  }
  return NULL;
}

/* Those of commands that were in flight when their client was closed. */
static void release_rest(void) {
  (void)pthread_mutex_lock(&events.lock);
  while (events.first != NULL) {
    struct fog_event *ev = events.first;
    events.first = ev->next;
    ev->release(ev);
  }
  (void)pthread_mutex_unlock(&events.lock);
}

/* A run. --------------------------------------------------------------------------------------------------------------
 */

static enum fog_error send_word(struct fog_redis *r, uint64_t id, const char *word) {
  const char *argv[] = {word, "key"};
  const size_t lens[] = {strlen(word), 3};
  return fog_redis_submit(r, id, 2, argv, lens);
}

static bool is_answer(const struct fog_event *ev, enum fog_redis_answer code, const char *text) {
  return ev->type == FOG_EV_REPLY && ev->code == (int)code && strcmp(ev->text, text) == 0;
}

/* One command to its end. True: it was answered as it should be. */
static bool ask(struct fog_redis *r, uint64_t id, const char *word, enum fog_redis_answer code, const char *text,
                long n) {
  enum fog_error rc = send_word(r, id, word);
  check_now(rc == FOG_OK || rc == FOG_ENOMEMORY, "a command is taken, or there is no memory", n);
  if (rc != FOG_OK) return false;
  struct fog_event *ev = await(id);
  check_now(ev != NULL, "a command that was taken ends", n);
  if (ev == NULL) return false;
  bool right = is_answer(ev, code, text);
  check_now(right || (ev->type == FOG_EV_FAILURE && ev->name != NULL), "as an answer or a failure", n);
  ev->release(ev);
  return right;
}

/* How many of the commands were answered; -1: there was no client. */
static int run(long n) {
  const struct fog_port port = {
      .version = FOG_PORT_VERSION, .push = push, .ref = ref, .unref = unref, .thread = thread};
  const struct fog_redis_options o = {
      .host = "127.0.0.1", .port = port_text, .user = "u", .password = "p", .database = "1", .timeout_ms = 5000};
  struct fog_redis *r = fog_redis_new(&port, &o);
  if (r == NULL) return -1;
  int answered = ask(r, 1, "GET", FOG_REDIS_VALUE, "value", n) + ask(r, 2, "DEL", FOG_REDIS_VALUE, "1", n) +
                 ask(r, 3, "TTL", FOG_REDIS_REFUSED, "ERR no", n) + ask(r, 4, "NOP", FOG_REDIS_NOTHING, "", n);
  for (uint64_t id = 5; id < 8; id++) (void)send_word(r, id, "GET");
  fog_redis_close(r);
  return answered;
}

/* The client that follows one that had no memory has nothing of that. */
static bool next_is_well(long n) {
  fail_at(0);
  return run(n) == 4;
}

#if HIREDIS_MAJOR >= 1
static void use_failing_memory(void) {
  (void)hiredisSetAllocators(&(hiredisAllocFuncs){.mallocFn = fog_test_malloc,
                                                  .callocFn = fog_test_calloc,
                                                  .reallocFn = fog_test_realloc,
                                                  .strdupFn = fog_test_strdup,
                                                  .freeFn = fog_test_free});
}
#else
static void use_failing_memory(void) {}
#endif

int main(void) {
  use_failing_memory();
  start_server();
  check(run(0) == 4, "with memory, each command is answered");
  (void)all_freed(0);
  release_rest();
  long baseline = live_blocks(), n = 0, need = table.count;
  for (bool more = true; more && n < 10000 && failed == 0; passed++) {
    fail_at(++n);
    (void)run(n);
    (void)all_freed(baseline);
    more = has_failed();
    check_now(next_is_well(n), "what follows is answered", n);
    (void)all_freed(baseline);
    release_rest();
    check_now(all_freed(baseline), "everything is freed", n);
    check_now(atomic_load(&references) == 0, "the queue is let go of", n);
  }
  printf("%ld allocations failed, one after the other (a run makes about %ld)\n", n - 1, need);
  check_now(n > 20, "they were tried", n);
  return finish();
}
