/* SPDX-License-Identifier: MIT
 *
 * The watermark: handlers end in random orders, and at each step it is the greatest number up to which all have ended,
 * as found by looking at each.
 */
#include "../../src/mqtt/handled.h"

#include <string.h>

#include "random.h"
#include "tap.h"

enum { MOST = 20000 };

static struct {
  bool done[MOST + 1];
  uint64_t open[MOST];
  size_t opened;
} model;

static uint64_t model_watermark(uint64_t from, uint64_t taken) {
  while (from < taken && model.done[from + 1]) from++;
  return from;
}

static bool take_one(struct fog_handled *h, uint64_t *taken) {
  if (!fog_handled_reserve(h) || fog_handled_take(h) != ++*taken) return false;
  model.open[model.opened++] = *taken;
  return h->taken == *taken;
}

/* Ends one of those that are open, and says it twice. */
static bool end_one(struct fog_handled *h, uint64_t taken, uint64_t *random) {
  size_t i = random_below(random, model.opened);
  uint64_t number = model.open[i], before = h->watermark;
  model.open[i] = model.open[--model.opened];
  model.done[number] = true;
  uint64_t expected = model_watermark(before, taken);
  if (fog_handled_done(h, number) != (expected != before) || h->watermark != expected) return false;
  return !fog_handled_done(h, number) && h->watermark == expected;
}

/* At most `window` are open at once; all have ended in the end. */
static bool any_order(uint64_t seed, size_t window) {
  struct fog_handled h = {0};
  uint64_t random = seed, taken = 0;
  bool right = true;
  memset(&model, 0, sizeof model);
  while (right && (taken < MOST || model.opened > 0)) {
    bool may_take = taken < MOST && model.opened < window;
    if (may_take && (model.opened == 0 || random_below(&random, 2) == 0))
      right = take_one(&h, &taken);
    else
      right = end_one(&h, taken, &random);
  }
  right = right && h.watermark == MOST;
  fog_handled_free(&h);
  return right && h.bits == NULL && h.taken == 0;
}

/* The first ends last: all that ended meanwhile counts at once, over each growth of the ring. */
static bool first_last(uint64_t many) {
  struct fog_handled h = {0};
  bool right = true;
  for (uint64_t n = 1; right && n <= many; n++) right = fog_handled_reserve(&h) && fog_handled_take(&h) == n;
  for (uint64_t n = many; right && n > 1; n--) right = !fog_handled_done(&h, n) && h.watermark == 0;
  right = right && fog_handled_done(&h, 1) && h.watermark == many;
  fog_handled_free(&h);
  return right;
}

static void strangers(void) {
  struct fog_handled h = {0};
  check(!fog_handled_done(&h, 0) && !fog_handled_done(&h, 1), "before anything was taken there is nothing to end");
  check(fog_handled_reserve(&h) && fog_handled_take(&h) == 1, "the first is 1");
  check(!fog_handled_done(&h, 2) && !fog_handled_done(&h, UINT64_MAX) && h.watermark == 0, "one that is still to come");
  check(fog_handled_done(&h, 1) && !fog_handled_done(&h, 1) && h.watermark == 1, "one that has ended");
  check(fog_handled_reserve(&h) && fog_handled_take(&h) == 2 && !fog_handled_done(&h, 1) && h.watermark == 1,
        "and leaves no trace for the next");
  fog_handled_free(&h);
}

int main(void) {
  strangers();
  check(any_order(1, 1), "one after the other");
  check(any_order(2, 7), "at most 7 open");
  check(any_order(3, 256), "as many as the ring has at first");
  check(any_order(4, 257), "one more");
  check(any_order(5, MOST), "as many as there are");
  check(first_last(255) && first_last(256) && first_last(257) && first_last(5000), "the first ends last");
  return finish();
}
