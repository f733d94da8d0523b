/* SPDX-License-Identifier: MIT
 *
 * The thread holds the lock but while it waits in poll; whoever changes something takes the lock and writes a byte to
 * the wake-up pipe. A flow is read only while its out is empty, so a slow reader slows its writer down.
 */
#include "relay.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "now.h"
#include "relay_flow.h"
#include "relay_peer.h"

enum { LISTENERS = 2, MAX_LINKS = 2000, UP = 0, DOWN = 1 };

struct listener {
  int fd, broker_port;
  bool tls;
};

struct link {
  struct fog_peer peer[2]; /* the client, the broker */
  struct fog_flow flow[2]; /* UP: from the client */
  bool over, spared;       /* spared: the rules do not meet it */
};

struct fog_relay {
  struct pollfd fds[1 + LISTENERS + 2 * MAX_LINKS];
  pthread_mutex_t lock;
  pthread_t thread;
  int wake[2];
  bool stop;
  struct fog_relay_rules rules;
  long met;       /* connections that the rules have met */
  uint32_t state; /* of the random numbers */
  SSL_CTX *tls;
  struct listener listeners[LISTENERS];
  int listener_count, link_count;
  struct link *links[MAX_LINKS];
};

const struct fog_relay_rules fog_relay_no_rules = {.connack = -1, .cut_packets = -1, .cut_bytes = -1, .probability = 1};

static void close_link(struct link *l) {
  for (int side = 0; side < 2; side++) {
    fog_peer_close(&l->peer[side]);
    fog_flow_free(&l->flow[side]);
  }
  free(l);
}

/* Whether the rules can spoil anything of a link from here on: a login that was made is not refused any more. */
static bool concern(const struct fog_relay_rules *rules, const struct link *l) {
  bool login = rules->connack >= 0 && fog_flow_version(&l->flow[UP]) == 0;
  return login || rules->silent || rules->cut_packets >= 0 || rules->cut_bytes >= 0 || rules->delay_ms > 0 ||
         rules->puback_delay_ms > 0 || rules->rate > 0 || rules->puback != FOG_PUBACK_PASS;
}

/* Whether the rules meet one more connection. Park and Miller's generator: the same run for the same seed. */
static bool meets(struct fog_relay *r) {
  if (r->rules.count > 0 && r->met >= r->rules.count) return false;
  r->state = (uint32_t)((uint64_t)r->state * 16807 % 2147483647);
  if ((double)r->state / 2147483647.0 >= r->rules.probability) return false;
  r->met++;
  return true;
}

static const struct fog_relay_rules *rules_for(const struct fog_relay *r, const struct link *l) {
  return l->spared ? &fog_relay_no_rules : &r->rules;
}

static int dial(int port) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&in, sizeof in) != 0) {
    (void)close(fd);
    return -1;
  }
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  (void)fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static struct link *make_link(struct fog_relay *r, const struct listener *listener, int client, int broker) {
  struct link *l = calloc(1, sizeof *l);
  if (l == NULL) return NULL;
  l->peer[UP].fd = client;
  l->peer[DOWN].fd = broker;
  l->flow[UP].from_client = true;
  if (!listener->tls || fog_peer_secure(&l->peer[UP], r->tls)) return l;
  SSL_free(l->peer[UP].ssl);
  free(l);
  return NULL;
}

/* Room for the next ones, one per listener and turn: the oldest link that has not logged in goes. Those that only hold
 * a connection lock nobody out. */
static void make_room(struct fog_relay *r) {
  if (r->link_count < MAX_LINKS - LISTENERS) return;
  for (int i = 0; i < r->link_count; i++) {
    struct link *l = r->links[i];
    if (l->over || fog_flow_version(&l->flow[UP]) > 0) continue;
    l->over = true;
    return;
  }
}

