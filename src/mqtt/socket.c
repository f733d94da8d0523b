/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "filter.h"

#ifndef MSG_NOSIGNAL /* the socket has SO_NOSIGPIPE there: dial.c */
#define MSG_NOSIGNAL 0
#endif
#ifndef IOV_MAX
#define IOV_MAX 1024
#endif

static struct fog_socket *of(struct fog_layer *l) { return (struct fog_socket *)l; }

static int failed(struct fog_connection_error *error, int code) {
  return fog_connection_fail(error, FOG_CONNECTION_NETWORK, false, "%s", strerror(code));
}

static ssize_t read_some(struct fog_layer *l, char *to, size_t len, struct fog_connection_error *error) {
  struct fog_socket *s = of(l);
  if ((s->dry && s->broken == 0) || len == 0) return 0;
  ssize_t n;
  do n = recv(s->watch.fd, to, len, 0);
  while (n < 0 && errno == EINTR);
  s->dry = n < 0 || (size_t)n < len;
  s->unanswered = s->unanswered || n > 0;
  if (n > 0) return n;
  if (n < 0 && s->broken == 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  s->dry = false; /* the end is told as often as it is asked for */
  if (n < 0 || s->broken != 0) return failed(error, s->broken != 0 ? s->broken : errno);
  return fog_connection_fail(error, FOG_CONNECTION_CLOSED, false, "the other side closed the connection");
}

/* How much of it went; -1: none, and it will not. A reset may hide what the other side said before it: a TLS alert, a
 * DISCONNECT. So it is the next read that tells, and `broken` has it read. */
static ssize_t send_some(struct fog_socket *s, const struct iovec *parts, int count) {
  struct msghdr m = {0};
  m.msg_iov = (struct iovec *)(uintptr_t)parts; /* the system only reads it */
  m.msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX);
  ssize_t n;
  do n = sendmsg(s->watch.fd, &m, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n > 0) s->unanswered = false; /* it takes the acknowledgement along */
  if (n >= 0) return n;
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) s->broken = errno;
  return 0;
}

static ssize_t write_some(struct fog_layer *l, const struct iovec *parts, int count,
                          struct fog_connection_error *error) {
  struct fog_socket *s = of(l);
  size_t all = 0;
  (void)error;
  if (s->full || s->broken != 0) return 0;
  for (int i = 0; i < count; i++) all += parts[i].iov_len;
  ssize_t n = send_some(s, parts, count);
  s->full = (size_t)n < all;
  return n;
}

static bool keep(struct fog_socket *s, const char *bytes, size_t len) {
  size_t kept = s->kept_to - s->kept_from;
  if (kept + len > FOG_SOCKET_KEPT) return false;
  if (s->kept_to + len > s->kept_capacity) {
    size_t size = kept == 0 ? len : 2 * (kept + len); /* more than once it is many little things */
    char *buffer = malloc(size);
    if (buffer == NULL) return false;
    if (kept > 0) memcpy(buffer, s->kept + s->kept_from, kept);
    free(s->kept);
    s->kept = buffer;
    s->kept_capacity = size;
    s->kept_from = 0;
    s->kept_to = kept;
  }
  memcpy(s->kept + s->kept_to, bytes, len);
  s->kept_to += len;
  return true;
}

static int put(struct fog_layer *l, const void *bytes, size_t len, struct fog_connection_error *error) {
  struct fog_socket *s = of(l);
  struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
  size_t sent = 0;
  if (s->broken != 0) return 0; /* the next read tells */
  if (!s->full) sent = (size_t)send_some(s, &part, 1);
  if (sent == len || s->broken != 0) return 0;
  s->full = true;
  if (keep(s, (const char *)bytes + sent, len - sent)) return 0;
  return fog_connection_fail(error, FOG_CONNECTION_NETWORK, false,
                             "the other side does not read, or there is no memory");
}

static void drop_kept(struct fog_socket *s) {
  free(s->kept);
  s->kept = NULL;
  s->kept_from = s->kept_to = s->kept_capacity = 0;
}

int fog_socket_writable(struct fog_socket *s, struct fog_connection_error *error) {
  (void)error;
  s->full = false;
  if (s->kept == NULL) return 0;
  struct iovec part = {.iov_base = s->kept + s->kept_from, .iov_len = s->kept_to - s->kept_from};
  ssize_t n = send_some(s, &part, 1);
  s->kept_from += (size_t)n;
  s->full = s->kept_from < s->kept_to && s->broken == 0;
  if (!s->full) drop_kept(s);
  return 0;
}

void fog_socket_read_done(struct fog_socket *s) {
#ifdef TCP_QUICKACK
  const int on = 1;
  if (s->unanswered && s->watch.fd >= 0) (void)setsockopt(s->watch.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#endif
  s->unanswered = false;
}

long fog_socket_unsent(const struct fog_socket *s) {
#ifdef TIOCOUTQ /* SIOCOUTQ by its other name */
  int unsent = 0;
  if (ioctl(s->watch.fd, TIOCOUTQ, &unsent) == 0) return unsent;
#endif
  return -1;
}

bool fog_socket_full(const struct fog_layer *any) {
  while (any->below != NULL) any = any->below;
  return ((const struct fog_socket *)any)->full;
}

void fog_socket_wait_to_read(struct fog_layer *any) {
  while (any->below != NULL) any = any->below;
  of(any)->wants_read = true;
}

static void forget(struct fog_layer *l) { drop_kept(of(l)); }

static const struct fog_layer_functions functions = {
    .read = read_some, .write = write_some, .put = put, .forget = forget};

void fog_socket_init(struct fog_socket *s, struct fog_loop *loop, int fd) {
  s->layer = (struct fog_layer){.does = &functions, .loop = loop};
  s->watch.fd = fd;
}
