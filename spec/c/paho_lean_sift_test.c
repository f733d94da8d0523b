/* SPDX-License-Identifier: MIT
 *
 * Packets past Paho: a stream of packets of all sizes, in pieces of all sizes, is read as Paho reads it, byte by byte
 * in front, while a sink takes two thirds of the PUBLISH packets; both together must see every packet once, whole, and
 * in order. And packets of our own between those of Paho.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "../../src/paho/paho_lean.h"
#include "loopback.h"
#include "tap.h"

enum { PACKETS = 20000, LARGEST = 100000, PUBLISH = 0x30, OTHER = 0x90 };

/* What packet number n is: its first byte, and so many bytes behind its length, all of which follow from n. */
static unsigned char first_of(uint32_t n) { return n % 5 == 0 ? OTHER : PUBLISH; }

static size_t length_of(uint32_t n) {
  if (n == 0) return 4;
  if (n % 997 == 0) return LARGEST;
  if (n % 101 == 0) return 4 + n % 9000;
  return 4 + n * 7 % 200;
}

static unsigned char byte_of(uint32_t n, size_t at) {
  return at < 4 ? (unsigned char)(n >> (8 * at)) : (unsigned char)(n + at);
}

static size_t build(uint32_t n, unsigned char *to) {
  size_t len = length_of(n), at = 0;
  to[at++] = first_of(n);
  for (size_t rest = len; rest > 0 || at == 1; rest /= 128)
    to[at++] = (unsigned char)(rest % 128 | (rest >= 128 ? 128 : 0));
  for (size_t i = 0; i < len; i++) to[at++] = byte_of(n, i);
  return at;
}

static void send_all(int fd, const unsigned char *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
    if (n <= 0) exit(1);
    bytes += n;
    len -= (size_t)n;
  }
}

/* In pieces of 1 to 20,000 bytes, small ones now and then. */
static void *send_stream(void *arg) {
  static unsigned char buffer[2 * LARGEST];
  size_t held = 0;
  unsigned random = 1;
  for (uint32_t n = 1; n <= PACKETS; n++) {
    held += build(n, buffer + held);
    random = random * 1103515245 + 12345;
    size_t piece = random % 8 == 0 ? 1 + (random >> 16) % 5 : 1 + (random >> 8) % 20000;
    while (held >= piece || n == PACKETS) {
      if (piece > held) piece = held;
      send_all(*(int *)arg, buffer, piece);
      memmove(buffer, buffer + piece, held - piece);
      held -= piece;
      if (held == 0) break;
    }
  }
  return NULL;
}

struct seen {
  struct fog_lean_ref connection;
  uint32_t next;
  size_t sunk, answers, late;
  bool right, asked;
};

static void note(struct seen *seen, unsigned char first, const unsigned char *body, size_t len) {
  uint32_t n = seen->next++;
  bool same = first == first_of(n) && len == length_of(n);
  for (size_t i = 0; same && i < len; i++) same = body[i] == byte_of(n, i);
  seen->right = seen->right && same;
}

/* Takes two of three, some of them at the second asking. */
static enum fog_lean_verdict sink(void *context, unsigned first, const unsigned char *body, size_t len) {
  static const unsigned char ack[] = {0x40, 2, 0, 1};
  struct seen *seen = context;
  if (seen->next % 3 == 0) return FOG_LEAN_PAHO;
  seen->asked = seen->next % 7 == 0 && !seen->asked;
  if (seen->asked) {
    seen->late++;
    return FOG_LEAN_LATER;
  }
  note(seen, (unsigned char)first, body, len);
  seen->sunk++;
  if (seen->next % 100 == 0 && fog_lean_answer(&seen->connection, ack, sizeof ack)) seen->answers++;
  return FOG_LEAN_TAKEN;
}

/* Waits for bytes as Paho's receive thread does, which is also when it sends what was put off. */
static void wait_for(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN, .revents = 0};
  (void)poll(&p, 1, 1000);
}