static void accept_link(struct fog_relay *r, const struct listener *listener) {
  int one = 1, client = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  bool met = meets(r);
  int broker = (met && r->rules.refuse) || r->link_count == MAX_LINKS ? -1 : dial(listener->broker_port);
  struct link *l = broker < 0 ? NULL : make_link(r, listener, client, broker);
  if (l == NULL) {
    if (broker >= 0) (void)close(broker);
    (void)close(client);
    return;
  }
  (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  l->spared = !met;
  r->links[r->link_count++] = l;
  make_room(r);
}

static void refuse_login(struct fog_relay *r, struct link *l) {
  unsigned char code = (unsigned char)r->rules.connack;
  unsigned char v3[] = {0x20, 2, 0, code}, v5[] = {0x20, 3, 0, code, 0};
  if (fog_flow_version(&l->flow[UP]) == 5)
    (void)fog_peer_write(&l->peer[UP], v5, sizeof v5);
  else
    (void)fog_peer_write(&l->peer[UP], v3, sizeof v3);
  unsigned char rest[4096]; /* what is left unread would make the close a reset, which may overtake the CONNACK */
  while (recv(l->peer[UP].fd, rest, sizeof rest, 0) > 0) continue;
  l->over = true;
}

static void read_side(struct fog_relay *r, struct link *l, int side) {
  unsigned char bytes[FOG_FLOW_READ];
  const struct fog_relay_rules *rules = rules_for(r, l);
  ssize_t n = fog_peer_read(&l->peer[side], bytes, sizeof bytes);
  if (n <= 0) {
    l->over = n < 0;
    return;
  }
  struct fog_flow *f = &l->flow[side];
  double t = fog_now();
  fog_flow_feed(f, bytes, (size_t)n, t, rules);
  f->out_at = t + rules->delay_ms / 1e3;
  if (f->refuse_login) refuse_login(r, l);
}

static void write_side(struct fog_relay *r, struct link *l, int side) {
  struct fog_flow *f = &l->flow[side];
  long rate = rules_for(r, l)->rate;
  size_t want = f->out_len;
  if (want > 0) {
    if (rate > 0 && want > (size_t)rate / 20 + 1) want = (size_t)rate / 20 + 1;
    if (want < l->peer[!side].unsent) want = l->peer[!side].unsent;
    ssize_t n = fog_peer_write(&l->peer[!side], f->out, want);
    if (n < 0) n = (ssize_t)f->out_len; /* nobody is there to take it; a broken peer shows when it is read */
    f->out_len -= (size_t)n;
    memmove(f->out, f->out + n, f->out_len);
    if (rate > 0) f->out_at = fog_now() + (double)n / (double)rate;
  }
  if (f->cut && f->out_len == 0) l->over = true;
}

static void sooner(double *wait, double at, double t) {
  if (at > t && at - t < *wait) *wait = at - t;
}

/* What to wait for on one end of a link: its own flow's input, the other flow's output. Lowers *wait to the time of
 * what is held back. */
static struct pollfd interest(const struct fog_relay *r, struct link *l, int side, double t, double *wait) {
  bool silent = rules_for(r, l)->silent;
  struct pollfd p = {.fd = silent ? -1 : l->peer[side].fd, .events = 0, .revents = 0};
  struct fog_flow *in = &l->flow[side], *out = &l->flow[!side];
  if (silent) return p;
  if (out->held_len > 0) sooner(wait, fog_flow_release(out, t), t);
  if (in->out_len == 0 && !in->cut) p.events |= POLLIN;
  if (out->out_len > 0 && out->out_at <= t) p.events |= POLLOUT;
  if (out->out_len > 0) sooner(wait, out->out_at, t);
  if (p.events == 0) p.fd = -1; /* else a hang-up would keep poll from waiting */
  return p;
}

static int wait_for_work(struct fog_relay *r) {
  double t = fog_now(), wait = 60;
  struct pollfd *fds = r->fds;
  nfds_t n = 0;
  int links = r->link_count;
  fds[n++] = (struct pollfd){.fd = r->wake[0], .events = POLLIN, .revents = 0};
  for (int i = 0; i < LISTENERS; i++)
    fds[n++] = (struct pollfd){.fd = i < r->listener_count ? r->listeners[i].fd : -1, .events = POLLIN, .revents = 0};
  for (int i = 0; i < links; i++) {
    fds[n++] = interest(r, r->links[i], UP, t, &wait);
    fds[n++] = interest(r, r->links[i], DOWN, t, &wait);
  }
  (void)pthread_mutex_unlock(&r->lock);
  (void)poll(fds, n, (int)(wait * 1e3) + 1);
  (void)pthread_mutex_lock(&r->lock);
  return links;
}

static void serve_link(struct fog_relay *r, struct link *l, const struct pollfd *fds) {
  if (rules_for(r, l)->silent) return;
  for (int side = 0; side < 2 && !l->over; side++) {
    const short in = POLLIN | POLLHUP | POLLERR;
    if ((fds[side].revents & in) != 0 && l->flow[side].out_len == 0) read_side(r, l, side);
  }
  double t = fog_now();
  for (int side = 0; side < 2 && !l->over; side++)
    if (l->flow[side].out_at <= t) write_side(r, l, side);
}

static void sweep(struct fog_relay *r) {
  int kept = 0;
  for (int i = 0; i < r->link_count; i++) {
    if (r->links[i]->over)
      close_link(r->links[i]);
    else
      r->links[kept++] = r->links[i];
  }
  r->link_count = kept;
}

static void *run(void *arg) {
  struct fog_relay *r = arg;
  char bytes[64];
  (void)pthread_mutex_lock(&r->lock);
  while (!r->stop) {
    int links = wait_for_work(r);
    if (r->fds[0].revents != 0) (void)!read(r->wake[0], bytes, sizeof bytes);
    for (int i = 0; i < links; i++) serve_link(r, r->links[i], &r->fds[1 + LISTENERS + 2 * i]);
    for (int i = 0; i < r->listener_count; i++)
      if (r->fds[1 + i].revents != 0) accept_link(r, &r->listeners[i]);
    sweep(r);
  }
  (void)pthread_mutex_unlock(&r->lock);
  return NULL;
}

static void wake(struct fog_relay *r) { (void)!write(r->wake[1], "", 1); }

struct fog_relay *fog_relay_new(uint32_t seed) {
  sigset_t all, old;
  struct fog_relay *r = calloc(1, sizeof *r);
  if (r == NULL) return NULL;
  r->rules = fog_relay_no_rules;
  r->state = seed % 2147483646 + 1;
  if (pipe2(r->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
    free(r);
    return NULL;
  }
  (void)pthread_mutex_init(&r->lock, NULL);
  (void)sigfillset(&all); /* signals are the main thread's */
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  int err = pthread_create(&r->thread, NULL, run, r);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (err == 0) return r;
  (void)close(r->wake[0]);
  (void)close(r->wake[1]);
  free(r);
  return NULL;
}

bool fog_relay_tls(struct fog_relay *r, const char *cert, const char *key, const char *client_ca) {
  SSL_CTX *context = fog_peer_context(cert, key, client_ca);
  if (context == NULL) return false;
  (void)pthread_mutex_lock(&r->lock);
  SSL_CTX_free(r->tls);
  r->tls = context;
  (void)pthread_mutex_unlock(&r->lock);
  return true;
}

/* The socket and the port that it got; -1 where that cannot be. */
static int open_listener(const char *address, int *port) {
  struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found = NULL;
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } bound;
  socklen_t len = sizeof bound;
  char name[8];
  memset(&bound, 0, sizeof bound);
  int one = 1, fd = -1;
  (void)snprintf(name, sizeof name, "%d", *port);
  if (getaddrinfo(address, name, &hints, &found) != 0) return -1;
  fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
            bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0 &&
            getsockname(fd, &bound.any, &len) == 0;
  freeaddrinfo(found);
  if (!ok) {
    if (fd >= 0) (void)close(fd);
    return -1;
  }
  *port = ntohs(bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
  return fd;
}

int fog_relay_listen(struct fog_relay *r, const char *address, int port, int broker_port, bool tls) {
  int fd = open_listener(address, &port);
  if (fd < 0) return -1;
  (void)pthread_mutex_lock(&r->lock);
  bool fits = r->listener_count < LISTENERS && (!tls || r->tls != NULL);
  if (fits) r->listeners[r->listener_count++] = (struct listener){fd, broker_port, tls};
  (void)pthread_mutex_unlock(&r->lock);
  if (!fits) (void)close(fd);
  wake(r);
  return fits ? port : -1;
}

void fog_relay_set(struct fog_relay *r, const struct fog_relay_rules *rules) {
  (void)pthread_mutex_lock(&r->lock);
  r->rules = *rules;
  r->met = 0;
  for (int i = 0; i < r->link_count; i++) r->links[i]->spared = !concern(rules, r->links[i]) || !meets(r);
  (void)pthread_mutex_unlock(&r->lock);
  wake(r);
}

long fog_relay_struck(struct fog_relay *r) {
  (void)pthread_mutex_lock(&r->lock);
  long met = r->met;
  (void)pthread_mutex_unlock(&r->lock);
  return met;
}

int fog_relay_kick(struct fog_relay *r, const char *client_id) {
  int n = 0;
  (void)pthread_mutex_lock(&r->lock);
  for (int i = 0; i < r->link_count; i++) {
    if (client_id != NULL && !fog_flow_is(&r->links[i]->flow[UP], client_id)) continue;
    r->links[i]->over = true;
    n++;
  }
  (void)pthread_mutex_unlock(&r->lock);
  wake(r);
  return n;
}

void fog_relay_free(struct fog_relay *r) {
  (void)pthread_mutex_lock(&r->lock);
  r->stop = true;
  (void)pthread_mutex_unlock(&r->lock);
  wake(r);
  (void)pthread_join(r->thread, NULL);
  for (int i = 0; i < r->link_count; i++) close_link(r->links[i]);
  for (int i = 0; i < r->listener_count; i++) (void)close(r->listeners[i].fd);
  (void)close(r->wake[0]);
  (void)close(r->wake[1]);
  SSL_CTX_free(r->tls);
  (void)pthread_mutex_destroy(&r->lock);
  free(r);
}
