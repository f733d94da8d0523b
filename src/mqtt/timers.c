/* SPDX-License-Identifier: MIT
 *
 * A binary heap whose entries know their place.
 */
#include "timers.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

static void put(struct fog_timers *t, size_t place, struct fog_timers_entry e) {
  t->heap[place] = e;
  e.timer->place = place;
}

static void sift_up(struct fog_timers *t, size_t place) {
  struct fog_timers_entry e = t->heap[place];
  for (; place > 1 && t->heap[place / 2].at_ms > e.at_ms; place /= 2) put(t, place, t->heap[place / 2]);
  put(t, place, e);
}

static void sift_down(struct fog_timers *t, size_t place) {
  struct fog_timers_entry e = t->heap[place];
  for (size_t child; (child = place * 2) <= t->count; place = child) {
    if (child < t->count && t->heap[child + 1].at_ms < t->heap[child].at_ms) child++;
    if (t->heap[child].at_ms >= e.at_ms) break;
    put(t, place, t->heap[child]);
  }
  put(t, place, e);
}

static void settle(struct fog_timers *t, size_t place) {
  struct fog_timer *timer = t->heap[place].timer;
  sift_up(t, place);
  sift_down(t, timer->place);
}

static bool grow(struct fog_timers *t) {
  if (t->count + 1 < t->capacity) return true;
  size_t capacity = t->capacity == 0 ? FIRST_CAPACITY : t->capacity * 2;
  struct fog_timers_entry *heap = realloc(t->heap, capacity * sizeof *heap);
  if (heap == NULL) return false;
  t->heap = heap;
  t->capacity = capacity;
  return true;
}

bool fog_timers_set(struct fog_timers *t, struct fog_timer *timer, int64_t at_ms) {
  if (timer->place == 0) {
    if (!grow(t)) return false;
    timer->place = ++t->count;
  }
  timer->at_ms = at_ms;
  t->heap[timer->place] = (struct fog_timers_entry){.at_ms = at_ms, .timer = timer};
  settle(t, timer->place);
  return true;
}

void fog_timers_clear(struct fog_timers *t, struct fog_timer *timer) {
  size_t place = timer->place;
  if (place == 0) return;
  timer->place = 0;
  struct fog_timers_entry last = t->heap[t->count--];
  if (last.timer == timer) return;
  put(t, place, last);
  settle(t, place);
}

void fog_timers_fire(struct fog_timers *t, int64_t now_ms) {
  for (size_t left = t->count; left > 0 && t->count > 0 && t->heap[1].at_ms <= now_ms; left--) {
    struct fog_timer *timer = t->heap[1].timer;
    fog_timers_clear(t, timer);
    timer->fire(timer);
  }
}

int64_t fog_timers_next(const struct fog_timers *t) { return t->count == 0 ? INT64_MAX : t->heap[1].at_ms; }

void fog_timers_free(struct fog_timers *t) { free(t->heap); }
