/* SPDX-License-Identifier: MIT
 *
 * Stands between a connection and a server, in a thread: hands bytes on in pieces, and breaks off after some.
 */
#ifndef FOG_RELAY_H
#define FOG_RELAY_H

#include <netinet/tcp.h>
#include <poll.h>

#include "link.h"

struct relay {
  struct peer peer;
  int to;         /* the server's port, at 127.0.0.1 */
  size_t piece;   /* bytes at a time */
  long cut_after; /* so many from the server, then the end of the stream; -1: never */
  bool resets;    /* it is cut by a reset */
};

static inline int connect_to(int port) {
  const int on = 1;
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) exit(1);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/* False: the end. */
static inline bool relay_some(int from, int to, size_t len) {
  static _Thread_local char bytes[65536];
  ssize_t n = recv(from, bytes, len < sizeof bytes ? len : sizeof bytes, 0);
  return n > 0 && send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static inline void relay_run(int fd, void *arg) {
  struct relay *r = arg;
  const int on = 1;
  int server = connect_to(r->to);
  long left = r->cut_after;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  while (left != 0) {
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    if (poll(p, 2, 10000) <= 0) break;
    if (p[0].revents != 0 && !relay_some(fd, server, r->piece)) break;
    if (p[1].revents == 0) continue;
    if (!relay_some(server, fd, r->piece)) break;
    if (left > 0) left--; /* a piece is one byte then */
  }
  if (r->resets) (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  (void)close(server);
  (void)close(fd);
}

static inline void relay_start(struct relay *r, int to, size_t piece, long cut_after, bool resets) {
  *r = (struct relay){.to = to, .piece = piece, .cut_after = cut_after, .resets = resets};
  peer_start(&r->peer, "127.0.0.1", relay_run, r);
}

#endif
