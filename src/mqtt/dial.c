/* SPDX-License-Identifier: MIT */
#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter.h"
#include "resolver.h"

enum { NAME_TEXT = 320 };

struct attempt {
  struct fog_watch watch; /* first; fd -1: not begun, or over */
  struct fog_dial *dial;
  const struct addrinfo *to;
  int error; /* errno of its end */
};

struct fog_dial {
  struct fog_loop *loop;
  struct fog_timer next; /* first the beginning, then the next attempt */
  struct fog_lookup *lookup;
  struct addrinfo *list;
  int count, begun, running;
  fog_dial_done *done;
  void *owner;
  const char *what, *host;
  uint16_t port;
  struct attempt attempts[FOG_DIAL_ADDRESSES];
};

void fog_dial_name(const char *host, uint16_t port, char *text, size_t capacity) {
  (void)snprintf(text, capacity, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

static void name_of(const struct attempt *a, char text[FOG_ADDRESS_TEXT]) {
  if (getnameinfo(a->to->ai_addr, a->to->ai_addrlen, text, FOG_ADDRESS_TEXT, NULL, 0, NI_NUMERICHOST) != 0)
    (void)snprintf(text, FOG_ADDRESS_TEXT, "?");
}

/* --- the end --- */

static void stop(struct fog_dial *d, struct attempt *a) {
  if (a->watch.fd < 0) return;
  fog_loop_unwatch(d->loop, &a->watch);
  (void)close(a->watch.fd);
  a->watch.fd = -1;
  d->running--;
}

void fog_dial_cancel(struct fog_dial *d) {
  if (d->lookup != NULL) fog_resolver_cancel(d->lookup);
  fog_loop_clear_timer(d->loop, &d->next);
  for (int i = 0; i < d->begun; i++) stop(d, &d->attempts[i]);
  if (d->list != NULL) freeaddrinfo(d->list);
  free(d);
}

static void finish(struct fog_dial *d, int fd, const char *address, const struct fog_connection_error *error) {
  fog_dial_done *done = d->done;
  void *owner = d->owner;
  fog_dial_cancel(d);
  done(owner, fd, address, error);
}

/* "localhost:1 (::1, 127.0.0.1): Connection refused; (192.0.2.1): No route to host" */
static void fail(struct fog_dial *d) {
  struct fog_connection_error error;
  char name[NAME_TEXT], address[FOG_ADDRESS_TEXT], text[sizeof error.text];
  size_t at = 0;
  fog_dial_name(d->host, d->port, name, sizeof name);
  at = (size_t)snprintf(text, sizeof text, "%s%s", d->what, name);
  for (int i = 0; i < d->begun && at < sizeof text; i++) {
    bool first = i == 0 || d->attempts[i - 1].error != d->attempts[i].error;
    bool last = i + 1 == d->begun || d->attempts[i + 1].error != d->attempts[i].error;
    name_of(&d->attempts[i], address);
    bool said = strcmp(address, d->host) == 0; /* the host is an address */
    at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s%s%s", first && i > 0 ? ";" : "",
                           said    ? ""
                           : first ? " ("
                                   : ", ",
                           said ? "" : address, said || !last ? "" : ")", last ? ": " : "");
    if (last && at < sizeof text)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s", strerror(d->attempts[i].error));
  }
  (void)fog_connection_fail(&error, FOG_CONNECTION_NETWORK, false, "%s", text);
  finish(d, -1, NULL, &error);
}

static void fail_name(struct fog_dial *d, int code, int system) {
  struct fog_connection_error error;
  const char *reason = code == EAI_SYSTEM ? strerror(system) : gai_strerror(code);
  bool unknown = code == EAI_NONAME;
#ifdef EAI_NODATA
  unknown = unknown || code == EAI_NODATA;
#endif
  (void)fog_connection_fail(&error, FOG_CONNECTION_NETWORK, unknown, "%s%s: %s (%s)", d->what, d->host,
                            unknown ? "the name does not exist" : "the name could not be looked up", reason);
  finish(d, -1, NULL, &error);
}

/* --- an attempt --- */

static void win(struct attempt *a) {
  struct fog_dial *d = a->dial;
  int fd = a->watch.fd;
  char address[FOG_ADDRESS_TEXT];
  name_of(a, address);
  fog_loop_unwatch(d->loop, &a->watch);
  a->watch.fd = -1;
  d->running--;
  finish(d, fd, address, NULL);
}

static void go_on(struct fog_dial *d);

static void on_ready(struct fog_watch *watch, unsigned events) {
  struct attempt *a = (struct attempt *)watch;
  struct fog_dial *d = a->dial;
  socklen_t len = sizeof a->error;
  (void)events;
  if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &a->error, &len) != 0) a->error = errno;
  if (a->error == 0) {
    win(a);
    return;
  }
  stop(d, a);
  go_on(d);
}

