/* SPDX-License-Identifier: MIT
 *
 * The timers of one loop, by their moment. Setting and clearing take a time that grows with the logarithm of how many
 * are set; the next one is always at hand.
 */
#ifndef FOG_TIMERS_H
#define FOG_TIMERS_H

#include "loop.h"

struct fog_timers_entry {
  int64_t at_ms;
  struct fog_timer *timer;
};

/* Zeroed it is empty. */
struct fog_timers {
  struct fog_timers_entry *heap; /* 1 .. count */
  size_t count, capacity;
};

/* As fog_loop_set_timer and fog_loop_clear_timer. */
bool fog_timers_set(struct fog_timers *t, struct fog_timer *timer, int64_t at_ms);
void fog_timers_clear(struct fog_timers *t, struct fog_timer *timer);

/* When the next one is due; INT64_MAX: none is set. */
int64_t fog_timers_next(const struct fog_timers *t);

/* Fires those that are due, at most as many as were set before: one that sets itself again for now waits. */
void fog_timers_fire(struct fog_timers *t, int64_t now_ms);

void fog_timers_free(struct fog_timers *t);

#endif
