/* SPDX-License-Identifier: MIT
 *
 * head | payload | tail: whatever is taken of it at once, and whatever is added in between, the bytes come out in the
 * order in which they went in, once.
 */
#include "../../src/mqtt/writer.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "tap.h"

enum { STREAM = 1 << 20 };

static char out[STREAM], want[STREAM];
static size_t out_len, want_len;

static void begin(void) { out_len = want_len = 0; }

/* The system takes n bytes, or all there are. */
static bool take(struct fog_writer *w, size_t n) {
  struct iovec parts[FOG_WRITER_PARTS];
  int count = fog_writer_parts(w, parts);
  size_t all = 0, taken = 0;
  for (int i = 0; i < count; i++) all += parts[i].iov_len;
  if (all != fog_writer_unsent(w)) return false;
  if (n > all) n = all;
  for (int i = 0; i < count && taken < n; i++) {
    size_t part = parts[i].iov_len < n - taken ? parts[i].iov_len : n - taken;
    if (part == 0) return false; /* no part is empty */
    memcpy(out + out_len, parts[i].iov_base, part);
    out_len += part;
    taken += part;
  }
  fog_writer_sent(w, n);
  return w->sent == out_len && w->accepted == want_len && fog_writer_unsent(w) == want_len - out_len;
}

static bool all_out(struct fog_writer *w) {
  bool right = take(w, STREAM) && out_len == want_len && memcmp(out, want, want_len) == 0;
  struct iovec parts[FOG_WRITER_PARTS];
  return right && fog_writer_unsent(w) == 0 && fog_writer_parts(w, parts) == 0 && fog_writer_may_borrow(w);
}

static void expect(const char *bytes, size_t len) {
  memcpy(want + want_len, bytes, len);
  want_len += len;
}

static bool copy_in(struct fog_writer *w, const char *bytes, size_t len) {
  if (len == 0) return true;
  char *room = fog_writer_room(w, len);
  if (room == NULL) return false;
  memcpy(room, bytes, len);
  fog_writer_add(w, len);
  expect(bytes, len);
  return true;
}

static void borrow(struct fog_writer *w, const char *bytes, size_t len) {
  fog_writer_borrow(w, bytes, len);
  expect(bytes, len);
}

/* In two bites: the first of `cut` bytes. */
static bool split(size_t head, size_t payload, size_t tail, size_t cut) {
  static const char H[] = "HEADhead", P[] = "PAYLOADpayload", T[] = "TAILtail!", N[] = "next";
  struct fog_writer w = {0};
  begin();
  bool right = copy_in(&w, H, head) && fog_writer_may_borrow(&w);
  borrow(&w, P, payload);
  right = right && !fog_writer_may_borrow(&w) && copy_in(&w, T, tail) && take(&w, cut);
  right = right && fog_writer_may_borrow(&w) == (cut >= head + payload);
  right = right && copy_in(&w, N, 4) && all_out(&w);
  fog_writer_clear(&w);
  return right && w.head.data == NULL && w.tail.data == NULL && w.sent == 0;
}

static void splits(void) {
  for (size_t head = 0; head <= 8; head += 4) {
    for (size_t tail = 0; tail <= 9; tail += 3) {
      bool right = true;
      for (size_t cut = 0; cut <= head + 14 + tail; cut++) right = right && split(head, 14, tail, cut);
      char what[80];
      (void)snprintf(what, sizeof what, "%zu | 14 | %zu, cut everywhere", head, tail);
      check(right, what);
    }
  }
}

/* A byte at a time: `from` moves through all of both chunks. */
static void crumbs(void) {
  static const char bytes[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  struct fog_writer w = {0};
  bool right = true;
  begin();
  for (int i = 0; i < 500 && right; i++) {
    right = copy_in(&w, bytes, 36) && take(&w, 1);
    if (fog_writer_may_borrow(&w)) borrow(&w, bytes, 20);
    for (int k = 0; k < 40 && right; k++) right = take(&w, 1);
  }
  check(right && all_out(&w), "a byte at a time");
  check(w.head.cap <= 4096 && w.tail.cap <= 4096, "what was sent makes room for what comes");
  fog_writer_clear(&w);
}

/* Bytes that tell their places, in pieces of random sizes. */
static bool random_run(uint64_t seed) {
  static char source[65536];
  struct fog_writer w = {0};
  uint64_t random = seed;
  bool right = true;
  begin();
  for (size_t i = 0; i < sizeof source; i++) source[i] = (char)(i * 7 + i / 256);
  while (right && want_len < STREAM - sizeof source) {
    size_t from = random_below(&random, sizeof source / 2), doing = random_below(&random, 4);
    if (doing == 0)
      right = copy_in(&w, source + from, 1 + random_below(&random, 3000));
    else if (doing == 1 && fog_writer_may_borrow(&w))
      borrow(&w, source + from, 1 + random_below(&random, sizeof source / 2));
    else
      right = take(&w, random_below(&random, 40000));
  }
  right = right && all_out(&w);
  fog_writer_clear(&w);
  return right;
}

/* After a burst nobody pays for it. */
static void large(void) {
  static char bytes[100000];
  struct fog_writer w = {0};
  begin();
  borrow(&w, bytes, 1);
  bool right = copy_in(&w, bytes, sizeof bytes) && all_out(&w);
  right = right && copy_in(&w, bytes, 10);
  borrow(&w, bytes, 1);
  right = right && copy_in(&w, bytes, 10) && all_out(&w);
  check(right && w.tail.cap <= FOG_WRITER_LARGE, "a large spare chunk is given back");
  fog_writer_clear(&w);
}

int main(void) {
  splits();
  crumbs();
  for (uint64_t seed = 1; seed <= 20; seed++) {
    char what[40];
    (void)snprintf(what, sizeof what, "random pieces, seed %d", (int)seed);
    check(random_run(seed), what);
  }
  large();
  return finish();
}