/* One byte as Paho gets it; false: nothing whole for Paho yet. */
static bool get(int fd, unsigned char *to, size_t len, bool wait) {
  while (len > 0) {
    ssize_t n = recv(fd, to, len, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
    if (n < 0 && !wait) return false;
    if (n < 0) {
      wait_for(fd);
      continue;
    }
    to += n;
    len -= (size_t)n;
  }
  return true;
}

static bool read_packet(int fd, struct seen *seen) {
  static unsigned char body[LARGEST];
  unsigned char first, digit;
  size_t len = 0, shift = 0;
  if (!get(fd, &first, 1, false)) return false;
  do {
    if (!get(fd, &digit, 1, true)) return false;
    len |= (size_t)(digit % 128) << shift;
    shift += 7;
  } while (digit >= 128);
  if (len > sizeof body || !get(fd, body, len, true)) return false;
  note(seen, first, body, len);
  return true;
}

static void test_stream(void) {
  int paho, peer;
  pthread_t sender;
  unsigned char got[8];
  size_t answers = 0;
  struct seen seen = {.next = 0, .right = true};
  pair(&paho, &peer);
  size_t len = build(0, got);
  send_all(peer, got, len); /* before there is a sink, as the CONNACK */
  wait_for(paho);
  check(read_packet(paho, &seen) && seen.next == 1, "without a sink all is Paho's");
  seen.connection = fog_lean_current();
  fog_lean_set_sink(&seen.connection, sink, &seen);
  if (pthread_create(&sender, NULL, send_stream, &peer) != 0) exit(1);
  while (seen.next <= PACKETS && seen.right) {
    if (!read_packet(paho, &seen)) wait_for(paho);
  }
  (void)pthread_join(sender, NULL);
  check(seen.right && seen.next == PACKETS + 1, "every packet is seen once, whole and in order");
  check(seen.sunk > PACKETS / 3, "the sink sees those that it takes");
  check(seen.late > PACKETS / 50, "and again those that it put off");
  struct pollfd p = {.fd = paho, .events = POLLIN, .revents = 0};
  (void)poll(&p, 1, 0);
  while (answers < seen.answers && recv(peer, got, 4, MSG_WAITALL) == 4 && got[0] == 0x40 && got[3] == 1) answers++;
  check(answers == seen.answers && answers > 0, "each answer arrives, whole");
  (void)close(paho);
  check(!fog_lean_begin(&seen.connection), "nothing is written to a connection that is closed");
  (void)close(peer);
}

static void test_part(void) {
  int paho, peer;
  unsigned char bytes[64], byte;
  struct seen seen = {.next = 0, .right = true};
  pair(&paho, &peer);
  send_all(peer, bytes, build(0, bytes));
  wait_for(paho);
  (void)read_packet(paho, &seen);
  seen.connection = fog_lean_current();
  for (time_t now = time(NULL); time(NULL) == now;) (void)usleep(100); /* the first packet of a second is Paho's */
  fog_lean_set_sink(&seen.connection, sink, &seen);
  size_t len = build(1, bytes);
  send_all(peer, bytes, 5);
  wait_for(paho);
  check(recv(paho, &byte, 1, 0) < 0 && errno == EAGAIN, "a part of a packet is held back");
  struct pollfd p = {.fd = paho, .events = POLLIN, .revents = 0};
  check(poll(&p, 1, 0) == 0, "and poll does not show it");
  send_all(peer, bytes + 5, len - 5);
  wait_for(paho);
  check(recv(paho, &byte, 1, 0) < 0 && seen.next == 2 && seen.right, "the sink gets it when it is whole");
  (void)shutdown(peer, SHUT_WR);
  wait_for(paho);
  check(recv(paho, &byte, 1, 0) == 0, "the end comes after that");
  (void)close(paho);
  (void)close(peer);
}

/* Batches of ours against a peer that reads slowly: whole packets only, as many as were taken. */
static void test_batches(void) {
  static const char packet[] = "\x30\x0a\0\4abcdefgh";
  int paho, peer;
  unsigned char bytes[64];
  size_t taken = 0, came = 0;
  struct seen seen = {.next = 0, .right = true};
  pair(&paho, &peer);
  send_all(peer, bytes, build(0, bytes));
  wait_for(paho);
  (void)read_packet(paho, &seen);
  struct fog_lean_ref c = fog_lean_current();
  bool full = false;
  for (uint32_t n = 1; !full && n < 10000000; n++) {
    if (!fog_lean_begin(&c)) break;
    unsigned char *to = fog_lean_room(&c, 12);
    if (to != NULL) memcpy(to, packet, 12);
    full = to == NULL;
    taken += to != NULL;
    fog_lean_end(&c);
  }
  check(taken > 1000, "packets are taken");
  check(!fog_lean_begin(&c), "until there is no room");
  nonblocking(peer);
  bool whole = true;
  for (time_t end = time(NULL) + 20; came < taken * 12 && time(NULL) < end;) {
    struct pollfd p = {.fd = paho, .events = POLLIN, .revents = 0};
    ssize_t n = recv(peer, bytes, sizeof bytes, 0);
    for (ssize_t i = 0; i < n; i++) whole = whole && bytes[i] == (unsigned char)packet[came++ % 12];
    if (n < 0) (void)poll(&p, 1, 10); /* where a full socket is gone on with */
  }
  check(whole && came == taken * 12, "all that was taken arrives");
  bool open = fog_lean_begin(&c);
  check(open, "and then there is room again");
  if (open) fog_lean_end(&c);
  (void)close(paho);
  (void)close(peer);
}

enum { MANY = 1000 };

static enum fog_lean_verdict answer_each(void *context, unsigned first, const unsigned char *body, size_t len) {
  static const unsigned char ack[] = {0x40, 2, 0, 1};
  struct seen *seen = context;
  (void)first, (void)body, (void)len;
  if (!fog_lean_answer(&seen->connection, ack, sizeof ack)) return FOG_LEAN_LATER;
  seen->answers++;
  return FOG_LEAN_TAKEN;
}

static atomic_int sends;

/* In the place of libc's, for this whole program. */
ssize_t send(int fd, const void *bytes, size_t len, int flags) {
  sends++;
  return sendto(fd, bytes, len, flags, NULL, 0);
}

/* Packets that come together are acknowledged together. */
static void test_answers(void) {
  static unsigned char bytes[MANY * 8];
  static const unsigned char packet[] = {PUBLISH | 2, 5, 0, 1, 't', 0, 1};
  int paho, peer;
  unsigned char byte;
  struct seen seen = {.next = 0, .right = true};
  pair(&paho, &peer);
  send_all(peer, bytes, build(0, bytes));
  wait_for(paho);
  (void)read_packet(paho, &seen);
  seen.connection = fog_lean_current();
  fog_lean_set_sink(&seen.connection, answer_each, &seen);
  for (size_t i = 0; i < MANY; i++) memcpy(bytes + i * sizeof packet, packet, sizeof packet);
  send_all(peer, bytes, MANY * sizeof packet);
  int before = sends;
  for (int i = 0; i < 100 && seen.answers < MANY; i++) {
    wait_for(paho);
    (void)recv(paho, &byte, 1, 0);
  }
  struct pollfd p = {.fd = paho, .events = POLLIN, .revents = 0};
  (void)poll(&p, 1, 0); /* sends what was put off */
  check(recv(peer, bytes, MANY * 4, MSG_WAITALL) == MANY * 4, "a thousand messages are acknowledged");
  check(sends - before <= MANY / 20, "in few writes");
  (void)close(paho);
  (void)close(peer);
}

int main(void) {
  (void)pthread_setname_np(pthread_self(), "MQTTAsync_rcv");
  test_stream();
  test_part();
  test_batches();
  test_answers();
  return finish();
}
