/* SPDX-License-Identifier: MIT
 *
 * The loop of systems without epoll.
 */
#define FOG_LOOP_POLL
#include "../../src/base/wake.c"
#include "../../src/mqtt/loop.c"
#include "loop_test.c"
