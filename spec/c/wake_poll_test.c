/* SPDX-License-Identifier: MIT
 *
 * The wake-up descriptor of systems without eventfd.
 */
#define FOG_LOOP_POLL
#include "../../src/base/wake.c"
#include "wake_test.c"