/* Non-blocking, close-on-exec, without Nagle's algorithm. -1: errno. */
static int open_socket(int family) {
  const int on = 1;
#ifdef SOCK_CLOEXEC
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
#else
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  (void)fcntl(fd, F_SETFL, O_NONBLOCK);
#endif
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
#ifdef SO_NOSIGPIPE
  (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  return fd;
}

/* Whether it has begun. Where it is over at once, a->error says how; 0: it is connected. */
static bool begin(struct attempt *a) {
  struct fog_dial *d = a->dial;
  a->watch.fd = open_socket(a->to->ai_family);
  a->watch.ready = on_ready;
  a->error = errno;
  if (a->watch.fd < 0) return false;
  d->running++;
  a->error = connect(a->watch.fd, a->to->ai_addr, a->to->ai_addrlen) == 0 ? 0 : errno;
  if (a->error == 0) return false;
  if (a->error == EINPROGRESS || a->error == EINTR) {
    if (fog_loop_watch(d->loop, &a->watch, FOG_WRITABLE)) return true;
    a->error = errno;
  }
  stop(d, a);
  return false;
}

/* The next attempt, and those after it for as long as they fail at once. */
static void go_on(struct fog_dial *d) {
  while (d->begun < d->count) {
    struct attempt *a = &d->attempts[d->begun++];
    if (begin(a)) {
      if (d->begun < d->count) (void)fog_loop_set_timer(d->loop, &d->next, fog_loop_now(d->loop) + FOG_DIAL_STAGGER_MS);
      return;
    }
    if (a->error == 0) {
      win(a);
      return;
    }
  }
  if (d->running == 0) fail(d);
}

static void on_timer(struct fog_timer *timer) {
  go_on((struct fog_dial *)((char *)timer - offsetof(struct fog_dial, next)));
}

/* --- addresses --- */

/* The first address' family begins, and from then on they alternate as long as both last (RFC 8305, 4). */
static void order(struct fog_dial *d, struct addrinfo *list) {
  const struct addrinfo *same = list, *other = list;
  d->list = list;
  for (bool turn = true; d->count < FOG_DIAL_ADDRESSES; turn = !turn) {
    while (same != NULL && same->ai_family != list->ai_family) same = same->ai_next;
    while (other != NULL && other->ai_family == list->ai_family) other = other->ai_next;
    if (same == NULL && other == NULL) return;
    const struct addrinfo **from = other == NULL || (turn && same != NULL) ? &same : &other;
    d->attempts[d->count++] = (struct attempt){.watch.fd = -1, .dial = d, .to = *from};
    *from = (*from)->ai_next;
  }
}

static void on_answer(void *owner, int error, int system, struct addrinfo *list) {
  struct fog_dial *d = owner;
  d->lookup = NULL;
  if (error != 0) {
    fail_name(d, error, system);
    return;
  }
  order(d, list);
  go_on(d);
}

/* An address in figures needs no resolver. */
static bool start(struct fog_dial *d) {
  const struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  struct addrinfo *list;
  char service[8];
  (void)snprintf(service, sizeof service, "%u", (unsigned)d->port);
  if (getaddrinfo(d->host, service, &hints, &list) != 0) {
    d->lookup = fog_resolver_ask(d->loop, d->host, d->port, on_answer, d);
    return d->lookup != NULL;
  }
  order(d, list);
  return fog_loop_set_timer(d->loop, &d->next, fog_loop_now(d->loop));
}

struct fog_dial *fog_dial_start(struct fog_loop *loop, const char *what, const char *host, uint16_t port,
                                fog_dial_done *done, void *owner) {
  struct fog_dial *d = calloc(1, sizeof *d);
  if (d == NULL) return NULL;
  d->loop = loop;
  d->next.fire = on_timer;
  d->what = what;
  d->host = host;
  d->port = port;
  d->done = done;
  d->owner = owner;
  if (start(d)) return d;
  fog_dial_cancel(d);
  return NULL;
}

void fog_dial_doing(const struct fog_dial *d, char *text, size_t capacity) {
  char name[NAME_TEXT], address[FOG_ADDRESS_TEXT] = "";
  for (int i = 0; i < d->begun; i++) {
    if (d->attempts[i].watch.fd >= 0) name_of(&d->attempts[i], address);
  }
  fog_dial_name(d->host, d->port, name, sizeof name);
  if (d->lookup != NULL) {
    (void)snprintf(text, capacity, "looking up %s%s", d->what, d->host);
  } else if (address[0] == '\0' || strcmp(address, d->host) == 0) {
    (void)snprintf(text, capacity, "connecting to %s%s", d->what, name);
  } else {
    (void)snprintf(text, capacity, "connecting to %s%s (%s)", d->what, name, address);
  }
}
