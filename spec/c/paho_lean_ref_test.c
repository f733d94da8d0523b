/* SPDX-License-Identifier: MIT
 *
 * Which connection is meant: the one that a packet came over, whatever was read in between, and never a later one with
 * the same descriptor. And what is known of its bytes before it is closed.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../../src/paho/paho_lean.h"
#include "loopback.h"
#include "paho_asks.h"
#include "tap.h"

enum { LARGE = 20000, DIRECT = 16384 };

static void say(int peer, size_t len) {
  static const unsigned char zeros[LARGE];
  if (send(peer, zeros, len, MSG_NOSIGNAL) != (ssize_t)len) exit(1);
}

/* True: len bytes of fd came, by one read. */
static bool hear(int fd, size_t len) {
  static unsigned char buf[LARGE];
  return wait_readable(fd, 5000) != 0 && recv(fd, buf, len, 0) == (ssize_t)len;
}

static bool current_is(int fd) { return fog_lean_current().slot == fog_lean_get(fd); }

static void test_current(void) {
  int a, a_peer, b, b_peer;
  pair(&a, &a_peer);
  pair(&b, &b_peer);
  say(a_peer, 8);
  bool right = hear(a, 2) && current_is(a);
  say(b_peer, 8);
  right = right && hear(b, 2) && current_is(b);
  right = right && hear(a, 6) && current_is(a);
  check(right, "bytes out of the buffer are of their connection");
  say(a_peer, LARGE);
  right = hear(b, 6) && current_is(b) && wait_readable(a, 5000) != 0;
  ssize_t n = recv(a, (unsigned char[LARGE]){0}, DIRECT, 0);
  check(right && n > 0 && current_is(a), "bytes past the buffer are too");
  (void)close(a), (void)close(b), (void)close(a_peer), (void)close(b_peer);
}

static enum fog_lean_verdict swallow(void *context, unsigned first, const unsigned char *body, size_t len) {
  (void)first, (void)body, (void)len;
  ++*(int *)context;
  return FOG_LEAN_TAKEN;
}

static void test_used_again(void) {
  static const char publish[] = "\x30\x04\0\1tx";
  int first, peer, again, again_peer, swallowed = 0;
  pair(&first, &peer);
  say(peer, 1);
  bool heard = hear(first, 1);
  struct fog_lean_ref old = fog_lean_current();
  fog_lean_set_sink(&old, swallow, &swallowed);
  (void)close(first), (void)close(peer);
  pair(&again, &again_peer);
  check(heard && again == first && fog_lean_get(again) == old.slot, "the descriptor and its slot are used again");
  check(!fog_lean_begin(&old), "nothing of the first connection's is written to the second");
  check(fog_lean_is_flushed(&old), "and nothing of it is waited for");
  if (send(again_peer, publish, 6, 0) != 6) exit(1);
  check(hear(again, 6) && swallowed == 0, "the second has no sink");
  (void)close(again), (void)close(again_peer);
}

static void test_flushed(void) {
  int paho, peer;
  struct pollfd p;
  unsigned char got[4096];
  pair(&paho, &peer);
  say(peer, 1);
  bool flushed = hear(paho, 1);
  struct fog_lean_ref c = fog_lean_current();
  check(flushed && fog_lean_is_flushed(&c), "a connection that wrote nothing is flushed");
  while (fog_lean_begin(&c)) {
    unsigned char *to = fog_lean_room(&c, 1000);
    if (to != NULL) memset(to, 0, 1000);
    fog_lean_end(&c);
  }
  check(!fog_lean_is_flushed(&c), "one whose peer does not read is not");
  p = (struct pollfd){.fd = paho, .events = POLLIN, .revents = 0};
  nonblocking(peer);
  flushed = false;
  for (int i = 0; i < 100000 && !flushed; i++) {
    if (read(peer, got, sizeof got) < 0) (void)poll(&p, 1, 10);
    flushed = fog_lean_is_flushed(&c);
  }
  check(flushed, "until it has read");
  (void)close(paho);
  check(fog_lean_is_flushed(&c), "nothing is waited for once it is closed");
  (void)close(peer);
}

int main(void) {
  (void)pthread_setname_np(pthread_self(), "MQTTAsync_rcv");
  test_current();
  test_used_again();
  test_flushed();
  return finish();
}
