/* SPDX-License-Identifier: MIT
 *
 * One connection, plain, over real sockets: reading, writing, the end in each state.
 */
#include <fcntl.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "link.h"

/* --- reading and writing --- */

static char *pattern(size_t len) {
  char *bytes = malloc(len);
  if (bytes == NULL) exit(1);
  for (size_t i = 0; i < len; i++) bytes[i] = (char)(i * 7 + i / 256);
  return bytes;
}

static void echo(int fd, void *arg) {
  char bytes[4096];
  (void)arg;
  for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;) {
    if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) break;
  }
  (void)close(fd);
}

static void carry(const char *address, size_t len, size_t piece) {
  struct peer p;
  char *bytes = pattern(len);
  peer_start(&p, address, echo, NULL);
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)address, .port = (uint16_t)p.port};
  me.piece = piece;
  link_open(&me, &options);
  check(UNTIL(me.opened) && link_write(&me, bytes, len) && UNTIL(me.len == len) && memcmp(me.got, bytes, len) == 0,
        "bytes go there and back as they were");
  me.piece = 0;
  link_close(&me, false);
  peer_end(&p);
  free(bytes);
}

static void parts(void) {
  enum { PARTS = 3000 };
  static struct iovec many[PARTS];
  char *bytes = pattern(PARTS * 10);
  struct peer p;
  size_t all = 0, done = 0;
  for (size_t i = 0; i < PARTS; i++) {
    many[i] = (struct iovec){.iov_base = bytes + all, .iov_len = i % 20};
    all += i % 20;
  }
  peer_start(&p, "127.0.0.1", echo, NULL);
  options = (struct fog_connection_options){.host = (char *)(uintptr_t) "127.0.0.1", .port = (uint16_t)p.port};
  link_open(&me, &options);
  (void)UNTIL(me.opened);
  ssize_t n = fog_connection_write(me.c, many, PARTS, &me.error);
  check(n > 0 && (size_t)n < all && UNTIL(me.writable == 1), "more parts than the system takes at once: some of them");
  for (done = (size_t)n; done < all;) { /* as an owner does it: the rest in new parts */
    struct iovec rest = {.iov_base = bytes + done, .iov_len = all - done};
    n = fog_connection_write(me.c, &rest, 1, &me.error);
    done += (size_t)n;
  }
  check(UNTIL(me.len == all) && memcmp(me.got, bytes, all) == 0, "and the rest in its order");
  link_close(&me, false);
  peer_end(&p);
  free(bytes);
}

static void rests(int listener, int port) {
  int peer = open_to(listener, port, "127.0.0.1");
  fog_connection_reading(me.c, false);
  (void)send(peer, "first", 5, 0);
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(me.readable == 0, "while reading rests nothing is told");
  fog_connection_reading(me.c, true);
  check(UNTIL(me.len == 5), "and all of it when it goes on");
  fog_connection_reading(me.c, false);
  me.keeps_off = true;
  me.readable = 0;
  (void)send(peer, "second", 6, 0);
  (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  (void)close(peer);
  check(UNTIL(me.readable > 0), "a connection that breaks meanwhile is told");
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(me.readable == 1, "once");
  me.keeps_off = false;
  fog_connection_reading(me.c, true);
  check(UNTIL(me.ended) && me.error.kind == FOG_CONNECTION_NETWORK && says(&me, "Connection reset by peer"),
        "and the end is read when reading goes on");
  check(me.len == 11 && memcmp(me.got, "firstsecond", 11) == 0, "after what had come before");
  link_close(&me, false);
}

static void ends(int listener, int port) {
  char expected[128];
  int peer = open_to(listener, port, "localhost");
  (void)send(peer, "last", 4, 0);
  (void)close(peer);
  (void)snprintf(expected, sizeof expected, "localhost:%d (127.0.0.1): the other side closed the connection", port);
  check(
      UNTIL(me.ended) && me.len == 4 && me.error.kind == FOG_CONNECTION_CLOSED && strcmp(me.error.text, expected) == 0,
      "the other side closes: what it said, then that");
  int before = me.readable;
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(me.readable == before, "the end is told once");
  char byte;
  check(fog_connection_read(me.c, &byte, 1, &me.error) == -1, "and said again to who asks");
  link_close(&me, false);

  peer = open_to(listener, port, "127.0.0.1");
  fog_connection_reading(me.c, false);
  (void)send(peer, "why", 3, 0);
  (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  (void)close(peer);
  struct iovec part = {.iov_base = (void *)(uintptr_t) "hello", .iov_len = 5};
  for (int i = 0; i < 3; i++) {
    (void)usleep(2000);
    check(fog_connection_write(me.c, &part, 1, &me.error) >= 0, "a write into a broken connection");
  }
  fog_connection_reading(me.c, true);
  check(UNTIL(me.ended) && me.len == 3 && me.error.kind == FOG_CONNECTION_NETWORK,
        "does not hide what the other side said before it went");
  link_close(&me, false);
}

static void flushes(int listener, int port) {
  enum { LEN = 8000000 };
  char *bytes = pattern(LEN);
  int peer = open_to(listener, port, "127.0.0.1");
  long unsent = -1;
  struct iovec part = {.iov_base = bytes, .iov_len = LEN};
  check(fog_connection_flushed(me.c, &unsent) && unsent == 0, "nothing was written, nothing is unsent");
  ssize_t n = fog_connection_write(me.c, &part, 1, &me.error);
  check(n > 0 && n < LEN, "a peer that does not read takes some");
  check(!fog_connection_flushed(me.c, &unsent) && unsent > 0, "which lies unsent then");
  check(fog_connection_write(me.c, &part, 1, &me.error) == 0, "more is not taken");
  for (int i = 0; i < 3; i++) fog_loop_turn(loop, 5);
  check(me.writable == 0, "as long as there is no room");
  for (ssize_t left = n, got; left > 0 && (got = read(peer, bytes, LEN)) > 0; left -= got) fog_loop_turn(loop, 0);
  check(UNTIL(me.writable > 0) && UNTIL(fog_connection_flushed(me.c, NULL)), "then both are told");
  link_close(&me, false);
  (void)close(peer);
  free(bytes);
}

/* --- the socket --- */

/* The descriptor of ours whose peer listens at this port. */
static int find_socket(int port) {
  for (int fd = 3; fd < 256; fd++) {
    struct sockaddr_in a = {0};
    socklen_t len = sizeof a;
    if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET && ntohs(a.sin_port) == port)
      return fd;
  }
  return -1;
}

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t len = sizeof value;
  (void)getsockopt(fd, level, name, &value, &len);
  return value;
}

