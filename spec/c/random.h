/* SPDX-License-Identifier: MIT
 *
 * Numbers that look random and are the same in each run (xorshift64, Marsaglia 2003).
 */
#ifndef FOG_RANDOM_H
#define FOG_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* 0 to below - 1. The state must not be 0. */
static inline size_t random_below(uint64_t *state, size_t below) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (size_t)(*state % below);
}

#endif
