/* SPDX-License-Identifier: MIT
 *
 * The filters are put on one by one, each when the one below has shaken hands. An event of the socket goes to whatever
 * is the highest then. The owner is told from the loop alone: what it must hear without an event comes by an errand.
 */
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial.h"
#include "filter.h"
#include "resolver.h"
#include "tls_context.h"

enum { NAME_TEXT = 320, LINGER_MS = 1000, LINGER_BYTES = 65536 };

enum state { DIALLING, SHAKING, OPEN, FAILED, LINGERING, CLOSED };

enum stage { BARE, PROXY, TLS, WEBSOCKET, ALL }; /* which filters are on; each has its turn, asked for or not */

struct fog_connection {
  struct fog_socket socket; /* its watch's container: of_watch */
  struct fog_layer *top;
  struct fog_loop *loop;
  const struct fog_connection_options *o;
  const struct fog_connection_owner *events;
  void *owner;
  enum state state;
  enum stage stage;
  bool rests; /* the owner's: fog_connection_reading */
  bool owes;  /* a write took less than all */
  bool again; /* more can be read though the socket may say nothing */
  bool hung;  /* the system says that it is broken; it is not watched any more, since it would say so for ever */
  bool ended; /* a read has told the end */
  bool tell_posted;
  unsigned user_timeout_ms;
  int linger_left;
  struct fog_dial *dial;
  struct fog_errand tell, bury;
  struct fog_timer linger;
  char address[FOG_ADDRESS_TEXT];
};

#define CONTAINER(pointer, member) \
  ((struct fog_connection *)((char *)(pointer) - (offsetof(struct fog_connection, member))))

/* --- errors --- */

/* Whom it talks to: the host, and behind a proxy whether it is that. */
static void where(const struct fog_connection *c, enum fog_connection_kind kind, char *text, size_t capacity) {
  const struct fog_connection_options *o = c->o;
  char name[NAME_TEXT];
  bool proxy = kind == FOG_CONNECTION_PROXY, at_address = proxy || o->proxy_host == NULL;
  const char *host = proxy ? o->proxy_host : o->host;
  fog_dial_name(host, proxy ? o->proxy_port : o->port, name, sizeof name);
  at_address = at_address && c->address[0] != '\0' && strcmp(c->address, host) != 0;
  (void)snprintf(text, capacity, at_address ? "%s%s (%s)" : "%s%s", proxy ? "proxy " : "", name, c->address);
}

/* Puts that before a filter's reason. What is wrong with an option is so wherever the other side is. */
static void name_error(const struct fog_connection *c, struct fog_connection_error *error) {
  char name[NAME_TEXT + FOG_ADDRESS_TEXT + 16], reason[sizeof error->text];
  if (error->kind == FOG_CONNECTION_LOCAL) return;
  where(c, error->kind, name, sizeof name);
  memcpy(reason, error->text, sizeof reason);
  (void)fog_connection_fail(error, error->kind, error->final, "%s: %s", name, reason);
}

/* --- what is watched, what is told --- */

static void watch(struct fog_connection *c) {
  bool reads = c->state == SHAKING || (!c->rests && !c->ended) || c->socket.wants_read;
  if (c->hung) return;
  (void)fog_loop_watch(c->loop, &c->socket.watch,
                       (reads ? FOG_READABLE : 0u) | (c->socket.full && c->socket.broken == 0 ? FOG_WRITABLE : 0u));
}

static void tell_later(struct fog_connection *c) {
  if (c->tell_posted) return;
  c->tell_posted = true;
  fog_loop_defer(c->loop, &c->tell);
}

static void tell_readable(struct fog_connection *c) {
  if (c->hung) c->socket.dry = false; /* nobody says any more that something has come */
  c->events->readable(c->owner);
  if (c->state != OPEN) return;
  fog_socket_read_done(&c->socket);
  if (!c->rests && !c->ended && (c->again || c->hung)) tell_later(c);
}

static void on_tell(struct fog_errand *errand) {
  struct fog_connection *c = CONTAINER(errand, tell);
  c->tell_posted = false;
  if (c->state == OPEN && (!c->rests || c->hung || c->socket.broken != 0)) tell_readable(c);
}

static void drop_filters(struct fog_connection *c) {
  while (c->top != NULL) {
    struct fog_layer *l = c->top;
    c->top = l->below;
    l->does->forget(l);
  }
}

static void drop_socket(struct fog_connection *c) {
  if (c->socket.watch.fd < 0) return;
  fog_loop_unwatch(c->loop, &c->socket.watch);
  (void)close(c->socket.watch.fd);
  c->socket.watch.fd = -1;
}

static void give_up(struct fog_connection *c, struct fog_connection_error *error) {
  name_error(c, error);
  c->state = FAILED;
  drop_filters(c);
  drop_socket(c);
  c->events->failed(c->owner, error);
}

/* --- the way up --- */