static void socket_options(int listener, int port) {
  options = (struct fog_connection_options){.host = (char *)(uintptr_t) "127.0.0.1", .port = (uint16_t)port};
  link_open(&me, &options);
  fog_connection_user_timeout(me.c, 1234);
  (void)UNTIL(me.opened);
  int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC), fd = find_socket(port);
  check(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 1234, "a time for unacknowledged bytes, set before it was open");
  fog_connection_user_timeout(me.c, 4321);
  check(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 4321, "and after");
  check(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1 && option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1,
        "without Nagle's algorithm; kept alive");
  check((fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) & O_NONBLOCK), "close-on-exec, non-blocking");
  int quick = 0; /* the system turns it off by and by; a read turns it on again */
  (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &quick, sizeof quick);
  (void)send(peer, "x", 1, 0);
  check(UNTIL(me.len == 1) && option(fd, IPPROTO_TCP, TCP_QUICKACK) == 1, "what comes is acknowledged at once");
  link_close(&me, false);
  (void)close(peer);
}

/* --- the end --- */

static int told_after;

static void must_not(void *owner) {
  (void)owner;
  told_after++;
}

static void close_it(void *owner) {
  struct link *l = owner;
  l->opened++;
  fog_connection_close(l->c, false);
  l->c = NULL;
}

static void close_failed(void *owner, const struct fog_connection_error *error) {
  (void)error;
  close_it(owner);
}

static void close_in(int listener, int port) {
  static const struct fog_connection_owner at_once = {close_it, must_not, must_not, close_failed},
                                           at_read = {link_opened, close_it, must_not, close_failed},
                                           at_write = {link_opened, link_readable, close_it, close_failed};
  static const struct fog_connection_owner *const ways[] = {&at_once, &at_read, &at_write};
  for (int way = 0; way < 4; way++) {
    options = (struct fog_connection_options){.host = (char *)(uintptr_t) "127.0.0.1",
                                              .port = (uint16_t)(way == 3 ? 1 : port)};
    me = (struct link){0};
    me.c = fog_connection_open(loop, &options, ways[way % 3], &me);
    if (way == 1 || way == 2) {
      (void)UNTIL(me.opened);
      int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
      if (way == 1) (void)send(peer, "x", 1, 0);
      char *bytes = pattern(8000000);
      struct iovec part = {.iov_base = bytes, .iov_len = 8000000};
      if (way == 2) (void)fog_connection_write(me.c, &part, 1, &me.error);
      while (way == 2 && me.c != NULL && read(peer, bytes, 8000000) > 0) fog_loop_turn(loop, 0);
      free(bytes);
      check(UNTIL(me.c == NULL), "closed from inside a callback");
      (void)close(peer);
    } else {
      check(UNTIL(me.c == NULL), "closed from inside a callback");
      if (way == 0) (void)close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    }
    for (int i = 0; i < 3; i++) fog_loop_turn(loop, 0);
  }
  check(told_after == 0 && fog_loop_watched(loop) == 0, "nothing is told after that");
}

