/* SPDX-License-Identifier: MIT
 *
 * Claims, printed and counted, and the last line of a test, which scripts/test.sh reads.
 */
#ifndef FOG_TAP_H
#define FOG_TAP_H

#include <stdbool.h>
#include <stdio.h>

static int passed, failed;

static inline void check(bool ok, const char *what) {
  passed += ok;
  failed += !ok;
  printf("%s - %s\n", ok ? "ok" : "not ok", what);
}

/* What main returns. */
static inline int finish(void) {
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}

#endif
