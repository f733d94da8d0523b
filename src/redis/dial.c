/* SPDX-License-Identifier: MIT */
#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 100 };

struct call {
  long long by;
  bool (*stop)(void *);
  void *arg;
};

long long fog_redis_now_ms(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int new_socket(int family) {
#ifdef SOCK_CLOEXEC
  return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  (void)fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
#endif
}

/* 0 once the connection stands; else errno. */
static int wait_connected(int fd, const struct call *call, long long by) {
  for (;;) {
    long long left = by - fog_redis_now_ms();
    if (left <= 0) return ETIMEDOUT;
    if (call->stop(call->arg)) return ECANCELED;
    struct pollfd p = {.fd = fd, .events = POLLOUT, .revents = 0};
    if (poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS) <= 0) continue;
    int err = 0;
    socklen_t len = sizeof err;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 ? err : errno;
  }
}

/* A connected descriptor; -1: errno says why. */
static int connect_to(const struct sockaddr *address, socklen_t len, const struct call *call, long long by) {
  int fd = new_socket(address->sa_family);
  if (fd < 0) return -1;
  int err = connect(fd, address, len) == 0 ? 0 : errno;
  if (err == EINPROGRESS || err == EAGAIN) err = wait_connected(fd, call, by);
  if (err == 0) return fd;
  (void)close(fd);
  errno = err;
  return -1;
}

static int dial_path(const char *path, const struct call *call) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  return connect_to((const struct sockaddr *)&address, sizeof address, call, call->by);
}

/* Each address has an equal share of the time that is left. */
static int dial_any(const struct addrinfo *list, const struct call *call) {
  int count = 0;
  for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) count++;
  for (const struct addrinfo *a = list; a != NULL; a = a->ai_next, count--) {
    long long now = fog_redis_now_ms();
    int fd = connect_to(a->ai_addr, a->ai_addrlen, call, now + (call->by - now) / count);
    if (fd < 0) continue;
    const int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
  }
  return -1;
}

int fog_redis_dial(const struct fog_redis_place *place, int timeout_ms, bool (*stop)(void *), void *arg, char *why,
                   size_t capacity) {
  const struct call call = {.by = fog_redis_now_ms() + timeout_ms, .stop = stop, .arg = arg};
  int fd;
  if (place->path != NULL) {
    fd = dial_path(place->path, &call);
  } else {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(place->host, place->port, &hints, &list);
    if (code != 0) {
      (void)snprintf(why, capacity, "its name is not found: %s", gai_strerror(code));
      return -1;
    }
    fd = dial_any(list, &call);
    int err = errno;
    freeaddrinfo(list);
    errno = err;
  }
  if (fd < 0) (void)snprintf(why, capacity, "%s", strerror(errno));
  return fd;
}