/* Takes a proxy's filter off: what it was for is done. */
static void take_off_proxy(struct fog_connection *c) {
  struct fog_layer *proxy = c->top;
  if (c->stage != PROXY || proxy->below == NULL) return;
  c->top = proxy->below;
  proxy->does->forget(proxy);
}

/* Puts the next filter on. 1: there is one, or none was asked for at this stage; 0: all are on; -1: *error. */
static int next_filter(struct fog_connection *c, struct fog_connection_error *error) {
  struct fog_layer *l = c->top;
  take_off_proxy(c);
  c->stage++;
  if (c->stage == PROXY && c->o->proxy_host != NULL) l = fog_proxy_new(c->top, c->o, error);
  if (c->stage == TLS) l = c->o->tls ? fog_tls_new(c->top, c->o, error) : c->top;
  if (c->stage == WEBSOCKET) l = c->o->websocket ? fog_websocket_new(c->top, c->o, error) : c->top;
  if (l == NULL) return -1;
  c->top = l;
  return c->stage < ALL;
}

static int shake(struct fog_connection *c, struct fog_connection_error *error) {
  return c->top->does->shake == NULL ? 1 : c->top->does->shake(c->top, error);
}

static void climb(struct fog_connection *c) {
  struct fog_connection_error error;
  int rc;
  while ((rc = shake(c, &error)) > 0 && (rc = next_filter(c, &error)) > 0) continue;
  if (rc < 0) {
    give_up(c, &error);
  } else if (c->stage == ALL) {
    c->state = OPEN;
    c->again = c->top->does->more != NULL && c->top->does->more(c->top);
    c->events->opened(c->owner);
    if (c->state == OPEN && c->again && !c->rests) tell_later(c);
  }
}

static void writable(struct fog_connection *c) {
  struct fog_connection_error ignored; /* a read tells what is wrong */
  (void)fog_socket_writable(&c->socket, &ignored);
  if (!c->socket.full && c->top->does->writable != NULL) (void)c->top->does->writable(c->top, &ignored);
}

static void drain(struct fog_connection *c);

static void on_ready(struct fog_watch *socket, unsigned events) {
  struct fog_connection *c = CONTAINER(socket, socket.watch);
  c->socket.dry = false;
  c->socket.wants_read = false;
  if (events & FOG_WRITABLE) writable(c);
  if (c->state == LINGERING) {
    drain(c);
    return;
  }
  if (events & FOG_HANGUP && c->rests && c->state == OPEN) {
    fog_loop_unwatch(c->loop, &c->socket.watch);
    c->hung = true;
  }
  if (c->state == SHAKING) {
    climb(c);
    fog_socket_read_done(&c->socket);
  } else if (c->state == OPEN && events & (FOG_READABLE | FOG_HANGUP) && (!c->rests || c->hung)) {
    tell_readable(c);
  }
  if (c->state == OPEN && c->owes && !c->socket.full) {
    c->owes = false;
    c->events->writable(c->owner);
  }
  if (c->state == SHAKING || c->state == OPEN) watch(c);
}

static void set_user_timeout(const struct fog_connection *c) {
#ifdef TCP_USER_TIMEOUT
  if (c->socket.watch.fd >= 0)
    (void)setsockopt(c->socket.watch.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &c->user_timeout_ms, sizeof c->user_timeout_ms);
#else
  (void)c;
#endif
}

static void on_dialled(void *owner, int fd, const char *address, const struct fog_connection_error *error) {
  struct fog_connection *c = owner;
  struct fog_connection_error local;
  c->dial = NULL;
  if (fd < 0) {
    c->state = FAILED;
    c->events->failed(c->owner, error);
    return;
  }
  (void)snprintf(c->address, sizeof c->address, "%s", address);
  fog_socket_init(&c->socket, c->loop, fd);
  c->socket.watch.ready = on_ready;
  c->top = &c->socket.layer;
  c->state = SHAKING;
  if (c->user_timeout_ms != 0) set_user_timeout(c);
  if (fog_loop_watch(c->loop, &c->socket.watch, FOG_READABLE)) {
    climb(c);
    if (c->state == SHAKING || c->state == OPEN) watch(c);
    return;
  }
  (void)fog_connection_fail(&local, FOG_CONNECTION_LOCAL, false, "the socket cannot be watched: no memory");
  give_up(c, &local);
}

static void on_bury(struct fog_errand *errand) { free(CONTAINER(errand, bury)); }

struct fog_connection *fog_connection_open(struct fog_loop *loop, const struct fog_connection_options *o,
                                           const struct fog_connection_owner *events, void *owner) {
  struct fog_connection *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  bool proxy = o->proxy_host != NULL;
  c->loop = loop;
  c->o = o;
  c->events = events;
  c->owner = owner;
  c->socket.watch.fd = -1;
  c->tell.run = on_tell;
  c->bury.run = on_bury;
  c->dial = fog_dial_start(loop, proxy ? "proxy " : "", proxy ? o->proxy_host : o->host,
                           proxy ? o->proxy_port : o->port, on_dialled, c);
  if (c->dial != NULL) return c;
  free(c);
  return NULL;
}

