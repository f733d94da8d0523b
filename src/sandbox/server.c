/* SPDX-License-Identifier: MIT
 *
 * A complete request suspends its connection and joins two lists: all that are open, and those not taken yet. A reply
 * hangs the response on the request and resumes the connection; libmicrohttpd then asks again, and gets it. Everything
 * happens on the thread that calls run.
 */
#include "server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "now.h"
#include "server_open.h"

/* Above what hangups.h keeps: those that make room are still there for a moment. */
enum { CONNECTION_LIMIT = 2 * FOG_CONNECTIONS, CONNECTION_TIMEOUT_S = 60, BODY_START = 1024 };

static void free_pairs(struct fog_server_pair *p) {
  while (p != NULL) {
    struct fog_server_pair *next = p->next;
    free(p->name);
    free(p->value);
    free(p);
    p = next;
  }
}

static void unready(struct fog_server *s, struct open_request *r) {
  struct fog_server_request **link = &s->ready;
  while (*link != NULL && *link != &r->request) link = &(*link)->next;
  if (*link == NULL) return;
  *link = r->request.next;
  s->ready_tail = &s->ready;
  while (*s->ready_tail != NULL) s->ready_tail = &(*s->ready_tail)->next;
}

static void forget(struct open_request *r) {
  struct fog_server *s = r->server;
  unready(s, r);
  if (s->taken == &r->request) s->taken = NULL;
  if (r->next_open != NULL) r->next_open->prev_open = r->prev_open;
  if (r->prev_open != NULL)
    r->prev_open->next_open = r->next_open;
  else
    s->open = r->next_open;
  if (r->response != NULL) MHD_destroy_response(r->response);
  free_pairs(r->request.headers);
  free_pairs(r->request.query);
  free(r->request.method);
  free(r->request.path);
  free(r->request.body);
  free(r->stream.bytes);
  free(r);
}

static struct fog_peer_watch *watch_of(struct MHD_Connection *c) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == NULL ? NULL : info->socket_context;
}

static void on_connection(void *arg, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode what) {
  struct fog_server *s = arg;
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    *state = fog_hangups_add(&s->hangups, MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
  } else if (*state != NULL) {
    fog_hangups_remove(&s->hangups, *state);
    *state = NULL;
  }
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why) {
  struct open_request *r = *state;
  (void)arg;
  (void)c;
  (void)why;
  if (r == NULL) return;
  if (r->watch != NULL) {
    r->watch->busy = false;
    if (r->hang_up) (void)shutdown(r->watch->fd, SHUT_RDWR);
  }
  forget(r);
  *state = NULL;
}

static enum MHD_Result on_pair(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
  struct fog_server_pair **list = arg;
  struct fog_server_pair *p = calloc(1, sizeof *p);
  (void)kind;
  if (p == NULL) return MHD_NO;
  p->name = strdup(name);
  p->value = value == NULL ? NULL : strdup(value);
  p->next = *list;
  *list = p;
  return p->name == NULL ? MHD_NO : MHD_YES;
}

static struct open_request *begin(struct fog_server *s, struct MHD_Connection *c, const char *method,
                                  const char *path) {
  struct open_request *r = calloc(1, sizeof *r);
  if (r == NULL) return NULL;
  r->server = s;
  r->connection = c;
  r->watch = watch_of(c);
  r->request.method = strdup(method);
  r->request.path = strdup(path);
  r->next_open = s->open;
  if (s->open != NULL) s->open->prev_open = r;
  s->open = r;
  if (r->request.method == NULL || r->request.path == NULL) {
    forget(r);
    return NULL;
  }
  return r;
}

static bool add_body(struct open_request *r, const char *data, size_t n) {
  struct fog_server_request *q = &r->request;
  if (q->too_large || n > FOG_SERVER_MAX_BODY - q->body_len) {
    q->too_large = true;
    return true; /* read to its end, for the peer listens only then */
  }
  if (q->body_len + n + 1 > r->body_cap) {
    size_t want = r->body_cap == 0 ? BODY_START : r->body_cap * 2;
    while (want < q->body_len + n + 1) want *= 2;
    char *grown = realloc(q->body, want);
    if (grown == NULL) return false;
    q->body = grown;
    r->body_cap = want;
  }
  memcpy(q->body + q->body_len, data, n);
  q->body_len += n;
  q->body[q->body_len] = '\0';
  return true;
}

