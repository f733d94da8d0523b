/* SPDX-License-Identifier: MIT
 *
 * A timer that notes when it fired, for the tests of loops and timers; the loop is the test's.
 */
#ifndef FOG_CLOCK_H
#define FOG_CLOCK_H

#include "../../src/mqtt/loop.h"

static struct fog_loop *loop;

struct clock {
  struct fog_timer timer;
  int fired, order;
  int64_t now_ms;
};

static int fired_in_all;

static void on_clock(struct fog_timer *timer) {
  struct clock *c = (struct clock *)timer;
  c->fired++;
  c->order = fired_in_all++;
  c->now_ms = fog_loop_now(loop);
}

#endif
