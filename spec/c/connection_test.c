/* SPDX-License-Identifier: MIT
 *
 * One connection, plain, over real sockets: reading, writing, its socket, a thousand of it.
 */
#include <fcntl.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "link.h"

/* In place of the C library's: how often the system is asked. */
static atomic_int recvs;

ssize_t recv(int fd, void *to, size_t len, int flags) {
  atomic_fetch_add(&recvs, 1);
  return syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL);
}

static atomic_int quick_acks;

int setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
  if (level == IPPROTO_TCP && name == TCP_QUICKACK) atomic_fetch_add(&quick_acks, 1);
  return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

/* --- reading and writing --- */

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
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)p.port};
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

/* After the end. */
static void stays_quiet(void) {
  int before = me.readable;
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(me.readable == before, "the end is told once");
}

static void asks_little(int listener, int port) {
  char byte;
  int peer = open_to(listener, port, "127.0.0.1");
  me.keeps_off = true;
  (void)send(peer, "x", 1, 0);
  check(UNTIL(me.readable == 1), "something can be read");
  atomic_store(&recvs, 0);
  me.keeps_off = false;
  link_read(&me);
  for (int i = 0; i < 9; i++) (void)fog_connection_read(me.c, &byte, 1, &me.error);
  check(me.len == 1 && atomic_load(&recvs) == 1, "and once it is read, the system is not asked for more");
  link_close(&me, false);
  (void)close(peer);
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
  stays_quiet();
  check(me.len == 11 && memcmp(me.got, "firstsecond", 11) == 0, "after what had come before");
  link_close(&me, false);
}

/* By a reset at once, or by one that answers our first write: then the second one would raise SIGPIPE. */
static void broken(int peer, bool at_once) {
  fog_connection_reading(me.c, false);
  (void)send(peer, "why", 3, 0);
  if (at_once) (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  (void)close(peer);
  struct iovec part = {.iov_base = (void *)(uintptr_t)("hello"), .iov_len = 5};
  for (int i = 0; i < 3; i++) {
    (void)usleep(2000);
    check(fog_connection_write(me.c, &part, 1, &me.error) >= 0, "a write into a broken connection");
  }
  fog_connection_reading(me.c, true);
  check(UNTIL(me.ended) && me.len == 3 && me.error.kind == FOG_CONNECTION_NETWORK,
        "does not hide what the other side said before it went");
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
  stays_quiet();
  char byte;
  check(fog_connection_read(me.c, &byte, 1, &me.error) == -1, "and said again to who asks");
  link_close(&me, false);

  peer = open_to(listener, port, "127.0.0.1");
  (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  (void)close(peer);
  check(UNTIL(me.ended) && says(&me, "Connection reset by peer"), "a reset is the end, too");
  stays_quiet();
  link_close(&me, false);
  broken(open_to(listener, port, "127.0.0.1"), true);
  broken(open_to(listener, port, "127.0.0.1"), false);
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
  int told = me.writable;
  (void)send(peer, "x", 1, 0);
  check(UNTIL(me.len == 1) && me.writable == told, "room is told once");
  link_close(&me, false);
  (void)close(peer);
  free(bytes);
}

/* --- the socket --- */

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t len = sizeof value;
  (void)getsockopt(fd, level, name, &value, &len);
  return value;
}

static void socket_options(int listener, int port) {
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)port};
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

static void replies(void *owner) {
  struct link *l = owner;
  link_readable(owner);
  struct iovec part = {.iov_base = (void *)(uintptr_t)("y"), .iov_len = 1};
  if (!l->ended) (void)fog_connection_write(l->c, &part, 1, &l->error);
}

static void acknowledges(int listener, int port) {
  static const struct fog_connection_owner events = {link_opened, replies, link_writable, link_failed};
  char byte;
  me = (struct link){0};
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)port};
  me.c = fog_connection_open(loop, &options, &events, &me);
  (void)UNTIL(me.opened);
  int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  atomic_store(&quick_acks, 0);
  for (size_t i = 0; i < 10; i++) {
    (void)send(peer, "x", 1, 0);
    (void)UNTIL(me.len == i + 1);
    if (recv(peer, &byte, 1, 0) != 1) break;
  }
  check(me.len == 10 && atomic_load(&quick_acks) == 0, "an answer acknowledges what it answers: nothing else is done");
  link_close(&me, false);
  (void)close(peer);
}

/* --- many --- */

static void thousand(int listener, int port) {
  enum { COUNT = 1000 };
  static struct link links[COUNT];
  static int peers[COUNT];
  static struct fog_connection_options o = {.host = (char *)(uintptr_t)("127.0.0.1")};
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
  asks_little(listener, port);
  rests(listener, port);
  ends(listener, port);
  flushes(listener, port);
  socket_options(listener, port);
  acknowledges(listener, port);
  thousand(listener, port);
  (void)close(listener);
  fog_connection_forget();
  fog_loop_free(loop);
  return finish();
}
