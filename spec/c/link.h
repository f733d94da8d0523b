/* SPDX-License-Identifier: MIT
 *
 * For the tests of src/mqtt/connection.c and its filters: an owner of one connection that notes what it is told, and
 * listeners on ::1 and 127.0.0.1. The loop runs in the test's own thread, until what is waited for has come or 10 s
 * have passed.
 */
#ifndef FOG_LINK_H
#define FOG_LINK_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../src/mqtt/connection.h"
#include "tap.h"

struct link {
  struct fog_connection *c;
  int opened, failed, readable, writable;
  bool ended;     /* read gave -1 */
  bool keeps_off; /* `readable` is counted and nothing read */
  size_t piece;   /* how much one read asks for; 0: all there is room for */
  char *got;
  size_t len, room;
  struct fog_connection_error error;
};

static struct fog_loop *loop;

static inline void link_opened(void *owner) { ((struct link *)owner)->opened++; }
static inline void link_writable(void *owner) { ((struct link *)owner)->writable++; }

static inline void link_read(struct link *l) {
  static char bytes[FOG_LOOP_SCRATCH];
  size_t asked = l->piece == 0 ? sizeof bytes : l->piece;
  ssize_t n = fog_connection_read(l->c, bytes, asked, &l->error);
  if (n > (ssize_t)asked) check(false, "a read gives no more than it was asked for");
  l->ended = n < 0;
  if (n <= 0) return;
  if (l->len + (size_t)n > l->room) l->got = realloc(l->got, l->room = 2 * (l->len + (size_t)n));
  if (l->got == NULL) exit(1);
  memcpy(l->got + l->len, bytes, (size_t)n);
  l->len += (size_t)n;
}

static inline void link_readable(void *owner) {
  struct link *l = owner;
  l->readable++;
  if (!l->keeps_off) link_read(l);
}

static inline void link_failed(void *owner, const struct fog_connection_error *error) {
  struct link *l = owner;
  l->failed++;
  l->error = *error;
}

static inline void link_open(struct link *l, const struct fog_connection_options *o) {
  static const struct fog_connection_owner events = {link_opened, link_readable, link_writable, link_failed};
  size_t piece = l->piece;
  *l = (struct link){.piece = piece};
  l->c = fog_connection_open(loop, o, &events, l);
  if (l->c == NULL) exit(1);
}

static inline void link_close(struct link *l, bool linger) {
  if (l->c != NULL) fog_connection_close(l->c, linger);
  fog_loop_turn(loop, 0);
  free(l->got);
  l->c = NULL;
  l->got = NULL;
}

static inline double now_s(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Turns the loop until the condition holds; false where it does not within 10 s (longer under a checker). */
#define UNTIL(condition)                                              \
  ({                                                                  \
    double until_ = now_s() + 20;                                     \
    while (!(condition) && now_s() < until_) fog_loop_turn(loop, 20); \
    (condition);                                                      \
  })

/* Writes all of it, turning the loop where there is no room. */
static inline bool link_write(struct link *l, const void *bytes, size_t len) {
  const char *at = bytes;
  while (len > 0) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)at, .iov_len = len};
    int before = l->writable;
    ssize_t n = fog_connection_write(l->c, &part, 1, &l->error);
    if (n < 0) return false;
    at += n;
    len -= (size_t)n;
    if (len > 0 && !UNTIL(l->writable != before || l->ended)) return false;
    if (l->ended) return false;
  }
  return true;
}

static inline bool says(const struct link *l, const char *text) {
  bool found = strstr(l->error.text, text) != NULL;
  if (!found) printf("# it says: %s\n", l->error.text);
  return found;
}

/* A listener on address (of either family); *port 0: any. */
static inline int listen_at(const char *address, int *port, int backlog) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)*port)};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
  bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
  if (!is_six) (void)inet_pton(AF_INET, address, &four.sin_addr);
  const struct sockaddr *a = is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;
  socklen_t len = is_six ? sizeof six : sizeof four;
  int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, a, len) != 0 || listen(fd, backlog) != 0) {
    (void)close(fd);
    return -1;
  }
  (void)getsockname(fd, (struct sockaddr *)(is_six ? (void *)&six : (void *)&four), &len);
  *port = ntohs(is_six ? six.sin6_port : four.sin_port);
  return fd;
}

/* What the other side has to say, in a thread of its own: run(peer's socket, arg), which closes it. */
struct peer {
  int listener, port;
  void (*run)(int fd, void *arg);
  void *arg;
  pthread_t thread;
};

static inline void *peer_thread(void *arg) {
  struct peer *p = arg;
  sigset_t all; /* OpenSSL's sockets raise SIGPIPE; whoever else does ends the test */
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
  int fd = accept(p->listener, NULL, NULL);
  if (fd >= 0) p->run(fd, p->arg);
  return NULL;
}

static inline void peer_start(struct peer *p, const char *address, void (*run)(int, void *), void *arg) {
  p->port = 0;
  p->listener = listen_at(address, &p->port, 64);
  p->run = run;
  p->arg = arg;
  if (p->listener < 0 || pthread_create(&p->thread, NULL, peer_thread, p) != 0) exit(1);
}

static inline void peer_end(struct peer *p) {
  (void)shutdown(p->listener, SHUT_RDWR);
  (void)pthread_join(p->thread, NULL);
  (void)close(p->listener);
}

/* The descriptor of ours whose peer listens at this port. */
static inline int find_socket(int port) {
  for (int fd = 3; fd < 256; fd++) {
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;
    if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET && ntohs(a.sin_port) == port)
      return fd;
  }
  return -1;
}

/* Bytes that tell their places. */
static inline char *pattern(size_t len) {
  char *bytes = malloc(len);
  if (bytes == NULL) exit(1);
  for (size_t i = 0; i < len; i++) bytes[i] = (char)(i * 7 + i / 256);
  return bytes;
}

/* --- one of them --- */

static struct link me;
static struct fog_connection_options options;

/* Opens to a listener of this test's and accepts there. */
static inline int open_to(int listener, int port, const char *host) {
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)host, .port = (uint16_t)port};
  link_open(&me, &options);
  if (!UNTIL(me.opened || me.failed) || me.failed) {
    printf("# %s\n", me.error.text);
    return -1;
  }
  return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static inline bool fails(const char *host, int port) {
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)host, .port = (uint16_t)port};
  link_open(&me, &options);
  bool failed = UNTIL(me.failed) && me.opened == 0 && me.failed == 1;
  link_close(&me, false);
  return failed;
}

static inline bool does(const char *text) {
  char doing[256];
  fog_connection_doing(me.c, doing, sizeof doing);
  return strstr(doing, text) != NULL;
}

#endif
