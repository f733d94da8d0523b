/* SPDX-License-Identifier: MIT
 *
 * A listener on a free port of 127.0.0.1, its connections, and reading from them.
 */
#ifndef FOG_LOOPBACK_H
#define FOG_LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
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

/* Serves each connection on a thread of its own, which gets the descriptor and closes it; until the listener ends. */
static inline void serve_each(int listener, void *(*serve)(void *)) {
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0) (void)pthread_detach(thread);
  }
}

static inline bool read_exactly(int fd, unsigned char *to, size_t len) {
  for (ssize_t n; len > 0; to += n, len -= (size_t)n) {
    if ((n = read(fd, to, len)) <= 0) return false;
  }
  return true;
}

#endif
