/* SPDX-License-Identifier: MIT
 *
 * What the HTTP half of the core has held of secrets is overwritten when it gives the memory back: the body and the
 * headers of a request, a reply however it grew, a part of one that was cut, and what was never sent. Every block of
 * the core's goes through the functions here, which look for the secret before they free it. What libcurl allocates is
 * libcurl's.
 */
#include "../../src/base/queue.h"
#include "../../src/http/http.h"
#include "tap.h"

#undef malloc
#undef calloc
#undef realloc
#undef strdup
#undef free

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECRET "hush-hush-0123456789"
enum { BLANKS = 20000 }; /* bytes of the reply before the secret: the buffer has grown by then, and grows after it */

static atomic_int spilt;   /* blocks that were freed with the secret in them */
static atomic_bool scarce; /* the next allocation fails */
static atomic_bool cut;
/* --- allocations, each behind its length --- */

union head {
  size_t len;
  max_align_t align;
};

void *fog_test_malloc(size_t n) {
  union head *block = atomic_exchange(&scarce, false) ? NULL : calloc(1, sizeof *block + n);
  if (block == NULL) return NULL;
  block->len = n;
  return block + 1;
}

void *fog_test_calloc(size_t count, size_t n) { return fog_test_malloc(count * n); }

void fog_test_free(void *p) {
  union head *block = p;
  if (p == NULL) return;
  block--;
  if (memmem(p, block->len, SECRET, strlen(SECRET)) != NULL) atomic_fetch_add(&spilt, 1);
  free(block);
}

void *fog_test_realloc(void *p, size_t n) { /* as if it always moved */
  char *moved = fog_test_malloc(n);
  size_t old = p == NULL ? 0 : ((union head *)p - 1)->len;
  if (moved == NULL) return NULL;
  if (p != NULL) memcpy(moved, p, old < n ? old : n);
  fog_test_free(p);
  return moved;
}

char *fog_test_strdup(const char *s) {
  char *copy = fog_test_malloc(strlen(s) + 1);
  return copy == NULL ? NULL : strcpy(copy, s);
}

/* --- a server that answers each request with the secret among blanks; `cut`: and hangs up before the end --- */

static void *serve(void *arg) {
  int listener = *(int *)arg;
  char request[8192], *body = malloc(2 * BLANKS + sizeof SECRET);
  memset(body, ' ', 2 * BLANKS + sizeof SECRET);
  memcpy(body + BLANKS, SECRET, strlen(SECRET));
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    size_t got = 0;
    while (got < sizeof request && memmem(request, got, "client_secret=" SECRET, strlen(SECRET) + 14) == NULL) {
      ssize_t n = recv(fd, request + got, sizeof request - got, 0);
      if (n <= 0) break;
      got += (size_t)n;
    }
    size_t len = 2 * BLANKS, part = cut ? BLANKS + 100 : len;
    int n =
        snprintf(request, sizeof request, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", len);
    (void)send(fd, request, (size_t)n, MSG_NOSIGNAL);
    (void)send(fd, body, part, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, request, sizeof request, 0) > 0) continue;
    (void)close(fd);
  }
  return NULL;
}

static int start_server(void) {
  static int listener;
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof a;
  pthread_t thread;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 16) != 0) exit(1);
  (void)getsockname(listener, (struct sockaddr *)&a, &len);
  if (pthread_create(&thread, NULL, serve, &listener) != 0) exit(1);
  (void)pthread_detach(thread);
  return ntohs(a.sin_port);
}

/* --- the client --- */

static struct fog_http_options options(int port) {
  char url[64];
  static const char body[] = "client_secret=" SECRET;
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
  return (struct fog_http_options){.method = "POST",
                                   .url = fog_test_strdup(url),
                                   .body = fog_test_strdup(body),
                                   .body_len = strlen(body),
                                   .authorization = "Authorization: Bearer " SECRET,
                                   .timeout_ms = 20000,
                                   .connect_timeout_ms = 20000,
                                   .max_body = 10 * BLANKS};
}

/* One request up to its event, whose type is given. */
static enum fog_event_type request(struct fog_http *h, struct fog_queue *q, int port) {
  struct fog_http_options o = options(port);
  struct fog_http_request *r = fog_http_request_new(h, 1, &o);
  if (r == NULL || fog_http_submit(h, r) != 0) exit(1);
  struct fog_event *ev;
  while ((ev = fog_queue_take(q)) == NULL) fog_http_wait(h, 1000, -1);
  enum fog_event_type type = ev->type;
  check(type != FOG_EV_REPLY || memmem(ev->text, ev->text_len, SECRET, strlen(SECRET)) != NULL, "the reply is whole");
  ev->release(ev);
  return type;
}

static void never_sent(struct fog_http *h, int port) {
  struct fog_http_options o = options(port);
  struct fog_http_request *r = fog_http_request_new(h, 2, &o);
  if (r == NULL) exit(1);
  fog_http_request_free(r);
  o = options(port);
  atomic_store(&scarce, true);
  check(fog_http_request_new(h, 3, &o) == NULL, "a request without memory is none");
  o = options(port);
  fog_http_options_free(&o);
}

int main(void) {
  int port = start_server();
  struct fog_queue *q = fog_queue_new();
  struct fog_http *h = fog_http_new(q, 4);
  char *planted = fog_test_strdup("x" SECRET "x");
  fog_test_free(planted);
  check(atomic_exchange(&spilt, 0) == 1, "the test finds a secret that is freed as it is");
  check(request(h, q, port) == FOG_EV_REPLY, "a reply comes");
  cut = true;
  check(request(h, q, port) == FOG_EV_FAILURE, "a reply that is cut is a failure");
  never_sent(h, port);
  fog_http_free(h);
  fog_queue_close(q);
  fog_queue_unref(q);
  check(atomic_load(&spilt) == 0, "no block is freed with the secret in it");
  return finish();
}