static void complete(struct open_request *r) {
  struct fog_server *s = r->server;
  r->complete = true;
  if (r->watch != NULL) {
    r->request.connection = r->watch->number;
    fog_hangups_use(&s->hangups, r->watch);
  }
  r->request.id = ++s->last_id;
  (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, on_pair, &r->request.headers);
  (void)MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, on_pair, &r->request.query);
  *s->ready_tail = &r->request;
  s->ready_tail = &r->request.next;
  MHD_suspend_connection(r->connection);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version, const char *data, size_t *n, void **state) {
  struct open_request *r = *state;
  (void)version;
  if (r == NULL) {
    *state = begin(arg, c, method, path);
    return *state == NULL ? MHD_NO : MHD_YES;
  }
  if (*n > 0) {
    bool ok = add_body(r, data, *n);
    *n = 0;
    return ok ? MHD_YES : MHD_NO;
  }
  if (!r->complete) {
    complete(r);
    return MHD_YES;
  }
  if (!r->answered) return MHD_YES;
  if (r->cut || r->response == NULL) return MHD_NO;
  return MHD_queue_response(c, r->status, r->response);
}

struct fog_server *fog_server_new(const char *address, uint16_t port, const char *tls_cert, const char *tls_key) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct fog_server *s = calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  s->ready_tail = &s->ready;
  unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls_cert != NULL ? MHD_USE_TLS : 0);
  struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)tls_cert},
                                 {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)tls_key},
                                 {MHD_OPTION_END, 0, NULL}};
  if (tls_cert == NULL) tls[0].option = MHD_OPTION_END;
  if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
    s->daemon = MHD_start_daemon(flags, port, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, &in,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
  if (s->daemon != NULL) return s;
  free(s);
  return NULL;
}

void fog_server_free(struct fog_server *s) {
  for (struct open_request *r = s->open; r != NULL; r = r->next_open) {
    bool waits = r->complete && (!r->answered || r->asleep);
    if (r->complete) r->answered = r->cut = true;
    if (waits) MHD_resume_connection(r->connection); /* else the daemon may not be stopped */
    r->asleep = false;
  }
  (void)MHD_run(s->daemon);
  MHD_stop_daemon(s->daemon);
  for (struct open_request *r = s->open, *next; r != NULL; r = next) {
    next = r->next_open;
    forget(r);
  }
  free(s);
}

uint16_t fog_server_port(const struct fog_server *s) {
  return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

int fog_server_fd(const struct fog_server *s) {
  return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* Milliseconds until the next sleeper is to be woken; -1: there is none. */
static int sleep_left(const struct fog_server *s) {
  double t = fog_now();
  int least = -1;
  for (const struct open_request *r = s->open; r != NULL; r = r->next_open) {
    if (!r->asleep) continue;
    int ms = r->wake_at > t ? (int)((r->wake_at - t) * 1e3) + 1 : 0;
    if (least < 0 || ms < least) least = ms;
  }
  return least;
}

int fog_server_timeout(const struct fog_server *s) {
  MHD_UNSIGNED_LONG_LONG ms;
  if (s->ready != NULL) return 0;
  int left = sleep_left(s);
  if (s->hangups.first != NULL && (left < 0 || left > FOG_HANGUP_SWEEP_MS)) left = FOG_HANGUP_SWEEP_MS;
  if (MHD_get_timeout(s->daemon, &ms) != MHD_YES) return left;
  if (left < 0) left = 60000;
  return ms > (unsigned)left ? left : (int)ms;
}

void fog_server_run(struct fog_server *s) {
  double t = fog_now();
  fog_hangups_sweep(&s->hangups, t);
  for (struct open_request *r = s->open; r != NULL; r = r->next_open) {
    bool gone = r->watch != NULL && r->watch->gone;
    if (!r->asleep || (r->wake_at > t && !gone)) continue;
    if (gone) r->cut = true;
    r->asleep = false;
    MHD_resume_connection(r->connection);
  }
  (void)MHD_run(s->daemon);
}

const struct fog_server_request *fog_server_next(struct fog_server *s) {
  struct fog_server_request *q = s->ready;
  if (q == NULL) return NULL;
  s->ready = q->next;
  if (s->ready == NULL) s->ready_tail = &s->ready;
  q->next = NULL;
  s->taken = q;
  return q;
}
