/* SPDX-License-Identifier: MIT
 *
 * Timers: set, moved and cleared at random, and by one another.
 */
#include <stdlib.h>

#include "clock.h"
#include "tap.h"

static void again_at_once(struct fog_timer *timer) {
  on_clock(timer);
  (void)fog_loop_set_timer(loop, timer, fog_loop_now(loop));
}

static struct fog_timer *victim;

static void clears_another(struct fog_timer *timer) {
  on_clock(timer);
  fog_loop_clear_timer(loop, victim);
}

static void timers_in_order(void) {
  enum { COUNT = 2000 };
  static struct clock clocks[COUNT];
  int64_t start = fog_loop_now(loop);
  unsigned seed = 1;
  bool set = true, kept = true;
  for (int i = 0; i < COUNT; i++) clocks[i].timer.fire = on_clock;
  for (int i = 0; i < COUNT * 4; i++) { /* set, moved and cleared at random */
    struct fog_timer *t = &clocks[rand_r(&seed) % COUNT].timer;
    if (rand_r(&seed) % 4 == 0)
      fog_loop_clear_timer(loop, t);
    else
      set = set && fog_loop_set_timer(loop, t, start + rand_r(&seed) % 30);
  }
  check(set, "timers are set and moved");
  while (fog_loop_now(loop) < start + 40) fog_loop_turn(loop, 10);
  for (int i = 0; i < COUNT; i++) {
    const struct clock *c = &clocks[i];
    kept = kept && c->timer.place == 0 && c->fired <= 1 && (c->fired == 0 || c->now_ms >= c->timer.at_ms);
    for (int j = 0; j < i; j += 97) {
      const struct clock *o = &clocks[j];
      if (c->fired && o->fired && c->timer.at_ms < o->timer.at_ms) kept = kept && c->order < o->order;
    }
  }
  check(kept, "each fires once, not before its moment, in order of their moments");
  for (int i = 0; i < COUNT; i++) (void)fog_loop_set_timer(loop, &clocks[i].timer, start + i);
  for (int i = 0; i < COUNT; i += 2) fog_loop_clear_timer(loop, &clocks[i].timer);
  fired_in_all = 0;
  for (int i = 0; i < COUNT; i++) fog_loop_clear_timer(loop, &clocks[i].timer);
  fog_loop_turn(loop, 0);
  check(fired_in_all == 0, "what is cleared, also twice, does not fire");
}

static void timers_on_timers(void) {
  struct clock self = {.timer.fire = again_at_once}, first = {.timer.fire = clears_another},
               second = {.timer.fire = on_clock};
  (void)fog_loop_set_timer(loop, &self.timer, fog_loop_now(loop));
  fog_loop_turn(loop, 1000);
  check(self.fired == 1 && self.timer.place != 0, "one that sets itself for now waits for the next turn");
  fog_loop_turn(loop, 1000);
  check(self.fired == 2, "which has it");
  fog_loop_clear_timer(loop, &self.timer);
  victim = &second.timer;
  (void)fog_loop_set_timer(loop, &first.timer, fog_loop_now(loop) - 1);
  (void)fog_loop_set_timer(loop, &second.timer, fog_loop_now(loop));
  fog_loop_turn(loop, 1000);
  check(first.fired == 1 && second.fired == 0, "one that is due can be cleared by one that fires before it");
}

int main(void) {
  loop = fog_loop_new();
  timers_in_order();
  timers_on_timers();
  fog_loop_free(loop);
  return finish();
}
