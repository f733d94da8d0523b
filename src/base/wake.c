/* SPDX-License-Identifier: MIT */
#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__linux__) && !defined(FOG_LOOP_POLL)
#include <sys/eventfd.h>

static int open_pair(struct fog_wake *w) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return errno;
  w->read_fd = fd;
  w->write_fd = fd;
  return 0;
}
#else
static int open_pair(struct fog_wake *w) {
  int fds[2];
  if (pipe(fds) != 0) return errno;
  for (int i = 0; i < 2; i++) {
    (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
  }
  w->read_fd = fds[0];
  w->write_fd = fds[1];
  return 0;
}
#endif

int fog_wake_open(struct fog_wake *w) {
  w->read_fd = -1;
  w->write_fd = -1;
  w->mirror_fd = -1;
  w->set = false;
  return open_pair(w);
}

void fog_wake_close(struct fog_wake *w) {
  if (w->read_fd >= 0) (void)close(w->read_fd);
  if (w->write_fd >= 0 && w->write_fd != w->read_fd) (void)close(w->write_fd);
  if (w->mirror_fd >= 0) (void)close(w->mirror_fd);
  w->read_fd = -1;
  w->write_fd = -1;
  w->mirror_fd = -1;
}

bool fog_wake_mark(struct fog_wake *w) {
  bool first = !w->set;
  w->set = true;
  return first;
}

void fog_wake_write(const struct fog_wake *w) {
  static const uint64_t one = 1;
  ssize_t written = write(w->write_fd, &one, sizeof one); /* full means readable already */
  (void)written;
}

void fog_wake_signal(struct fog_wake *w) {
  if (!fog_wake_mark(w)) return;
  fog_wake_write(w);
  if (w->mirror_fd >= 0) (void)send(w->mirror_fd, "w", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void fog_wake_clear(struct fog_wake *w) {
  uint64_t sink;
  if (w->set && read(w->read_fd, &sink, sizeof sink) > 0) w->set = false; /* all that one signal wrote */
}

void fog_wake_wait(struct fog_wake *w, int timeout_ms) {
  struct pollfd p = {.fd = w->read_fd, .events = POLLIN, .revents = 0};
  (void)poll(&p, 1, timeout_ms);
}
