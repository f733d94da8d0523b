/* SPDX-License-Identifier: MIT
 *
 * The guard before Paho: where a connection's bytes are cut by reads changes nothing of what it lets through; what it
 * lets through is whole, well-formed packets, read here by a second parser, and at most the beginning of one more; and
 * an acknowledgement that passes names an id that was sent, for its kind.
 * Input: a byte of switches, a byte for the ids that were sent, then what the broker sends.
 */
#include "../src/paho/paho_lean_guard.h"
#include "fuzz.h"

/* Ids 1 to 8 by two bits each of `ids`, low four: publications of QoS 1, QoS 2, a subscription, nothing. */
static const uint8_t *const sent_as[] = {(const uint8_t *)"\62\5\0\1t\0", (const uint8_t *)"\64\5\0\1t\0",
                                         (const uint8_t *)"\202\6\0", NULL};

static unsigned kind_of(uint8_t ids, unsigned id) { return id >= 1 && id <= 4 ? ids >> (2 * (id - 1)) & 3 : 3; }

static void send_all(struct fog_guard *g, bool v5, uint8_t ids) {
  uint8_t connect[] = {0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', v5 ? 5 : 4, 2, 0, 60, 0, 1, 'c'};
  must(fog_guard_sent(g, connect, sizeof connect));
  for (unsigned id = 1; id <= 4; id++) {
    unsigned kind = kind_of(ids, id);
    if (kind == 3) continue;
    bool publish = kind < 2;
    must(fog_guard_sent(g, sent_as[kind], publish ? 6 : 3));
    uint8_t rest[] = {(uint8_t)id, publish ? 'x' : 0, 1, 'f', 0};
    /* PUBLISH: topic "t", id, no payload. SUBSCRIBE: id, filter "f", QoS 0. */
    must(fog_guard_sent(g, rest, publish ? 1 : 5));
  }
}

static size_t receive(const uint8_t *data, size_t size, uint8_t switches, uint8_t ids, size_t piece) {
  struct fog_guard *g = fog_guard_new();
  size_t passed = 0;
  must(g != NULL);
  send_all(g, (switches & 1) != 0, ids);
  while (passed < size) {
    size_t n = size - passed < piece ? size - passed : piece;
    uint8_t *copy = malloc(n);
    must(copy != NULL);
    memcpy(copy, data + passed, n);
    size_t good = fog_guard_received(g, copy, n);
    free(copy);
    must(good <= n);
    passed += good;
    if (good < n) break;
  }
  fog_guard_free(g);
  return passed;
}

/* The packets that end within n bytes, as Paho would see them; what begins after them is not looked at. */
static void check_packets(const uint8_t *p, size_t n, bool v5, uint8_t ids) {
  bool greeted = false;
  while (n >= 2) {
    size_t left = 0, used = 0;
    do {
      if (used == 4 || 1 + used >= n) return;
      left |= (size_t)(p[1 + used] & 127) << (7 * used);
    } while (p[1 + used++] >= 128);
    if (left > n - 1 - used) return;
    const uint8_t *body = p + 1 + used;
    unsigned type = p[0] >> 4, id = left >= 2 ? (unsigned)(body[0] << 8 | body[1]) : 0;
    must(greeted != (type == 2));
    greeted = true;
    must(type == 3 || (p[0] & 15) == (type == 6 ? 2 : 0));
    must(type != 0 && type != 1 && type != 8 && type != 10 && type != 12 && type != 15 && (v5 || type != 14));
    must(type >= 13 || left >= 2);
    if (type == 3) must((p[0] & 6) != 6 && id > 0 && id + 2 <= left);
    if (type == 4) must(kind_of(ids, id) == 0);
    if (type == 5) must(kind_of(ids, id) == 1);
    if (type == 7) must(v5 && kind_of(ids, id) == 1); /* nothing sends PUBREL here: only after a refused PUBREC */
    if (type == 9) must(kind_of(ids, id) == 2 && left >= 3);
    must(type != 11);
    p = body + left;
    n -= 1 + used + left;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  uint8_t switches = take_byte(&in), ids = take_byte(&in);
  size_t whole = receive(in.at, in.left, switches, ids, in.left + 1);
  check_packets(in.at, whole, (switches & 1) != 0, ids);
  for (size_t piece = 1; piece < 9 && in.left > 0; piece += 1 + (switches >> 4)) {
    size_t cut = receive(in.at, in.left, switches, ids, piece);
    must(cut >= whole); /* a packet that is refused may have been handed over in part, never as a whole */
    check_packets(in.at, cut, (switches & 1) != 0, ids);
  }
  return 0;
}