static void close_early(int listener, int port) {
  static const char *const hosts[] = {"127.0.0.1", "localhost", "::1", "no-such-name.invalid"};
  for (int turns = 0; turns < 4; turns++) {
    for (int i = 0; i < 4; i++) {
      options = (struct fog_connection_options){.host = (char *)(uintptr_t)hosts[i], .port = (uint16_t)port};
      link_open(&me, &options);
      for (int j = 0; j < turns; j++) fog_loop_turn(loop, 1);
      struct iovec part = {.iov_base = (void *)(uintptr_t) "x", .iov_len = 1};
      char byte;
      if (!me.opened)
        check(
            fog_connection_read(me.c, &byte, 1, &me.error) == 0 && fog_connection_write(me.c, &part, 1, &me.error) == 0,
            "before it is open nothing is read or written");
      fog_connection_reading(me.c, turns % 2 == 0);
      (void)fog_connection_flushed(me.c, NULL);
      link_close(&me, turns % 2 == 0);
    }
  }
  (void)fcntl(listener, F_SETFL, O_NONBLOCK);
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) (void)close(fd);
  (void)fcntl(listener, F_SETFL, 0);
  check(UNTIL(fog_loop_watched(loop) == 0), "closed in every state on the way");
}

static size_t read_all(int fd, bool *in_order) {
  char bytes[65536];
  size_t all = 0;
  ssize_t n;
  while ((n = read(fd, bytes, sizeof bytes)) > 0) all += (size_t)n;
  *in_order = n == 0;
  return all;
}

static void lingers(int listener, int port) {
  enum { LEN = 200000 };
  bool in_order;
  char *bytes = pattern(LEN);
  int peer = open_to(listener, port, "127.0.0.1");
  fog_connection_reading(me.c, false);
  (void)send(peer, bytes, 20000, 0); /* unread at the end: a plain close would answer with a reset */
  check(link_write(&me, bytes, LEN), "the last bytes are written");
  fog_connection_close(me.c, true);
  me.c = NULL;
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(read_all(peer, &in_order) == LEN && in_order,
        "a lingering end lets the other side read them, and closes in order");
  check(fog_loop_watched(loop) == 1, "it waits for the other side");
  (void)close(peer);
  check(UNTIL(fog_loop_watched(loop) == 0), "and ends with it");
  link_close(&me, false);

  peer = open_to(listener, port, "127.0.0.1");
  fog_connection_close(me.c, true);
  me.c = NULL;
  check(UNTIL(fog_loop_watched(loop) == 0), "or after a second");
  link_close(&me, false);
  (void)close(peer);

  peer = open_to(listener, port, "127.0.0.1");
  fog_connection_close(me.c, true);
  me.c = NULL;
  for (int i = 0; i < 20 && fog_loop_watched(loop) > 0; i++) {
    (void)send(peer, bytes, 20000, MSG_NOSIGNAL | MSG_DONTWAIT);
    fog_loop_turn(loop, 20);
  }
  check(fog_loop_watched(loop) == 0, "or when 64 KiB more have come");
  link_close(&me, false);
  (void)close(peer);

  struct fog_loop *before = loop;
  loop = fog_loop_new();
  peer = open_to(listener, port, "127.0.0.1");
  fog_connection_close(me.c, true);
  me.c = NULL;
  fog_loop_free(loop);
  check(read_all(peer, &in_order) == 0 && in_order, "or with the loop");
  loop = before;
  (void)close(peer);
  free(bytes);
}

/* --- many --- */

static void thousand(int listener, int port) {
  enum { COUNT = 1000 };
  static struct link links[COUNT];
  static int peers[COUNT];
  static struct fog_connection_options o = {.host = (char *)(uintptr_t) "127.0.0.1"};
  struct rlimit limit;
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  o.port = (uint16_t)port;
  size_t before = mallinfo2().uordblks;
  int opened = 0, echoed = 0;
  for (int i = 0; i < COUNT; i++) {
    link_open(&links[i], &o);
    opened += UNTIL(links[i].opened);
    peers[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  }
  check(opened == COUNT, "a thousand are opened");
  size_t each = (mallinfo2().uordblks - before) / COUNT;
  printf("# an idle link takes %zu bytes of the heap\n", each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  check(each > 0 && each <= 1024, "an idle one takes at most 1 KiB");
#endif
  for (int i = 0; i < COUNT; i++) (void)send(peers[i], "x", 1, 0);
  for (int i = 0; i < COUNT; i++) echoed += UNTIL(links[i].len == 1);
  check(echoed == COUNT, "each hears its own");
  for (int i = 0; i < COUNT; i++) {
    link_close(&links[i], false);
    (void)close(peers[i]);
  }
  check(fog_loop_watched(loop) == 0, "and all are closed");
}

int main(void) {
  loop = fog_loop_new();
  int port = 0, listener = listen_at("127.0.0.1", &port, 2000);
  carry("127.0.0.1", 3000000, 0);
  carry("::1", 3000000, 0);
  carry("127.0.0.1", 20000, 1);
  parts();
  rests(listener, port);
  ends(listener, port);
  flushes(listener, port);
  socket_options(listener, port);
  close_in(listener, port);
  close_early(listener, port);
  lingers(listener, port);
  thousand(listener, port);
  (void)close(listener);
  fog_connection_forget();
  fog_loop_free(loop);
  return finish();
}
