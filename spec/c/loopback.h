/* SPDX-License-Identifier: MIT
 *
 * Sockets on 127.0.0.1: a listener on a free port, and a connection to it whose near end is made as Paho makes its
 * own, so that the wraps of paho/paho_lean.c take it for one of Paho's.
 */
#ifndef FOG_LOOPBACK_H
#define FOG_LOOPBACK_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static inline int listen_somewhere(int *port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 64) != 0) exit(1);
  (void)getsockname(fd, (struct sockaddr *)&a, &len);
  *port = ntohs(a.sin_port);
  return fd;
}

static inline bool read_exactly(int fd, unsigned char *to, size_t len) {
  for (ssize_t n; len > 0; to += n, len -= (size_t)n) {
    if ((n = read(fd, to, len)) <= 0) return false;
  }
  return true;
}

static inline void nonblocking(int fd) { (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/* Connects a new socket to the process's one listener; its peer is an ordinary blocking socket that gives up after
 * 30 s. */
static inline int join_peer(int paho) {
  static int listener = -1, port;
  if (listener < 0) listener = listen_somewhere(&port);
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(paho, (struct sockaddr *)&a, sizeof a) != 0) exit(1);
  int peer = accept(listener, NULL, NULL);
  (void)setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){30, 0}, sizeof(struct timeval));
  nonblocking(paho);
  return peer;
}

static inline void pair(int *paho, int *peer) {
  *paho = socket(AF_INET, SOCK_STREAM, 0);
  *peer = join_peer(*paho);
}

#endif
