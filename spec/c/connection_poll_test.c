/* SPDX-License-Identifier: MIT
 *
 * Connections over the loop of systems without epoll.
 */
#define FOG_LOOP_POLL
#include "../../src/base/wake.c"
#include "../../src/mqtt/loop.c"
#include "connection_test.c"
