/* SPDX-License-Identifier: MIT
 *
 * The end of a connection: from inside what it tells, in every state on the way, and with bytes that must still arrive.
 */
#include <fcntl.h>

#include "link.h"

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
    options = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"),
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
      struct iovec part = {.iov_base = (void *)(uintptr_t)("x"), .iov_len = 1};
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

int main(void) {
  loop = fog_loop_new();
  int port = 0, listener = listen_at("127.0.0.1", &port, 64);
  close_in(listener, port);
  close_early(listener, port);
  lingers(listener, port);
  (void)close(listener);
  fog_connection_forget();
  fog_loop_free(loop);
  return finish();
}
