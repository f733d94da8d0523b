/* SPDX-License-Identifier: MIT
 *
 * A server for the HTTP measurements: one thread, epoll, keep-alive, one fixed reply. Faster than what it measures.
 * Prints its port.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 4096

struct conn {
  size_t have;
  char in[16384];
};

static struct conn *conns[MOST];

static const char grant[] = "{\"meta\":{\"message\":\"create permission ok\",\"code\":0},"
                            "\"data\":{\"client_id\":\"abc\",\"device_id\":\"dev1\"}}";
static const char token[] = "{\"meta\":{\"message\":\"token info\",\"code\":0},\"data\":{\"access_token\":\"t\","
                            "\"token_type\":\"Bearer\",\"expires_in\":604800,\"scope\":\"read write groups\"}}";

/* The length of the request at the beginning of the buffer; 0 while it is incomplete. */
static size_t request_length(const struct conn *c) {
  const char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t head = (size_t)(end - c->in) + 4, body = 0;
  for (const char *p = c->in; p < end; p = memchr(p, '\n', (size_t)(end + 2 - p)) + 1) {
    if (strncasecmp(p, "content-length:", 15) == 0) body = strtoul(p + 15, NULL, 10);
    if (memchr(p, '\n', (size_t)(end - p)) == NULL) break;
  }
  return head + body <= c->have ? head + body : 0;
}

static int reply(int fd, const struct conn *c) {
  char out[512];
  const char *body = memmem(c->in, 64, "/token/", 7) != NULL ? token : grant;
  int n = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
  return write(fd, out, (size_t)n) == n ? 0 : -1;
}

static int serve(int fd) {
  struct conn *c = conns[fd];
  ssize_t n = read(fd, c->in + c->have, sizeof c->in - c->have);
  if (n <= 0) return -1;
  c->have += (size_t)n;
  for (size_t len; (len = request_length(c)) > 0; c->have -= len) {
    if (reply(fd, c) != 0) return -1;
    memmove(c->in, c->in + len, c->have - len);
  }
  return 0;
}

static void take(int poll_fd, int listener) {
  int fd = accept(listener, NULL, NULL), one = 1;
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  if (fd < 0 || fd >= MOST) exit(1);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  conns[fd] = calloc(1, sizeof *conns[fd]);
  (void)epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e);
}

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int listener = socket(AF_INET, SOCK_STREAM, 0), p = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[64];
  if (bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 256) != 0) return 1;
  (void)getsockname(listener, (struct sockaddr *)&a, &len);
  printf("%d\n", ntohs(a.sin_port));
  (void)fflush(stdout);
  (void)epoll_ctl(p, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    int n = epoll_wait(p, events, 64, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        take(p, listener);
      } else if (serve(fd) != 0) {
        (void)close(fd);
        free(conns[fd]);
      }
    }
  }
}
