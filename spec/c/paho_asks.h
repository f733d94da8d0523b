/* SPDX-License-Identifier: MIT
 *
 * What a thread of Paho asks of its sockets, for the tests of the wraps.
 */
#ifndef FOG_PAHO_ASKS_H
#define FOG_PAHO_ASKS_H

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "loopback.h"

/* poll for one socket. 0 before its time says "look again" to Paho, so here it looks again. */
static inline int wait_readable(int fd, int ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN | POLLNVAL, .revents = 0};
  if (ms <= 0) return poll(&p, 1, ms) > 0 ? p.revents : 0;
  for (int i = 0; i < 200; i++) {
    if (poll(&p, 1, ms / 50) != 0) return p.revents;
  }
  return 0;
}

static inline int ask_writable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

static inline ssize_t send_small(int fd, const char *text) {
  struct iovec v[2] = {{(char *)(uintptr_t)text, 1}, {(char *)(uintptr_t)text + 1, strlen(text) - 1}};
  return writev(fd, v, 2);
}

/* The byte at i of a stream that tells a byte which is lost, doubled or out of place. */
static inline unsigned char pattern(size_t i) { return (unsigned char)(i * 31 + i / 251); }

#endif