/* --- while it is open --- */

ssize_t fog_connection_read(struct fog_connection *c, char *to, size_t len, struct fog_connection_error *error) {
  if (c->state != OPEN) return 0;
  ssize_t n = c->top->does->read(c->top, to, len, error);
  if (n >= 0) {
    c->again = c->top->does->more != NULL && c->top->does->more(c->top);
    return n;
  }
  c->ended = true;
  fog_loop_unwatch(c->loop, &c->socket.watch);
  c->hung = true;
  name_error(c, error);
  return -1;
}

ssize_t fog_connection_write(struct fog_connection *c, const struct iovec *parts, int count,
                             struct fog_connection_error *error) {
  size_t all = 0;
  if (c->state != OPEN) return 0;
  for (int i = 0; i < count; i++) all += parts[i].iov_len;
  ssize_t n = c->top->does->write(c->top, parts, count, error);
  if (n < 0) {
    name_error(c, error);
    return -1;
  }
  c->owes = (size_t)n < all;
  if (c->socket.broken != 0) tell_later(c);
  watch(c);
  return n;
}

void fog_connection_reading(struct fog_connection *c, bool on) {
  c->rests = !on;
  if (c->state != OPEN) return;
  if (on && !c->ended && (c->again || c->hung)) tell_later(c);
  watch(c);
}

void fog_connection_user_timeout(struct fog_connection *c, unsigned ms) {
  c->user_timeout_ms = ms;
  set_user_timeout(c);
}

bool fog_connection_flushed(struct fog_connection *c, long *unsent) {
  long in_system = c->socket.watch.fd < 0 ? 0 : fog_socket_unsent(&c->socket);
  if (unsent != NULL) *unsent = in_system;
  return c->socket.kept == NULL && in_system <= 0;
}

void fog_connection_doing(const struct fog_connection *c, char *text, size_t capacity) {
  char name[NAME_TEXT + FOG_ADDRESS_TEXT + 16];
  if (c->dial != NULL) {
    fog_dial_doing(c->dial, text, capacity);
    return;
  }
  bool shakes = c->state == SHAKING && c->top->does->doing != NULL;
  where(c, c->state == SHAKING && c->stage == PROXY ? FOG_CONNECTION_PROXY : FOG_CONNECTION_NETWORK, name, sizeof name);
  (void)snprintf(text, capacity, "%s %s", shakes ? c->top->does->doing : "connected to", name);
}

/* --- the end --- */

static void bury(struct fog_connection *c) {
  fog_loop_clear_timer(c->loop, &c->linger);
  drop_socket(c);
  if (c->socket.layer.does != NULL) c->socket.layer.does->forget(&c->socket.layer);
  c->state = CLOSED;
  fog_loop_defer(c->loop, &c->bury);
}

/* Once all is sent, says that nothing follows. */
static void say_end(struct fog_connection *c) {
  if (!c->socket.full) (void)shutdown(c->socket.watch.fd, SHUT_WR);
  (void)fog_loop_watch(c->loop, &c->socket.watch, FOG_READABLE | (c->socket.full ? FOG_WRITABLE : 0u));
}

/* Reads what comes into nowhere. From the loop alone: whoever closes may be at work in the scratch buffer. */
static void drain(struct fog_connection *c) {
  ssize_t n = recv(c->socket.watch.fd, fog_loop_scratch(c->loop), FOG_LOOP_SCRATCH, MSG_DONTWAIT);
  if (n > 0) c->linger_left -= (int)n;
  bool over = n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  if (over || c->linger_left <= 0 || c->socket.broken != 0) {
    bury(c);
  } else {
    say_end(c);
  }
}

static void on_linger(struct fog_timer *timer) { bury(CONTAINER(timer, linger)); }

static bool begin_linger(struct fog_connection *c) {
  if (c->socket.watch.fd < 0 || c->ended || c->socket.broken != 0) return false;
  c->linger.fire = on_linger;
  c->linger_left = LINGER_BYTES;
  if (!fog_loop_set_timer(c->loop, &c->linger, fog_loop_now(c->loop) + LINGER_MS)) return false;
  c->state = LINGERING;
  say_end(c);
  return true;
}

void fog_connection_close(struct fog_connection *c, bool linger) {
  bool open = c->state == OPEN;
  if (c->dial != NULL) fog_dial_cancel(c->dial);
  c->dial = NULL;
  c->state = CLOSED;
  for (struct fog_layer *l = open ? c->top : NULL; l != NULL; l = l->below) {
    if (l->does->leave != NULL) l->does->leave(l);
  }
  while (c->top != NULL && c->top->below != NULL) {
    struct fog_layer *l = c->top;
    c->top = l->below;
    l->does->forget(l);
  }
  if (linger && open && begin_linger(c)) return;
  bury(c);
}

void fog_connection_forget(void) {
  fog_resolver_forget();
  fog_tls_forget();
}
