/* SPDX-License-Identifier: MIT
 *
 * Seconds on the monotonic clock.
 */
#ifndef FOG_NOW_H
#define FOG_NOW_H

#include <time.h>

static inline double fog_now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
